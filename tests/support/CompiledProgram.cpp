//===- CompiledProgram.cpp - A tn module, compiled and run whole ----------===//

#include "tests/support/CompiledProgram.h"

#include "codegen/Compile.h"
#include "ir/reference/Storage.h"
#include "runtime/exec/Session.h"

#include <cstring>

namespace tenon::testing {

using namespace mlir;
using ir::ref::Contract;

static constexpr unsigned kThreads = 2; // of a launch

static absl::Status toAbsl(const tenon::Status &status) {
  return status.ok() ? absl::OkStatus()
                     : absl::InternalError(std::string(status.message()));
}

absl::StatusOr<std::unique_ptr<CompiledProgram>>
CompiledProgram::compile(ModuleOp module, base::CpuFeatures features) {
  codegen::CompileOptions options;
  options.features = {features};
  options.threads = 1;
  auto compiled = codegen::compile(module, options);
  if (!compiled.ok())
    return compiled.status();
  auto made = codegen::cpu::Jit::create();
  if (!made.ok())
    return made.status();
  std::shared_ptr<codegen::cpu::Jit> jit = *std::move(made);
  for (const std::string &object : compiled->code[0].objects)
    if (absl::Status status = jit->add(object); !status.ok())
      return status;
  std::vector<tenon_kernel_fn> functions;
  for (const base::Kernel &kernel : compiled->program.kernels) {
    auto function = jit->lookup(kernel.symbol);
    if (!function.ok())
      return function.status();
    functions.push_back(*function);
  }
  auto code =
      exec::Code::fromTable(compiled->program, std::move(functions), jit);
  if (!code.ok())
    return toAbsl(code.status());
  auto loaded = exec::LoadedProgram::create(std::move(compiled->program),
                                            *std::move(code));
  if (!loaded.ok())
    return toAbsl(loaded.status());
  auto result = std::make_unique<CompiledProgram>();
  result->loaded = *std::move(loaded);
  return result;
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

namespace {

/// The memory of a call, and the views that give it to a session.
class ProgramRun {
public:
  absl::Status bind(Type type, const Argument &argument);
  void addResult(RankedTensorType type);
  std::vector<exec::TensorView> arguments() const;
  std::vector<exec::MutableTensorView> results() const;
  absl::StatusOr<Tensor> readResult(size_t number) const;

  exec::SessionOptions options;

private:
  struct Buffer {
    Type element;
    SmallVector<int64_t, 4> shape;
    int64_t sizeBytes;
    GuardedBytes memory;
  };

  void hold(std::vector<Buffer> &among, Type element, ArrayRef<int64_t> shape,
            StringRef bytes);
  void limit(const char *symbol, int64_t most) {
    options.limits.push_back({symbol, most});
  }
  void bindBatch(Type i32, const ir::ref::Batch &batch);

  std::vector<Buffer> in, out;
  llvm::StringMap<int64_t> symbols;
};

void ProgramRun::hold(std::vector<Buffer> &among, Type element,
                      ArrayRef<int64_t> shape, StringRef bytes) {
  among.push_back({element, SmallVector<int64_t, 4>(shape),
                   static_cast<int64_t>(bytes.size()),
                   GuardedBytes(bytes.size())});
  std::memcpy(among.back().memory.data(), bytes.data(), bytes.size());
}

void ProgramRun::bindBatch(Type i32, const ir::ref::Batch &batch) {
  auto ints = [&](ArrayRef<int32_t> v, ArrayRef<int64_t> shape) {
    hold(in, i32, shape,
         StringRef(reinterpret_cast<const char *>(v.data()), v.size() * 4));
  };
  int64_t tokens = static_cast<int64_t>(batch.sequence.size());
  int64_t pages = static_cast<int64_t>(batch.pages.size());
  int64_t sequences = pages / batch.pagesPerSequence;
  ints(batch.sequence, tokens);
  ints(batch.position, tokens);
  ints(batch.pages, {sequences, batch.pagesPerSequence});
  limit("S", sequences);
  limit("P", batch.pagesPerSequence);
  options.pages = pages;
  options.pageBlocks = batch.pageBlocks;
}

absl::Status ProgramRun::bind(Type type, const Argument &argument) {
  if (isa<ir::CacheType>(type))
    return absl::OkStatus();
  if (const auto *batch = std::get_if<ir::ref::Batch>(&argument.value)) {
    bindBatch(IntegerType::get(type.getContext(), 32), *batch);
    return absl::OkStatus();
  }
  const auto &tensor = std::get<Tensor>(argument.value);
  for (auto [axis, extent] : llvm::enumerate(tensor.shape))
    if (StringRef name = ir::symbolOf(cast<RankedTensorType>(type), axis);
        !name.empty() && symbols.try_emplace(name, extent).second)
      options.limits.push_back({name.str(), extent});
  hold(in, tensor.element, tensor.shape, ir::ref::tensorToBytes(tensor));
  return absl::OkStatus();
}

void ProgramRun::addResult(RankedTensorType type) {
  SmallVector<int64_t> shape(type.getShape());
  int64_t count = 1;
  for (auto [axis, extent] : llvm::enumerate(shape)) {
    if (ShapedType::isDynamic(extent))
      extent = symbols.lookup(ir::symbolOf(type, axis));
    count *= extent;
  }
  int64_t size = *base::sizeBytes(ir::storageOf(type.getElementType()), count);
  hold(out, type.getElementType(), shape, std::string(size, '\xc3'));
}

std::vector<exec::TensorView> ProgramRun::arguments() const {
  std::vector<exec::TensorView> views;
  for (const Buffer &buffer : in)
    views.push_back(
        {buffer.memory.data(), ir::storageOf(buffer.element), buffer.shape});
  return views;
}

std::vector<exec::MutableTensorView> ProgramRun::results() const {
  std::vector<exec::MutableTensorView> views;
  for (const Buffer &buffer : out)
    views.push_back(
        {buffer.memory.data(), ir::storageOf(buffer.element), buffer.shape});
  return views;
}

absl::StatusOr<Tensor> ProgramRun::readResult(size_t number) const {
  const Buffer &buffer = out[number];
  auto tensor = ir::ref::tensorFromBytes<Contract>(
      buffer.element, buffer.shape,
      ArrayRef(static_cast<const char *>(buffer.memory.data()),
               buffer.sizeBytes));
  if (!tensor)
    return absl::InternalError(llvm::toString(tensor.takeError()));
  return std::move(*tensor);
}

exec::ParameterLookup lookupIn(const llvm::StringMap<Argument> &parameters) {
  struct Stored {
    std::string bytes;
    std::vector<int64_t> shape;
  };
  auto stored = std::make_shared<llvm::StringMap<Stored>>();
  for (const auto &entry : parameters) {
    const auto &tensor = std::get<Tensor>(entry.second.value);
    Stored &made = (*stored)[entry.first()];
    made.shape.assign(tensor.shape.begin(), tensor.shape.end());
    made.bytes = ir::ref::tensorToBytes(tensor);
  }
  return [stored](
             const base::Parameter &parameter) -> StatusOr<exec::TensorView> {
    const Stored &found = stored->at(parameter.name);
    return exec::TensorView{found.bytes.data(), parameter.element, found.shape};
  };
}

} // namespace

absl::StatusOr<CompiledProgram::Outcome>
CompiledProgram::run(func::FuncOp func, ArrayRef<Argument> arguments,
                     const llvm::StringMap<Argument> &parameters,
                     int64_t emitLimit) const {
  ProgramRun run;
  for (auto [type, argument] :
       llvm::zip_equal(func.getArgumentTypes(), arguments))
    if (absl::Status status = run.bind(type, argument); !status.ok())
      return status;
  for (Type type : func.getResultTypes())
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      run.addResult(tensor);
  auto device = hal::openDevice("cpu", {.threads = kThreads, .cpus = {}});
  if (!device.ok())
    return toAbsl(device.status());
  auto session =
      exec::Session::open(loaded, *device, run.options, lookupIn(parameters));
  if (!session.ok())
    return toAbsl(session.status());
  Outcome outcome;
  (*session)->setSink([&](std::span<const int32_t> tokens) {
    outcome.emitted.insert(outcome.emitted.end(), tokens.begin(), tokens.end());
    return static_cast<int64_t>(outcome.emitted.size()) >= emitLimit;
  });
  outcome.call =
      (*session)->call(func.getName().str(), run.arguments(), run.results());
  for (size_t i = 0; i < run.results().size() && outcome.call.ok(); ++i) {
    absl::StatusOr<Tensor> tensor = run.readResult(i);
    if (!tensor.ok())
      return tensor.status();
    outcome.results.push_back(*std::move(tensor));
  }
  return outcome;
}

} // namespace tenon::testing
