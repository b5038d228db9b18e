//===- SamplePrograms.h - One program that has some of everything ---------===//

#ifndef TENON_TESTS_RUNTIME_BASE_SAMPLEPROGRAMS_H
#define TENON_TESTS_RUNTIME_BASE_SAMPLEPROGRAMS_H

#include "runtime/base/Program.h"

namespace tenon::base {

inline Expr number(int64_t value) { return Expr::constant(value); }

inline Instruction instruction(Opcode op, std::vector<uint32_t> buffers = {},
                               std::vector<Expr> exprs = {}, uint32_t reg = 0,
                               uint32_t target = 0) {
  Instruction result;
  result.op = op;
  result.reg = reg;
  result.target = target;
  result.buffers = std::move(buffers);
  result.exprs = std::move(exprs);
  return result;
}

inline Buffer sampleBuffer(BufferKind kind, uint64_t index, Expr bytes,
                           ElementType element = ElementType::I32) {
  Buffer buffer;
  buffer.kind = kind;
  buffer.index = index;
  buffer.name = "value";
  buffer.element = element;
  buffer.sizeBytes = std::move(bytes);
  buffer.lastUse = 7;
  return buffer;
}

/// Entry "forward" with a loop over instructions 1..5, and "prepare".
inline Program sampleProgram() {
  Program p;
  p.parameters.push_back({"weight", "w.0", ElementType::Q8_0, {4, 64}});
  p.prepared.push_back({"packed", 512});
  p.states.push_back({"keys", ElementType::F16, 8192});
  Kernel &kernel = p.kernels.emplace_back();
  kernel.symbol = "k0";
  kernel.label = "rms_norm+mul";
  kernel.scratchBytes = 4096;
  kernel.bufferCount = 2;
  kernel.dimCount = 1;
  kernel.ops = {"tn.rms_norm", "tn.mul"};
  kernel.notFused = {"tn.matmul: reads rows"};
  kernel.locations = {{"tn.rms_norm", "Model.cpp:41"}};
  kernel.rowReads = {{0, 1, 64}};
  p.constants.assign(64, '\1');
  p.metadata.push_back({"model", "sample"});
  Entry &entry = p.entries.emplace_back();
  entry.name = "forward";
  entry.symbols = {{"T", 1, 512, 1}, {"pages", 1, 1024, 1}};
  Expr rows = Expr::symbol(0);
  entry.arguments.push_back({"x", {ElementType::I32, {rows, number(8)}}});
  entry.results.push_back({"y", {ElementType::I32, {rows, number(8)}}});
  Variant &variant = entry.variants.emplace_back();
  variant.name = "any";
  variant.guards = {{0, 1, 512}};
  variant.registerCount = 2;
  Expr bytes = Expr::binary(Expr::Op::Mul, rows, number(32));
  variant.buffers = {sampleBuffer(BufferKind::Argument, 0, bytes),
                     sampleBuffer(BufferKind::Result, 0, bytes),
                     sampleBuffer(BufferKind::Temporary, 0, bytes),
                     sampleBuffer(BufferKind::Prepared, 0, number(512)),
                     sampleBuffer(BufferKind::Constant, 32, number(32)),
                     sampleBuffer(BufferKind::Parameter, 0, number(272)),
                     sampleBuffer(BufferKind::State, 0, number(8192))};
  Instruction launch = instruction(Opcode::Launch, {0, 2}, {rows});
  launch.tiles = Expr::binary(Expr::Op::CeilDiv, rows, number(4));
  launch.label = "layers.0";
  Expr next = Expr::binary(Expr::Op::Add, Expr::reg(0), number(1));
  variant.body = {instruction(Opcode::Set, {}, {number(0)}, 0),
                  launch,
                  instruction(Opcode::Copy, {2, 1}, {number(32)}),
                  instruction(Opcode::Load, {2}, {Expr::reg(0)}, 1),
                  instruction(Opcode::Set, {}, {next}, 0),
                  instruction(Opcode::BranchIf, {}, {Expr::reg(1)}, 0, 1),
                  instruction(Opcode::Emit, {1}, {number(1)}, 1),
                  instruction(Opcode::Return)};

  Entry &prepare = p.entries.emplace_back();
  prepare.name = "prepare";
  Variant &once = prepare.variants.emplace_back();
  once.name = "once";
  once.buffers = {sampleBuffer(BufferKind::Parameter, 0, number(272)),
                  sampleBuffer(BufferKind::Prepared, 0, number(512))};
  once.body = {instruction(Opcode::Copy, {0, 1}, {number(272)}),
               instruction(Opcode::Return)};
  for (Buffer &buffer : once.buffers)
    buffer.lastUse = 1;
  return p;
}

} // namespace tenon::base
#endif // TENON_TESTS_RUNTIME_BASE_SAMPLEPROGRAMS_H
