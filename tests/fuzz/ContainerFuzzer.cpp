//===- ContainerFuzzer.cpp - .tenon files from strangers ------------------===//
//
// The first byte chooses what the rest is. A container has its hashes repaired
// first, as one made on purpose would; a program that verifies is also run,
// with kernels that do nothing: the executor must stay inside its buffers.
//
//===----------------------------------------------------------------------===//

#include "runtime/base/Container.h"
#include "runtime/base/Hash.h"
#include "runtime/exec/Session.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

using namespace tenon;

namespace {

constexpr size_t kHeaderBytes = 24, kRowBytes = 40;

void putHash(std::string &bytes, size_t at, size_t from, size_t size) {
  base::Hash128 hash = base::hashBytes(bytes.data() + from, size);
  std::memcpy(bytes.data() + at, &hash, sizeof(hash));
}

/// Gives every section that lies in the file, and then the table, its hash.
void repairHashes(std::string &bytes) {
  uint32_t count = 0;
  if (bytes.size() < kHeaderBytes)
    return;
  std::memcpy(&count, bytes.data() + 16, 4);
  size_t table = kHeaderBytes + size_t{count} * kRowBytes;
  if (table > bytes.size() || bytes.size() - table < 16)
    return;
  for (size_t row = kHeaderBytes; row < table; row += kRowBytes) {
    uint64_t offset, size;
    std::memcpy(&offset, bytes.data() + row + 8, 8);
    std::memcpy(&size, bytes.data() + row + 16, 8);
    if (offset <= bytes.size() && size <= bytes.size() - offset)
      putHash(bytes, row + 24, offset, size);
  }
  putHash(bytes, table, 0, table);
}

void nothing(const tenon_frame *, uint32_t) {}

/// A loop need not end, and a launch of 2^32 tiles takes long.
bool isShort(const base::Entry &entry) {
  auto isLong = [](const base::Instruction &instruction) {
    return instruction.op == base::Opcode::Branch ||
           instruction.op == base::Opcode::BranchIf ||
           instruction.op == base::Opcode::Launch;
  };
  return std::ranges::none_of(entry.variants, [&](const auto &variant) {
    return std::ranges::any_of(variant.body, isLong);
  });
}

/// Opening a session runs `prepare`.
bool opensFast(const base::Program &program) {
  return std::ranges::all_of(program.entries, [](const auto &entry) {
    return entry.name != "prepare" || isShort(entry);
  });
}

/// A tensor of the type, every symbol at `value`; one that is too large for a
/// test has no data.
struct Operand {
  Operand(const base::Entry &entry, const base::TensorType &type,
          int64_t value) {
    std::vector<int64_t> symbols(entry.symbols.size(), value);
    int64_t count = 1;
    for (const base::Expr &axis : type.shape) {
      shape.push_back(
          axis.evaluate(symbols, {}).ok() ? *axis.evaluate(symbols, {}) : 0);
      if (shape.back() < 0 || shape.back() > 64 || count > 4096)
        shape.back() = 0;
      count *= shape.back();
    }
    StatusOr<int64_t> size = base::sizeBytes(type.element, count);
    bytes.resize(size.ok() ? *size : 0);
  }
  std::vector<int64_t> shape;
  std::vector<char> bytes;
};

void callEntries(exec::Session &session, const base::Program &program) {
  for (const base::Entry &entry : program.entries) {
    if (!isShort(entry))
      continue;
    for (int64_t value : {1, 3}) {
      std::vector<Operand> in, out;
      for (const base::Value &argument : entry.arguments)
        in.emplace_back(entry, argument.type, value);
      for (const base::Value &result : entry.results)
        out.emplace_back(entry, result.type, value);
      std::vector<exec::TensorView> arguments;
      for (size_t i = 0; i < in.size(); ++i)
        arguments.push_back(
            {in[i].bytes.data(), entry.arguments[i].type.element, in[i].shape});
      std::vector<exec::MutableTensorView> results;
      for (size_t i = 0; i < out.size(); ++i)
        results.push_back(
            {out[i].bytes.data(), entry.results[i].type.element, out[i].shape});
      (void)session.call(entry.name, arguments, results).ok();
    }
  }
}

void run(const base::Program &program) {
  if (!opensFast(program))
    return;
  static const std::shared_ptr<hal::Device> device = [] {
    hal::DeviceOptions options;
    options.threads = 1;
    return *hal::openDevice("cpu", options);
  }();
  auto code = exec::Code::fromTable(
      program, std::vector<tenon_kernel_fn>(program.kernels.size(), nothing));
  auto loaded = exec::LoadedProgram::create(program, *std::move(code));
  if (!loaded.ok())
    std::abort(); // it has been verified
  exec::SessionOptions options;
  options.pageBlocks = 1;
  std::string weights(4096, 'w');
  auto lookup = [&](const base::Parameter &parameter) {
    bool small = std::ranges::all_of(parameter.shape,
                                     [](int64_t axis) { return axis <= 8; });
    return small && parameter.shape.size() <= 2
               ? StatusOr<exec::TensorView>(exec::TensorView{
                     weights.data(), parameter.element, parameter.shape})
               : notFound("too large");
  };
  auto session = exec::Session::open(*loaded, device, options, lookup);
  if (session.ok())
    callEntries(**session, program);
}

void parseProgram(const std::string &bytes) {
  StatusOr<base::Program> program = base::parse(bytes.data(), bytes.size());
  if (!program.ok())
    return;
  if (base::serialise(*program) != bytes)
    std::abort(); // one form only
  run(*program);
}

void parseContainer(std::string bytes) {
  repairHashes(bytes);
  auto sections = base::readContainer(bytes.data(), bytes.size());
  if (!sections.ok())
    return;
  (void)base::verifyContainer(bytes.data(), bytes.size()).ok();
  for (const base::Section &section : *sections) {
    // Reads the first and the last byte: both must be in the file.
    auto *data = static_cast<const volatile char *>(section.data);
    if (section.size > 0)
      (void)(data[0] + data[section.size - 1]);
    if (section.kind == base::SectionKind::Program)
      parseProgram(
          std::string(static_cast<const char *>(section.data), section.size));
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  std::string bytes(reinterpret_cast<const char *>(data) + 1, size - 1);
  if (data[0] % 2 == 0)
    parseProgram(bytes);
  else
    parseContainer(std::move(bytes));
  return 0;
}
