//===- Emit.h - The arithmetic that builds code -----------------*- C++ -*-===//
//
// The third arithmetic beside ref::Real and ref::Contract: a value of it is the
// code that computes it, arith and math ops over f32, i1, i32 or i64 scalars or
// vectors. Nothing is contracted: no op carries fast-math flags.
//
//   Emit a(builder, loc, x.getType()); // constants have the shape of x
//   Value y = a.div(x, a.add(a.constant(1), a.exp(a.neg(x))));
//
// Elements in memory of another float type than f32 pass through `extend` and
// `roundTo`, which agree bit for bit with ref::rounded on every machine.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IR_TN_EMIT_H
#define TENON_IR_TN_EMIT_H

#include "kernels/math/Polynomials.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/Value.h"

namespace tenon::ir {

class Emit : public kernels::Functions<Emit, mlir::Value> {
public:
  using F = mlir::Value;
  using I = mlir::Value;
  using N = mlir::Value;
  using B = mlir::Value;

  /// Constants get the shape of `like`, a scalar or vector type.
  Emit(mlir::OpBuilder &builder, mlir::Location loc, mlir::Type like)
      : builder(builder), loc(loc), like(like) {}

  F constant(double value);
  I integer(int32_t value) { return number(value, 32); }
  N number(int64_t value, unsigned width);
  mlir::Value constantLike(mlir::Value x, int64_t value);
  bool isInteger(mlir::Value x);

  // Of floats or integers, by the operands' type.
  mlir::Value add(mlir::Value x, mlir::Value y);
  mlir::Value sub(mlir::Value x, mlir::Value y);
  mlir::Value mul(mlir::Value x, mlir::Value y);
  mlir::Value div(mlir::Value x, mlir::Value y);
  F neg(F x);
  F abs(F x);
  F sqrt(F x);
  F fma(F x, F y, F z);
  F roundEven(F x);

  I bitAnd(I x, I y);
  I bitXor(I x, I y);
  I shiftLeft(I x, int32_t by);
  I shiftRight(I x, int32_t by);
  I bits(F x);
  F fromBits(I x);
  F toFloat(N x);
  N toNumber(F x, unsigned width);
  N resize(N x, unsigned width);

  // Of floats (ordered) or signed integers.
  B less(mlir::Value x, mlir::Value y);
  B lessEqual(mlir::Value x, mlir::Value y);
  B equal(mlir::Value x, mlir::Value y);
  B isNan(mlir::Value x);
  B both(B x, B y);
  B either(B x, B y);
  B negate(B x);
  mlir::Value select(B condition, mlir::Value x, mlir::Value y);

  /// An element as memory has it (f32, f16, bf16) to f32; others unchanged.
  mlir::Value extend(mlir::Value stored);
  /// An f32 to the float type that memory has; others unchanged.
  mlir::Value roundTo(mlir::Value x, mlir::Type element);
  /// extend(roundTo(x, element)): the f32 of an op's result inside a kernel.
  mlir::Value rounded(mlir::Value x, mlir::Type element);

private:
  /// `element` in the shape of constants.
  mlir::Type shaped(mlir::Type element) { return shapedLike(like, element); }
  mlir::Type shapedLike(mlir::Type shape, mlir::Type element);
  /// The bits of x rounded to bf16, in the upper half of an i32.
  I bf16Bits(F x);

  mlir::OpBuilder &builder;
  mlir::Location loc;
  mlir::Type like;
};

} // namespace tenon::ir
#endif // TENON_IR_TN_EMIT_H
