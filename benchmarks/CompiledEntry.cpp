//===- CompiledEntry.cpp - IR text, compiled and called -------------------===//

#include "benchmarks/CompiledEntry.h"

#include "frontend/session/JitProgram.h"
#include "frontend/session/ModelFiles.h"
#include "runtime/hal/cpu/CpuFeatures.h"

#include "tenon/abi.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <algorithm>
#include <cstring>
#include <random>

namespace tenon::benchmarks {

std::string replaced(std::string text, const std::string &from,
                     const std::string &to) {
  for (size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

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

CompiledEntry::Held CompiledEntry::ascending(int64_t first,
                                             std::vector<int64_t> shape) {
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  Held held{Lines(count * sizeof(int32_t)), base::ElementType::I32,
            std::move(shape)};
  for (int64_t i = 0; i < count; ++i) {
    auto value = static_cast<int32_t>(first + i);
    std::memcpy(held.bytes.data() + i * sizeof value, &value, sizeof value);
  }
  return held;
}

void CompiledEntry::addEntry(const base::Entry &described, int64_t pages) {
  Entry &entry = entries.emplace_back();
  auto shapeOf = [](const base::Value &value) {
    std::vector<int64_t> shape;
    for (const base::Expr &extent : value.type.shape)
      shape.push_back(*extent.evaluate({}, {}));
    return shape;
  };
  for (const base::Value &value : described.arguments) {
    bool isPages = value.name.ends_with(".pages");
    bool isPosition = value.name.ends_with(".position");
    if (!isPages && !isPosition && !value.name.ends_with(".sequence")) {
      entry.arguments.push_back(noise(value.type.element, shapeOf(value)));
      continue;
    }
    // The extents of a batch are symbols; its tokens are the first argument's.
    std::vector<int64_t> shape{entry.arguments[0].shape[0]};
    if (isPosition)
      entry.positions = entry.arguments.size();
    if (isPages)
      shape = {1, pages};
    entry.arguments.push_back(ascending(0, std::move(shape)));
    if (!isPages && !isPosition)
      std::ranges::fill(entry.arguments.back().bytes, 0);
  }
  for (const base::Value &value : described.results)
    entry.results.push_back(noise(value.type.element, shapeOf(value)));
  for (const Held &held : entry.arguments)
    entry.in.push_back({held.bytes.data(), held.element, held.shape});
  for (Held &held : entry.results)
    entry.out.push_back({held.bytes.data(), held.element, held.shape});
}

absl::StatusOr<std::unique_ptr<CompiledEntry>>
CompiledEntry::compile(const std::string &text, const EntryOptions &options) {
  mlir::DialectRegistry registry;
  codegen::registerDialects(registry);
  mlir::MLIRContext context(registry);
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  if (!module)
    return absl::InvalidArgumentError("expects a module that parses");
  StatusOr<base::CpuFeatures> features = hal::detectCpuFeatures();
  if (!features.ok())
    return toAbsl(features.status());
  codegen::CompileOptions compileOptions;
  compileOptions.features = {*features};
  absl::StatusOr<codegen::Compiled> compiled =
      codegen::compile(*module, compileOptions);
  if (!compiled.ok())
    return compiled.status();
  auto program = loadJit(*compiled, compiled->code[0]);
  if (!program.ok())
    return program.status();

  hal::DeviceOptions settings;
  settings.threads = options.threads;
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
  exec::SessionOptions memory;
  int64_t pageKeys = memory.pageBlocks * TENON_CACHE_BLOCK;
  memory.pages =
      std::max<int64_t>(options.context + pageKeys - 1, pageKeys) / pageKeys;
  auto session = exec::Session::open(*program, *device, memory, lookup);
  if (!session.ok())
    return toAbsl(session.status());

  auto made = std::make_unique<CompiledEntry>();
  made->session = *std::move(session);
  const std::vector<base::Entry> &described = (*program)->program().entries;
  made->entries.reserve(described.size());
  for (const base::Entry &entry : described)
    made->addEntry(entry, memory.pages);
  return made;
}

void CompiledEntry::place(int64_t position, uint32_t entry) {
  Held &held = entries[entry].arguments[entries[entry].positions];
  std::ranges::copy(ascending(position, held.shape).bytes, held.bytes.begin());
}

void CompiledEntry::divide(int64_t tokens, uint32_t entry) {
  Held &held = entries[entry].arguments[entries[entry].positions];
  Held one = ascending(0, {tokens});
  for (size_t at = 0; at < held.bytes.size(); at += one.bytes.size())
    std::memcpy(held.bytes.data() + at, one.bytes.data(),
                std::min(one.bytes.size(), held.bytes.size() - at));
}

void CompiledEntry::set(std::span<const int32_t> values, size_t argument,
                        uint32_t entry) {
  std::memcpy(entries[entry].arguments[argument].bytes.data(), values.data(),
              values.size_bytes());
}

Status CompiledEntry::call(uint32_t entry) {
  return session->call(entry, entries[entry].in, entries[entry].out);
}

int64_t CompiledEntry::preparedBytes() const {
  return session->stats().preparedBytes;
}

} // namespace tenon::benchmarks
