//===- Programs.h - Hand-written programs for the executor's tests --------===//
//
//   ProgramBuilder b;
//   b.kernel("double", doubleRows, /*buffers=*/2, /*dims=*/1);
//   Entry &entry = b.entry("forward", {{"T", 1, 16, 1}});
//   ...
//   auto session = b.openSession();
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TESTS_RUNTIME_EXEC_PROGRAMS_H
#define TENON_TESTS_RUNTIME_EXEC_PROGRAMS_H

#include "runtime/exec/Session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tenon::exec {

using base::Buffer;
using base::BufferKind;
using base::ElementType;
using base::Entry;
using base::Expr;
using base::Instruction;
using base::Opcode;
using base::Variant;

inline Expr n(int64_t value) { return Expr::constant(value); }
inline Expr sym(uint32_t index) { return Expr::symbol(index); }
inline Expr reg(uint32_t index) { return Expr::reg(index); }
inline Expr times(const Expr &a, const Expr &b) {
  return Expr::binary(Expr::Op::Mul, a, b);
}

inline Buffer buffer(BufferKind kind, uint64_t index, Expr sizeBytes,
                     ElementType element = ElementType::F32) {
  Buffer result;
  result.kind = kind;
  result.index = index;
  result.name = "b" + std::to_string(index);
  result.element = element;
  result.sizeBytes = std::move(sizeBytes);
  return result;
}

inline Instruction launch(uint32_t kernel, std::vector<uint32_t> buffers,
                          std::vector<Expr> dims, Expr tiles) {
  Instruction result;
  result.op = Opcode::Launch;
  result.kernel = kernel;
  result.buffers = std::move(buffers);
  result.exprs = std::move(dims);
  result.tiles = std::move(tiles);
  return result;
}

/// Any instruction but a launch.
inline Instruction host(Opcode op, std::vector<uint32_t> buffers = {},
                        std::vector<Expr> exprs = {}, uint32_t reg = 0,
                        uint32_t target = 0) {
  Instruction result;
  result.op = op;
  result.buffers = std::move(buffers);
  result.exprs = std::move(exprs);
  result.reg = reg;
  result.target = target;
  return result;
}

/// Gives every buffer the whole body as its lifetime.
inline void liveThroughout(Variant &variant) {
  for (Buffer &b : variant.buffers) {
    b.firstUse = 0;
    b.lastUse = variant.body.size() - 1;
  }
}

struct ProgramBuilder {
  base::Program program;
  std::vector<tenon_kernel_fn> functions;

  uint32_t kernel(const char *name, tenon_kernel_fn function,
                  uint32_t bufferCount, uint32_t dimCount) {
    base::Kernel &kernel = program.kernels.emplace_back();
    kernel.symbol = name;
    kernel.bufferCount = bufferCount;
    kernel.dimCount = dimCount;
    functions.push_back(function);
    return functions.size() - 1;
  }

  Entry &entry(const char *name, std::vector<base::Symbol> symbols = {}) {
    Entry &entry = program.entries.emplace_back();
    entry.name = name;
    entry.symbols = std::move(symbols);
    return entry;
  }

  StatusOr<std::shared_ptr<const LoadedProgram>> load() const {
    TENON_ASSIGN_OR_RETURN(Code code, Code::fromTable(program, functions));
    return LoadedProgram::create(program, std::move(code));
  }

  StatusOr<std::unique_ptr<Session>> open(const SessionOptions &options = {},
                                          ParameterLookup lookup = nullptr,
                                          uint32_t threads = 1) const {
    hal::DeviceOptions deviceOptions;
    deviceOptions.threads = threads;
    TENON_ASSIGN_OR_RETURN(auto device, hal::openDevice("cpu", deviceOptions));
    TENON_ASSIGN_OR_RETURN(auto loaded, load());
    return Session::open(loaded, device, options, std::move(lookup));
  }
};

/// y[t, :] = 2 * x[t, :]; dims (T, D), one tile per row.
inline void doubleRow(const tenon_frame *frame, uint32_t tile) {
  auto *x = static_cast<const float *>(frame->buffers[0]);
  auto *y = static_cast<float *>(frame->buffers[1]);
  for (int64_t d = 0; d < frame->dims[1]; ++d)
    y[tile * frame->dims[1] + d] = 2 * x[tile * frame->dims[1] + d];
}

/// Entry "forward": x f32[T, 8] to y = 4 x f32[T, 8] by way of a temporary;
/// variants "decode" (T == 1) and "prompt" (T in [2, 16]).
inline ProgramBuilder quadruple() {
  ProgramBuilder b;
  uint32_t kernel = b.kernel("double_row", doubleRow, 2, 2);
  Entry &entry = b.entry("forward", {{"T", 1, 32, 1}});
  entry.arguments.push_back({"x", {ElementType::F32, {sym(0), n(8)}}});
  entry.results.push_back({"y", {ElementType::F32, {sym(0), n(8)}}});
  for (bool decode : {true, false}) {
    Variant &variant = entry.variants.emplace_back();
    variant.name = decode ? "decode" : "prompt";
    variant.guards.push_back({0, decode ? 1 : 2, decode ? 1 : 16});
    Expr bytes = times(sym(0), n(32));
    variant.buffers = {buffer(BufferKind::Argument, 0, bytes),
                       buffer(BufferKind::Temporary, 0, bytes),
                       buffer(BufferKind::Result, 0, bytes)};
    variant.body = {launch(kernel, {0, 1}, {sym(0), n(8)}, sym(0)),
                    launch(kernel, {1, 2}, {sym(0), n(8)}, sym(0)),
                    host(Opcode::Return)};
    liveThroughout(variant);
  }
  return b;
}

/// One call of "forward" of quadruple().
struct Call {
  explicit Call(int64_t rows)
      : shape{rows, 8}, x(rows * 8), y(rows * 8, -1.0f) {
    for (size_t i = 0; i < x.size(); ++i)
      x[i] = static_cast<float>(i);
    argument = {x.data(), ElementType::F32, shape};
    result = {y.data(), ElementType::F32, shape};
  }
  Status run(Session &session) {
    return session.call("forward", {&argument, 1}, {&result, 1});
  }

  int64_t shape[2];
  std::vector<float> x, y;
  TensorView argument;
  MutableTensorView result;
};

inline std::unique_ptr<Session>
openQuadruple(const SessionOptions &options = {}, uint32_t threads = 1) {
  auto session = quadruple().open(options, nullptr, threads);
  EXPECT_TRUE(session.ok()) << session.status();
  return *std::move(session);
}

MATCHER_P2(FailsWith, code, text, "") {
  *result_listener << arg.toString();
  return arg.code() == code && arg.message().find(text) != std::string::npos;
}

} // namespace tenon::exec
#endif // TENON_TESTS_RUNTIME_EXEC_PROGRAMS_H
