//===- HostProgram.cpp - A module of entries, compiled and run ------------===//

#include "tests/codegen/host/HostProgram.h"

#include "frontend/session/JitProgram.h"
#include "frontend/session/ModelFiles.h"
#include "ir/reference/Storage.h"
#include "ir/tn/Tn.h"
#include "runtime/hal/cpu/CpuFeatures.h"

namespace tenon::testing {
namespace {

/// Bytes as a caller of the runtime holds them.
struct Held {
  std::string bytes;
  base::ElementType element;
  std::vector<int64_t> shape;
};

Held hold(const Tensor &tensor) {
  return {ir::ref::tensorToBytes(tensor),
          ir::storageOf(tensor.element),
          {tensor.shape.begin(), tensor.shape.end()}};
}

Held hold(const std::vector<int32_t> &values, std::vector<int64_t> shape) {
  std::string bytes(reinterpret_cast<const char *>(values.data()),
                    values.size() * sizeof(int32_t));
  return {std::move(bytes), base::ElementType::I32, std::move(shape)};
}

void hold(const Value &value, std::vector<Held> &out) {
  if (const auto *tensor = std::get_if<Tensor>(&value))
    return out.push_back(hold(*tensor));
  const auto &batch = std::get<ir::ref::Batch>(value);
  auto tokens = static_cast<int64_t>(batch.sequence.size());
  int64_t pages = batch.pagesPerSequence;
  out.push_back(hold(batch.sequence, {tokens}));
  out.push_back(hold(batch.position, {tokens}));
  out.push_back(hold(
      batch.pages, {static_cast<int64_t>(batch.pages.size()) / pages, pages}));
}

/// Copies of the function share the bytes.
exec::ParameterLookup lookupIn(const Weights &weights) {
  auto held = std::make_shared<std::map<std::string, Held, std::less<>>>();
  for (const auto &weight : weights)
    (*held)[weight.getKey().str()] = hold(weight.getValue());
  return [held](const base::Parameter &p) -> StatusOr<exec::TensorView> {
    const Held &weight = held->at(p.name);
    return exec::TensorView{weight.bytes.data(), weight.element, weight.shape};
  };
}

} // namespace

absl::StatusOr<std::unique_ptr<HostProgram>>
HostProgram::open(mlir::ModuleOp module, const Weights &weights) {
  codegen::CompileOptions options;
  auto features = hal::detectCpuFeatures();
  if (!features.ok())
    return toAbsl(features.status());
  options.features = {*features};
  auto compiled = codegen::compile(module, options);
  if (!compiled.ok())
    return compiled.status();
  auto loaded = loadJit(*compiled, compiled->code[0]);
  if (!loaded.ok())
    return loaded.status();
  auto device = hal::openDevice("cpu", {});
  if (!device.ok())
    return toAbsl(device.status());
  exec::SessionOptions limits;
  limits.pageBlocks = 1;
  limits.pages = 2;
  auto session =
      exec::Session::open(*loaded, *device, limits, lookupIn(weights));
  if (!session.ok())
    return toAbsl(session.status());
  auto result = std::make_unique<HostProgram>();
  result->module = module;
  result->session = *std::move(session);
  return result;
}

absl::StatusOr<Outcome> HostProgram::run(llvm::StringRef entry,
                                         llvm::ArrayRef<Value> arguments,
                                         int64_t emitLimit) {
  std::vector<Held> held;
  for (const Value &argument : arguments)
    hold(argument, held);
  std::vector<exec::TensorView> views;
  for (const Held &argument : held)
    views.push_back({argument.bytes.data(), argument.element, argument.shape});

  auto function = module.lookupSymbol<mlir::func::FuncOp>(entry);
  ir::ref::Context symbols;
  for (auto [type, value] : llvm::zip(function.getArgumentTypes(), arguments))
    if (const auto *tensor = std::get_if<Tensor>(&value))
      for (auto [axis, extent] : llvm::enumerate(tensor->shape))
        symbols.symbols[ir::symbolOf(mlir::cast<mlir::RankedTensorType>(type),
                                     axis)] = extent;
  Outcome outcome;
  for (mlir::Type type : function.getResultTypes())
    if (mlir::isa<mlir::RankedTensorType>(type))
      outcome.results.push_back(llvm::cantFail(
          ir::ref::makeResult<ir::ref::Contract>(type, symbols)));
  std::vector<Held> out;
  for (const Tensor &result : outcome.results)
    out.push_back(hold(result));
  std::vector<exec::MutableTensorView> outViews;
  for (Held &result : out)
    outViews.push_back({result.bytes.data(), result.element, result.shape});

  session->setSink([&](std::span<const int32_t> tokens) {
    llvm::append_range(outcome.emitted, tokens);
    return emitLimit >= 0 && int64_t(outcome.emitted.size()) >= emitLimit;
  });
  if (Status status = session->call(entry.str(), views, outViews); !status.ok())
    return toAbsl(status);
  for (auto [result, bytes] : llvm::zip_equal(outcome.results, out))
    result = llvm::cantFail(ir::ref::tensorFromBytes<ir::ref::Contract>(
        result.element, result.shape,
        {bytes.bytes.data(), bytes.bytes.size()}));
  return outcome;
}

} // namespace tenon::testing
