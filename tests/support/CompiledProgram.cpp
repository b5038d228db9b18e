//===- CompiledProgram.cpp - A tn module, compiled and run whole ----------===//

#include "tests/support/CompiledProgram.h"

#include "frontend/session/JitProgram.h"
#include "frontend/session/ModelFiles.h"
#include "ir/reference/Storage.h"
#include "ir/tn/Tn.h"

#include <cstring>

namespace tenon::testing {

using namespace mlir;
using ir::ref::Batch;
using ir::ref::Contract;
using Value = testing::Value; // not MLIR's

static constexpr unsigned kThreads = 2; // of a launch
static constexpr char kGarbage = '\xc3';

absl::StatusOr<std::unique_ptr<CompiledProgram>>
CompiledProgram::compile(ModuleOp module, base::CpuFeatures features,
                         const codegen::Target *target) {
  codegen::CompileOptions options;
  options.features = {features};
  options.threads = 1;
  options.target = target;
  auto compiled = codegen::compile(module, options);
  if (!compiled.ok())
    return compiled.status();
  auto loaded = loadJit(*compiled, compiled->code[0]);
  if (!loaded.ok())
    return loaded.status();
  auto result = std::make_unique<CompiledProgram>();
  result->loaded = *std::move(loaded);
  return result;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

namespace {

/// Bytes as a caller of the runtime holds them.
struct Buffer {
  Buffer(base::ElementType type, ArrayRef<int64_t> extents, StringRef bytes)
      : element(type), shape(extents), sizeBytes(bytes.size()),
        memory(bytes.size()) {
    std::memcpy(memory.data(), bytes.data(), bytes.size());
  }
  explicit Buffer(const Tensor &tensor)
      : Buffer(ir::storageOf(tensor.element), tensor.shape,
               ir::ref::tensorToBytes(tensor)) {}

  base::ElementType element;
  SmallVector<int64_t, 4> shape;
  size_t sizeBytes;
  GuardedBytes memory;
};

/// A tensor's one buffer, a batch's three, none of a cache.
void hold(const Value &value, std::vector<Buffer> &buffers) {
  if (const auto *tensor = std::get_if<Tensor>(&value))
    buffers.emplace_back(*tensor);
  const auto *batch = std::get_if<Batch>(&value);
  if (!batch)
    return;
  auto ints = [&](ArrayRef<int32_t> v, ArrayRef<int64_t> shape) {
    buffers.emplace_back(
        base::ElementType::I32, shape,
        StringRef(reinterpret_cast<const char *>(v.data()), v.size() * 4));
  };
  auto tokens = static_cast<int64_t>(batch->sequence.size());
  ints(batch->sequence, tokens);
  ints(batch->position, tokens);
  ints(batch->pages,
       {static_cast<int64_t>(batch->pages.size()) / batch->pagesPerSequence,
        batch->pagesPerSequence});
}

/// The extents that arguments give the symbols of a function.
llvm::StringMap<int64_t> symbolsOf(func::FuncOp func,
                                   ArrayRef<Value> arguments) {
  llvm::StringMap<int64_t> symbols;
  for (auto [type, value] : llvm::zip(func.getArgumentTypes(), arguments)) {
    const auto *tensor = std::get_if<Tensor>(&value);
    for (size_t axis = 0; tensor && axis < tensor->shape.size(); ++axis)
      if (StringRef name = ir::symbolOf(cast<RankedTensorType>(type), axis);
          !name.empty())
        symbols[name] = tensor->shape[axis];
  }
  return symbols;
}

/// Memory for a result, filled with garbage.
Buffer resultBuffer(RankedTensorType type,
                    const llvm::StringMap<int64_t> &symbols) {
  SmallVector<int64_t> shape(type.getShape());
  int64_t count = 1;
  for (auto [axis, extent] : llvm::enumerate(shape)) {
    if (ShapedType::isDynamic(extent))
      extent = symbols.lookup(ir::symbolOf(type, axis));
    count *= extent;
  }
  base::ElementType element = ir::storageOf(type.getElementType());
  return {element, shape,
          std::string(*base::sizeBytes(element, count), kGarbage)};
}

/// Copies of the function share the bytes.
exec::ParameterLookup lookupIn(const Weights &weights) {
  auto held = std::make_shared<llvm::StringMap<Buffer>>();
  for (const auto &weight : weights)
    held->try_emplace(weight.getKey(), weight.getValue());
  return [held](const base::Parameter &p) -> StatusOr<exec::TensorView> {
    const Buffer &buffer = held->at(p.name);
    return exec::TensorView{buffer.memory.data(), buffer.element, buffer.shape};
  };
}

} // namespace

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

absl::StatusOr<std::unique_ptr<exec::Session>>
CompiledProgram::open(const exec::SessionOptions &options,
                      const Weights &weights) const {
  auto device = hal::openDevice("cpu", {.threads = kThreads, .cpus = {}});
  if (!device.ok())
    return toAbsl(device.status());
  auto session =
      exec::Session::open(loaded, *device, options, lookupIn(weights));
  if (!session.ok())
    return toAbsl(session.status());
  return *std::move(session);
}

exec::SessionOptions optionsFor(func::FuncOp func, ArrayRef<Value> arguments) {
  exec::SessionOptions options;
  for (const auto &symbol : symbolsOf(func, arguments))
    options.limits.push_back({symbol.getKey().str(), symbol.getValue()});
  for (const Value &value : arguments) {
    const auto *batch = std::get_if<Batch>(&value);
    if (!batch)
      continue;
    options.pages = static_cast<int64_t>(batch->pages.size());
    options.pageBlocks = batch->pageBlocks;
    options.limits.push_back({"S", options.pages / batch->pagesPerSequence});
    options.limits.push_back({"P", batch->pagesPerSequence});
  }
  return options;
}

absl::StatusOr<Outcome> callEntry(exec::Session &session, func::FuncOp func,
                                  ArrayRef<Value> arguments,
                                  int64_t emitLimit) {
  std::vector<Buffer> in, out;
  for (const Value &argument : arguments)
    hold(argument, in);
  llvm::StringMap<int64_t> symbols = symbolsOf(func, arguments);
  auto types = llvm::make_filter_range(
      func.getResultTypes(), [](Type type) { return isa<ShapedType>(type); });
  for (Type type : types)
    out.push_back(resultBuffer(cast<RankedTensorType>(type), symbols));
  std::vector<exec::TensorView> inViews;
  for (const Buffer &buffer : in)
    inViews.push_back({buffer.memory.data(), buffer.element, buffer.shape});
  std::vector<exec::MutableTensorView> outViews;
  for (const Buffer &buffer : out)
    outViews.push_back({buffer.memory.data(), buffer.element, buffer.shape});

  Outcome outcome;
  session.setSink([&](std::span<const int32_t> tokens) {
    llvm::append_range(outcome.emitted, tokens);
    return emitLimit >= 0 &&
           static_cast<int64_t>(outcome.emitted.size()) >= emitLimit;
  });
  outcome.call = session.call(func.getName().str(), inViews, outViews);
  session.setSink(nullptr);
  if (!outcome.call.ok())
    return outcome;
  for (auto [type, buffer] : llvm::zip_equal(types, out)) {
    auto tensor = ir::ref::tensorFromBytes<Contract>(
        cast<RankedTensorType>(type).getElementType(), buffer.shape,
        {static_cast<const char *>(buffer.memory.data()), buffer.sizeBytes});
    if (!tensor)
      return absl::InternalError(llvm::toString(tensor.takeError()));
    outcome.results.push_back(std::move(*tensor));
  }
  return outcome;
}

} // namespace tenon::testing
