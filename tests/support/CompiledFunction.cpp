//===- CompiledFunction.cpp - A tn function, fused and compiled -----------===//

#include "tests/support/CompiledFunction.h"

#include "codegen/cpu/Schedule.h"
#include "ir/reference/Storage.h"
#include "ir/tn/ExpertPlan.h"
#include "ir/tn/Panels.h"
#include "passes/Pipelines.h"

#include "absl/strings/str_cat.h"
#include "mlir/Pass/PassManager.h"

#include <cstring>
#include <numeric>

namespace tenon::testing {

using namespace mlir;
using ir::ref::Contract;
using testing::Value;
using SsaValue = mlir::Value;

namespace {

constexpr char kGarbage = '\xc3';
constexpr int64_t kPadding = 64; // around every buffer that the runtime owns

SmallVector<ir::ScheduleAttr>
schedules(ir::KernelOp kernel, ArrayRef<ir::SymbolAttr> symbols,
          const base::TargetDescription &machine) {
  codegen::SymbolRanges ranges;
  for (ir::SymbolAttr symbol : symbols)
    ranges[symbol.getName().getValue()] = symbol;
  SmallVector<ir::ScheduleAttr> result;
  for (unsigned nest = 0; nest < kernel->getNumRegions(); ++nest)
    result.push_back(codegen::cpu::scheduleNest(kernel, nest, ranges, machine));
  return result;
}

absl::Status fromError(llvm::Error error) {
  return absl::InternalError(llvm::toString(std::move(error)));
}

/// The operand whose memory result `number` of a kernel's nests is: the cache
/// that appends lead back to.
unsigned aliasedOperand(ir::KernelOp kernel, unsigned number) {
  for (Region &nest : kernel.getNests()) {
    Operation *yield = nest.front().getTerminator();
    if (number >= yield->getNumOperands()) {
      number -= yield->getNumOperands();
      continue;
    }
    SsaValue value = yield->getOperand(number);
    while (auto append = value.getDefiningOp<ir::CacheAppendOp>())
      value = append.getCache();
    return cast<BlockArgument>(value).getArgNumber();
  }
  llvm_unreachable("a result of a nest");
}

} // namespace

absl::StatusOr<std::unique_ptr<CompiledFunction>>
CompiledFunction::compile(func::FuncOp original, base::CpuFeatures features,
                          const CodeEdit &edit,
                          const base::TargetDescription &machine) {
  auto result = std::make_unique<CompiledFunction>();
  result->fused = original->getParentOfType<ModuleOp>().clone();
  if (edit.program)
    edit.program(*result->fused);
  PassManager passes(original.getContext());
  auto scheduler = [&](ir::KernelOp kernel, ArrayRef<ir::SymbolAttr> symbols) {
    return schedules(kernel, symbols, machine);
  };
  passes::buildVariantPipeline(passes, {"any", {}}, scheduler);
  if (failed(passes.run(*result->fused)))
    return absl::InternalError("expects a function that the passes accept");
  result->func = *result->fused->getOps<func::FuncOp>().begin();

  SmallVector<ir::SymbolAttr> symbols;
  if (auto all = result->func->getAttrOfType<ArrayAttr>(ir::kSymbolsAttr))
    symbols = llvm::to_vector(all.getAsRange<ir::SymbolAttr>());
  OwningOpRef<ModuleOp> code = ModuleOp::create(original.getLoc());
  for (auto kernel : result->func.getOps<ir::KernelOp>()) {
    std::string symbol = absl::StrCat("k", result->kernels.size());
    codegen::cpu::KernelInfo &info = result->kernels.emplace_back();
    if (failed(codegen::cpu::emitKernel(kernel, symbol, symbols, features,
                                        *code, info)))
      return absl::InternalError("expects a kernel that can be emitted");
    info.symbol = symbol;
  }
  auto compiled = CompiledModule::compile(*code, features, edit);
  if (!compiled.ok())
    return compiled.status();
  result->code = std::move(*compiled);
  return result;
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

/// One run: the memory of every value of the function.
class FunctionRun {
public:
  FunctionRun(const CompiledFunction &code, uint64_t seed)
      : code(code), random(seed) {}

  absl::Status bind(SsaValue argument, const Value &value);
  absl::Status launch(ir::KernelOp kernel,
                      const codegen::cpu::KernelInfo &info);
  absl::Status store(ir::ConstantOp constant);
  absl::StatusOr<Value> read(SsaValue value);
  /// Makes `value` another name of the memory of `source`.
  void alias(SsaValue value, SsaValue source) {
    SmallVector<void *, 3> same = buffers.at(source); // The map may move.
    buffers[value] = same;
    int64_t size = sizes.lookup(source);
    sizes[value] = size;
  }

  tenon_failure failure = {};

private:
  void bindSymbols(RankedTensorType type, ArrayRef<int64_t> shape);
  /// Memory with `bytes` at its end.
  void *hold(StringRef bytes);
  void *holdGarbage(int64_t sizeBytes);
  /// The same with padding before and after, beginning anywhere.
  char *holdResult(int64_t sizeBytes);
  SmallVector<int64_t, 4> shapeOf(RankedTensorType type) const;
  int64_t sizeOf(RankedTensorType type) const;

  const CompiledFunction &code;
  Random random;
  std::vector<GuardedBytes> memory;
  llvm::DenseMap<SsaValue, SmallVector<void *, 3>> buffers;
  llvm::DenseMap<SsaValue, int64_t> sizes; // of caches
  llvm::StringMap<int64_t> symbols;
};

void FunctionRun::bindSymbols(RankedTensorType type, ArrayRef<int64_t> shape) {
  for (auto [axis, extent] : llvm::enumerate(shape))
    if (StringRef name = ir::symbolOf(type, axis); !name.empty())
      symbols[name] = extent;
}

void *FunctionRun::hold(StringRef bytes) {
  void *data = memory.emplace_back(bytes.size()).data();
  std::memcpy(data, bytes.data(), bytes.size());
  return data;
}

void *FunctionRun::holdGarbage(int64_t sizeBytes) {
  int64_t held = llvm::alignTo(sizeBytes, 64) + kPadding;
  return hold(std::string(held, kGarbage));
}

char *FunctionRun::holdResult(int64_t sizeBytes) {
  void *data = holdGarbage(sizeBytes + 2 * kPadding);
  return static_cast<char *>(data) + kPadding + random() % kPadding;
}

SmallVector<int64_t, 4> FunctionRun::shapeOf(RankedTensorType type) const {
  SmallVector<int64_t, 4> shape(type.getShape());
  for (auto [axis, extent] : llvm::enumerate(shape))
    if (ShapedType::isDynamic(extent))
      extent = symbols.lookup(ir::symbolOf(type, axis));
  return shape;
}

int64_t FunctionRun::sizeOf(RankedTensorType type) const {
  base::ElementType storage = ir::storageOf(type.getElementType());
  SmallVector<int64_t, 4> shape = shapeOf(type);
  if (isa_and_nonnull<ir::PanelsAttr>(type.getEncoding()))
    return (shape.size() > 2 ? shape[0] : 1) *
           ir::packedBytes(storage, shape[shape.size() - 2], shape.back());
  int64_t count = std::accumulate(shape.begin(), shape.end(), int64_t{1},
                                  std::multiplies<>());
  return *base::sizeBytes(storage, count);
}

absl::Status FunctionRun::bind(SsaValue argument, const Value &given) {
  auto &at = buffers[argument];
  auto ints = [](const std::vector<int32_t> &v) {
    return StringRef(reinterpret_cast<const char *>(v.data()), v.size() * 4);
  };
  if (const auto *batch = std::get_if<ir::ref::Batch>(&given)) {
    at = {hold(ints(batch->sequence)), hold(ints(batch->position)),
          hold(ints(batch->pages))};
    symbols["P"] = batch->pagesPerSequence;
    symbols["pageBlocks"] = batch->pageBlocks;
    return absl::OkStatus();
  }
  if (const auto *cache = std::get_if<ir::ref::Cache<Contract>>(&given)) {
    auto bytes = ir::ref::cacheToBytes(argument.getType(), *cache);
    if (!bytes)
      return fromError(bytes.takeError());
    sizes[argument] = bytes->size();
    at = {hold(*bytes)};
    return absl::OkStatus();
  }
  const auto &tensor = std::get<Tensor>(given);
  bindSymbols(cast<RankedTensorType>(argument.getType()), tensor.shape);
  at = {hold(ir::ref::tensorToBytes(tensor))};
  return absl::OkStatus();
}

absl::Status FunctionRun::store(ir::ConstantOp constant) {
  ir::ref::Context context;
  SmallVector<Value> out;
  if (llvm::Error error = constant.evaluateContract(context, {}, out))
    return fromError(std::move(error));
  return bind(constant.getResult(), {out[0]});
}

absl::Status FunctionRun::launch(ir::KernelOp kernel,
                                 const codegen::cpu::KernelInfo &info) {
  std::vector<void *> frameBuffers;
  std::vector<std::pair<const char *, int64_t>> written;
  for (SsaValue input : kernel.getInputs())
    llvm::append_range(frameBuffers, buffers.at(input));
  for (auto [number, result] : llvm::enumerate(kernel.getResults())) {
    if (isa<ir::CacheType>(result.getType())) {
      SsaValue operand = kernel.getInputs()[aliasedOperand(kernel, number)];
      alias(result, operand);
      continue;
    }
    int64_t size = sizeOf(cast<RankedTensorType>(result.getType()));
    char *data = holdResult(size);
    written.emplace_back(data, size);
    buffers[result] = {data};
    frameBuffers.push_back(data);
  }
  std::vector<int64_t> dims;
  for (const std::string &name : info.dims)
    dims.push_back(symbols.lookup(name));
  StatusOr<int64_t> tiles = info.tiles.evaluate(dims, {});
  if (!tiles.ok())
    return absl::InternalError("expects a number of tiles");
  std::vector<uint32_t> order(*tiles);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), random);
  void *scratch = holdGarbage(info.scratchBytes);
  dims.push_back(0); // so that data() is not null
  tenon_frame frame{frameBuffers.data(), dims.data(), scratch, &failure};
  tenon_kernel_fn function = code.code->kernel(info.symbol);
  {
    ir::ref::FlushSubnormals flush;
    for (uint32_t tile : order)
      function(&frame, tile);
  }
  for (auto [data, size] : written)
    for (int64_t i = -kPadding; i < size + kPadding; ++i)
      if ((i < 0 || i >= size) && data[i] != kGarbage)
        return absl::InternalError(
            absl::StrCat("a kernel wrote byte ", i, " of ", size));
  return absl::OkStatus();
}

absl::StatusOr<Value> FunctionRun::read(SsaValue value) {
  const char *data = static_cast<const char *>(buffers.at(value)[0]);
  if (isa<ir::CacheType>(value.getType())) {
    auto cache = ir::ref::cacheFromBytes<Contract>(
        value.getType(), ArrayRef(data, sizes.at(value)));
    if (!cache)
      return fromError(cache.takeError());
    return Value(std::move(*cache));
  }
  auto type = cast<RankedTensorType>(value.getType());
  auto tensor = ir::ref::tensorFromBytes<Contract>(
      type.getElementType(), shapeOf(type), ArrayRef(data, sizeOf(type)));
  if (!tensor)
    return fromError(tensor.takeError());
  return Value(std::move(*tensor));
}

absl::StatusOr<CompiledFunction::Outcome>
CompiledFunction::run(ArrayRef<Value> arguments, uint64_t seed) const {
  FunctionRun run(*this, seed);
  auto entry = const_cast<func::FuncOp &>(func);
  for (auto [argument, value] :
       llvm::zip_equal(entry.getArguments(), arguments))
    if (absl::Status status = run.bind(argument, value); !status.ok())
      return status;
  Outcome outcome;
  auto next = kernels.begin();
  for (Operation &op : entry.front().without_terminator()) {
    absl::Status status;
    if (auto kernel = dyn_cast<ir::KernelOp>(op))
      status = run.launch(kernel, *next++);
    else if (auto constant = dyn_cast<ir::ConstantOp>(op))
      status = run.store(constant);
    else if (auto reshape = dyn_cast<ir::ReshapeOp>(op))
      run.alias(reshape.getResult(), reshape.getX());
    else
      status = absl::InvalidArgumentError(absl::StrCat(
          "expects kernels, got ", op.getName().getStringRef().str()));
    if (!status.ok())
      return status;
  }
  for (SsaValue result : entry.front().getTerminator()->getOperands()) {
    absl::StatusOr<Value> value = run.read(result);
    if (!value.ok())
      return value.status();
    outcome.results.push_back(std::move(*value));
  }
  outcome.failure = run.failure;
  return outcome;
}

absl::StatusOr<int64_t> countedProducts(func::FuncOp func,
                                        base::CpuFeatures features,
                                        ArrayRef<Value> arguments) {
  int64_t counted = 0;
  CodeEdit edit;
  edit.program = [&](ModuleOp program) {
    program->setAttr(
        ir::kCountProductsAttr,
        OpBuilder(program.getContext())
            .getI64IntegerAttr(reinterpret_cast<intptr_t>(&counted)));
  };
  auto code = CompiledFunction::compile(func, features, edit);
  if (!code.ok())
    return code.status();
  auto outcome = (*code)->run(arguments, /*seed=*/7);
  if (!outcome.ok())
    return outcome.status();
  return counted;
}

} // namespace tenon::testing
