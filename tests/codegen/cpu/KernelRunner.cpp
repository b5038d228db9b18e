//===- KernelRunner.cpp - Parse, schedule, emit, compile, call ------------===//

#include "tests/codegen/cpu/KernelRunner.h"

#include "codegen/cpu/Lower.h"
#include "codegen/cpu/Object.h"
#include "codegen/cpu/Schedule.h"
#include "ir/reference/Arithmetic.h"
#include "ir/reference/Storage.h"

#include "mlir/Parser/Parser.h"
#include "llvm/IR/LLVMContext.h"

#include <chrono>
#include <cstdlib>
#include <thread>

namespace tenon::testing {

using namespace mlir;

namespace {

class Timer {
public:
  double ms() {
    auto now = std::chrono::steady_clock::now();
    std::chrono::duration<double, std::milli> passed = now - start;
    start = now;
    return passed.count();
  }

private:
  std::chrono::steady_clock::time_point start =
      std::chrono::steady_clock::now();
};

void attachSchedules(ir::KernelOp kernel, ArrayRef<ir::SymbolAttr> symbols) {
  codegen::SymbolRanges ranges;
  for (ir::SymbolAttr symbol : symbols)
    ranges[symbol.getName().getValue()] = symbol;
  SmallVector<Attribute> schedules;
  for (unsigned nest = 0; nest < kernel.getNests().size(); ++nest)
    schedules.push_back(codegen::cpu::scheduleNest(kernel, nest, ranges));
  kernel.setSchedulesAttr(ArrayAttr::get(kernel.getContext(), schedules));
}

} // namespace

MLIRContext &kernelContext() {
  static MLIRContext *context = [] {
    DialectRegistry registry;
    registry.insert<ir::TnDialect>();
    codegen::cpu::registerLowering(registry);
    auto *created = new MLIRContext(registry);
    created->loadAllAvailableDialects();
    created->disableMultithreading();
    return created;
  }();
  return *context;
}

std::string toBytes(const ir::ref::Tensor<ir::ref::Contract> &x) {
  return ir::ref::tensorToBytes(x);
}

ir::ref::Tensor<ir::ref::Contract>
fromBytes(Type element, ArrayRef<int64_t> shape, const void *bytes) {
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  StatusOr<int64_t> size = base::sizeBytes(ir::storageOf(element), count);
  return llvm::cantFail(ir::ref::tensorFromBytes<ir::ref::Contract>(
      element, shape, {static_cast<const char *>(bytes), size_t(*size)}));
}

absl::StatusOr<std::unique_ptr<KernelRunner>>
KernelRunner::create(MLIRContext &context, llvm::StringRef text,
                     base::CpuFeatures features) {
  auto runner = std::make_unique<KernelRunner>();
  runner->source = parseSourceString<ModuleOp>(text, &context);
  if (!runner->source)
    return absl::InvalidArgumentError("expects a kernel that parses");
  runner->source->walk([&](ir::KernelOp op) { runner->op = op; });
  SmallVector<ir::SymbolAttr> symbols;
  auto function = runner->op->getParentOfType<func::FuncOp>();
  if (auto all = function->getAttrOfType<ArrayAttr>(ir::kSymbolsAttr))
    symbols = llvm::to_vector(all.getAsRange<ir::SymbolAttr>());
  attachSchedules(runner->op, symbols);

  Timer timer;
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(&context));
  if (failed(codegen::cpu::emitKernel(runner->op, "k", symbols, features,
                                      *module, runner->details)))
    return absl::InternalError("expects a kernel that can be emitted");
  runner->took.emitMs = timer.ms();
  if (std::getenv("TENON_DUMP_KERNELS"))
    module->dump();
  llvm::LLVMContext llvmContext;
  std::unique_ptr<llvm::Module> lowered =
      codegen::cpu::lower(*module, features, llvmContext);
  if (!lowered)
    return absl::InternalError("expects a kernel that lowers");
  runner->took.lowerMs = timer.ms();
  auto object = codegen::cpu::emitObject(*lowered, features);
  if (!object.ok())
    return object.status();
  runner->code = *object;
  runner->took.objectMs = timer.ms();
  auto jit = codegen::cpu::Jit::create();
  if (!jit.ok())
    return jit.status();
  runner->jit = std::move(*jit);
  if (absl::Status status = runner->jit->add(runner->code); !status.ok())
    return status;
  auto found = runner->jit->lookup("k");
  if (!found.ok())
    return found.status();
  runner->function = *found;
  return runner;
}

tenon_failure KernelRunner::runTiles(const tenon_frame &shared, int64_t first,
                                     int64_t step, int64_t tiles) const {
  std::unique_ptr<void, decltype(&std::free)> scratch(
      std::aligned_alloc(64, (details.scratchBytes + 127) / 64 * 64),
      &std::free);
  tenon_failure failure{};
  tenon_frame frame = shared;
  frame.scratch = scratch.get();
  frame.failure = &failure;
  ir::ref::FlushSubnormals flush;
  for (int64_t tile = first; tile < tiles; tile += step)
    function(&frame, static_cast<uint32_t>(tile));
  return failure;
}

tenon_failure KernelRunner::run(const llvm::StringMap<int64_t> &symbols,
                                std::vector<void *> buffers, uint32_t threads) {
  std::vector<int64_t> dims;
  for (const std::string &name : details.dims)
    dims.push_back(symbols.lookup(name));
  dims.push_back(0); // so that data() is never null
  StatusOr<int64_t> tiles = details.tiles.evaluate(dims, {});
  if (!tiles.ok())
    return {};
  tenon_frame shared{buffers.data(), dims.data(), nullptr, nullptr};
  std::vector<tenon_failure> failures(threads);
  std::vector<std::thread> others;
  for (uint32_t i = 1; i < threads; ++i)
    others.emplace_back(
        [&, i] { failures[i] = runTiles(shared, i, threads, *tiles); });
  failures[0] = runTiles(shared, 0, threads, *tiles);
  for (std::thread &other : others)
    other.join();
  for (const tenon_failure &failure : failures)
    if (failure.kind)
      return failure;
  return {};
}

std::vector<ir::ref::Value<ir::ref::Contract>> KernelRunner::expected(
    const llvm::StringMap<int64_t> &symbols,
    const std::vector<ir::ref::Value<ir::ref::Contract>> &inputs) {
  using Values = SmallVector<ir::ref::Value<ir::ref::Contract>>;
  ir::ref::FlushSubnormals flush;
  ir::ref::Context context;
  context.symbols = symbols;
  std::vector<ir::ref::Value<ir::ref::Contract>> results;
  for (Region &nest : op.getNests()) {
    DenseMap<Value, size_t> numbers;
    Values values(inputs.begin(), inputs.end());
    for (BlockArgument argument : nest.getArguments())
      numbers[argument] = argument.getArgNumber();
    for (Operation &inner : nest.front().without_terminator()) {
      Values in, out;
      for (Value operand : inner.getOperands())
        in.push_back(values[numbers.at(operand)]);
      llvm::cantFail(
          cast<ir::ReferenceOp>(inner).evaluateContract(context, in, out));
      for (auto [result, value] : llvm::zip_equal(inner.getResults(), out)) {
        numbers[result] = values.size();
        values.push_back(std::move(value));
      }
    }
    for (Value result : nest.front().getTerminator()->getOperands())
      results.push_back(values[numbers.at(result)]);
  }
  return results;
}

} // namespace tenon::testing
