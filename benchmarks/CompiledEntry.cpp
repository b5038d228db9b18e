//===- CompiledEntry.cpp - IR text, compiled and called -------------------===//

#include "benchmarks/CompiledEntry.h"

#include "frontend/session/JitProgram.h"
#include "frontend/session/ModelFiles.h"
#include "runtime/hal/cpu/CpuFeatures.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <cstring>
#include <random>

namespace tenon::benchmarks {

CompiledEntry::Held CompiledEntry::noise(base::ElementType element,
                                         std::vector<int64_t> shape) {
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  Held held{{}, element, std::move(shape)};
  held.bytes.resize(*base::sizeBytes(element, count));
  std::mt19937 random(7);
  if (element == base::ElementType::F32) {
    for (int64_t i = 0; i < count; ++i) {
      float value = static_cast<float>(random() % 2001) / 1000 - 1;
      std::memcpy(held.bytes.data() + i * sizeof value, &value, sizeof value);
    }
    return held;
  }
  // Bits below 0x40 in every byte: small finite values in all other formats.
  for (char &byte : held.bytes)
    byte = static_cast<char>(random() % 0x40);
  return held;
}

absl::StatusOr<std::unique_ptr<CompiledEntry>>
CompiledEntry::compile(const std::string &text, uint32_t threads) {
  mlir::DialectRegistry registry;
  codegen::registerDialects(registry);
  mlir::MLIRContext context(registry);
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  if (!module)
    return absl::InvalidArgumentError("expects a module that parses");
  StatusOr<base::CpuFeatures> features = hal::detectCpuFeatures();
  if (!features.ok())
    return toAbsl(features.status());
  codegen::CompileOptions options;
  options.features = {*features};
  absl::StatusOr<codegen::Compiled> compiled =
      codegen::compile(*module, options);
  if (!compiled.ok())
    return compiled.status();
  auto program = loadJit(*compiled, compiled->code[0]);
  if (!program.ok())
    return program.status();

  hal::DeviceOptions settings;
  settings.threads = threads;
  auto device = hal::openDevice("cpu", settings);
  if (!device.ok())
    return toAbsl(device.status());
  auto weights = std::make_shared<std::vector<std::unique_ptr<Held>>>();
  auto lookup =
      [weights](
          const base::Parameter &parameter) -> StatusOr<exec::TensorView> {
    weights->push_back(
        std::make_unique<Held>(noise(parameter.element, parameter.shape)));
    const Held &held = *weights->back();
    return exec::TensorView{held.bytes.data(), held.element, held.shape};
  };
  auto session = exec::Session::open(*program, *device, {}, lookup);
  if (!session.ok())
    return toAbsl(session.status());

  auto entry = std::make_unique<CompiledEntry>();
  entry->session = *std::move(session);
  const base::Entry &described = (*program)->program().entries[0];
  auto shapeOf = [](const base::Value &value) {
    std::vector<int64_t> shape;
    for (const base::Expr &extent : value.type.shape)
      shape.push_back(*extent.evaluate({}, {}));
    return shape;
  };
  for (const base::Value &value : described.arguments)
    entry->arguments.push_back(noise(value.type.element, shapeOf(value)));
  for (const base::Value &value : described.results)
    entry->results.push_back(noise(value.type.element, shapeOf(value)));
  for (const Held &held : entry->arguments)
    entry->in.push_back({held.bytes.data(), held.element, held.shape});
  for (Held &held : entry->results)
    entry->out.push_back({held.bytes.data(), held.element, held.shape});
  return entry;
}

Status CompiledEntry::call() { return session->call(0, in, out); }

int64_t CompiledEntry::preparedBytes() const {
  return session->stats().preparedBytes;
}

} // namespace tenon::benchmarks
