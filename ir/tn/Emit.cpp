//===- Emit.cpp - The arithmetic that builds code -------------------------===//

#include "ir/tn/Emit.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace tenon::ir;

static bool isFloat(Value x) {
  return isa<FloatType>(getElementTypeOrSelf(x.getType()));
}

/// The float operation of two, or the integer one, by the operands' type.
template <typename FloatOp, typename IntegerOp>
static Value binary(OpBuilder &builder, Location loc, Value x, Value y) {
  if (isFloat(x))
    return FloatOp::create(builder, loc, x, y);
  return IntegerOp::create(builder, loc, x, y);
}

static Value compare(OpBuilder &builder, Location loc,
                     arith::CmpFPredicate floats, arith::CmpIPredicate integers,
                     Value x, Value y) {
  if (isFloat(x))
    return arith::CmpFOp::create(builder, loc, floats, x, y);
  return arith::CmpIOp::create(builder, loc, integers, x, y);
}

/// A constant of `type`, splatted where it is a vector.
static Value splat(OpBuilder &builder, Location loc, Type type, Attribute one) {
  auto vector = dyn_cast<VectorType>(type);
  if (!vector)
    return arith::ConstantOp::create(builder, loc, cast<TypedAttr>(one));
  return arith::ConstantOp::create(builder, loc,
                                   DenseElementsAttr::get(vector, one));
}

Type Emit::shapedLike(Type shape, Type element) {
  auto vector = dyn_cast<VectorType>(shape);
  return vector ? Type(vector.clone(element)) : element;
}

Value Emit::constant(double value) {
  return splat(builder, loc, shaped(builder.getF32Type()),
               builder.getF32FloatAttr(static_cast<float>(value)));
}

Value Emit::number(int64_t value, unsigned width) {
  Type element = builder.getIntegerType(width);
  return splat(builder, loc, shaped(element),
               builder.getIntegerAttr(element, value));
}

Value Emit::constantLike(Value x, int64_t value) {
  if (isFloat(x))
    return constant(static_cast<double>(value));
  return number(value,
                getElementTypeOrSelf(x.getType()).getIntOrFloatBitWidth());
}

bool Emit::isInteger(Value x) { return !isFloat(x); }

Value Emit::add(Value x, Value y) {
  return binary<arith::AddFOp, arith::AddIOp>(builder, loc, x, y);
}
Value Emit::sub(Value x, Value y) {
  return binary<arith::SubFOp, arith::SubIOp>(builder, loc, x, y);
}
Value Emit::mul(Value x, Value y) {
  return binary<arith::MulFOp, arith::MulIOp>(builder, loc, x, y);
}
Value Emit::div(Value x, Value y) {
  return binary<arith::DivFOp, arith::DivSIOp>(builder, loc, x, y);
}
Value Emit::neg(Value x) { return arith::NegFOp::create(builder, loc, x); }
Value Emit::abs(Value x) { return mlir::math::AbsFOp::create(builder, loc, x); }
Value Emit::sqrt(Value x) {
  return mlir::math::SqrtOp::create(builder, loc, x);
}
Value Emit::fma(Value x, Value y, Value z) {
  return mlir::math::FmaOp::create(builder, loc, x, y, z);
}
Value Emit::roundEven(Value x) {
  return mlir::math::RoundEvenOp::create(builder, loc, x);
}

Value Emit::bitAnd(Value x, Value y) {
  return arith::AndIOp::create(builder, loc, x, y);
}
Value Emit::bitXor(Value x, Value y) {
  return arith::XOrIOp::create(builder, loc, x, y);
}
Value Emit::shiftLeft(Value x, int32_t by) {
  return arith::ShLIOp::create(builder, loc, x, constantLike(x, by));
}
Value Emit::shiftRight(Value x, int32_t by) {
  return arith::ShRSIOp::create(builder, loc, x, constantLike(x, by));
}
Value Emit::bits(Value x) {
  return arith::BitcastOp::create(
      builder, loc, shapedLike(x.getType(), builder.getI32Type()), x);
}
Value Emit::fromBits(Value x) {
  return arith::BitcastOp::create(
      builder, loc, shapedLike(x.getType(), builder.getF32Type()), x);
}
Value Emit::toFloat(Value x) {
  return arith::SIToFPOp::create(
      builder, loc, shapedLike(x.getType(), builder.getF32Type()), x);
}
Value Emit::toNumber(Value x, unsigned width) {
  Type type = shapedLike(x.getType(), builder.getIntegerType(width));
  return arith::FPToSIOp::create(builder, loc, type, x);
}

Value Emit::resize(Value x, unsigned width) {
  unsigned from = getElementTypeOrSelf(x.getType()).getIntOrFloatBitWidth();
  Type type = shapedLike(x.getType(), builder.getIntegerType(width));
  if (from == width)
    return x;
  if (from < width)
    return arith::ExtSIOp::create(builder, loc, type, x);
  return arith::TruncIOp::create(builder, loc, type, x);
}

Value Emit::less(Value x, Value y) {
  return compare(builder, loc, arith::CmpFPredicate::OLT,
                 arith::CmpIPredicate::slt, x, y);
}
Value Emit::lessEqual(Value x, Value y) {
  return compare(builder, loc, arith::CmpFPredicate::OLE,
                 arith::CmpIPredicate::sle, x, y);
}
Value Emit::equal(Value x, Value y) {
  return compare(builder, loc, arith::CmpFPredicate::OEQ,
                 arith::CmpIPredicate::eq, x, y);
}
Value Emit::isNan(Value x) { // No integer differs from itself.
  return compare(builder, loc, arith::CmpFPredicate::UNO,
                 arith::CmpIPredicate::ne, x, x);
}
Value Emit::both(Value x, Value y) { return bitAnd(x, y); }
Value Emit::either(Value x, Value y) {
  return arith::OrIOp::create(builder, loc, x, y);
}
Value Emit::negate(Value x) { return bitXor(x, constantLike(x, 1)); }
Value Emit::select(Value condition, Value x, Value y) {
  return arith::SelectOp::create(builder, loc, condition, x, y);
}

Value Emit::bf16Bits(Value x) {
  Value all = bits(x);
  // To nearest: half a unit less one, and one more where the kept part is odd.
  Value odd = bitAnd(shiftRight(all, 16), integer(1));
  Value near = add(add(all, integer(0x7fff)), odd);
  Value quiet = arith::OrIOp::create(builder, loc, all, integer(0x400000));
  return select(isNan(x), quiet, near);
}

Value Emit::extend(Value stored) {
  Type element = getElementTypeOrSelf(stored.getType());
  Type f32 = shapedLike(stored.getType(), builder.getF32Type());
  if (element.isF16())
    return arith::ExtFOp::create(builder, loc, f32, stored);
  if (!element.isBF16())
    return stored;
  auto half = shapedLike(stored.getType(), builder.getI16Type());
  auto full = shapedLike(stored.getType(), builder.getI32Type());
  Value low = arith::BitcastOp::create(builder, loc, half, stored);
  Value wide = arith::ExtUIOp::create(builder, loc, full, low);
  Emit same(builder, loc, stored.getType());
  return same.fromBits(same.shiftLeft(wide, 16));
}

Value Emit::roundTo(Value x, Type element) {
  Emit same(builder, loc, x.getType());
  Type type = shapedLike(x.getType(), element);
  if (element.isF16())
    return arith::TruncFOp::create(builder, loc, type, x);
  if (!element.isBF16())
    return x;
  Value high =
      arith::ShRUIOp::create(builder, loc, same.bf16Bits(x), same.integer(16));
  auto half = shapedLike(x.getType(), builder.getI16Type());
  Value low = arith::TruncIOp::create(builder, loc, half, high);
  return arith::BitcastOp::create(builder, loc, type, low);
}

Value Emit::rounded(Value x, Type element) {
  if (element.isF16())
    return extend(roundTo(x, element));
  if (!element.isBF16())
    return x;
  Emit same(builder, loc, x.getType());
  Value mask = same.integer(static_cast<int32_t>(0xffff0000));
  return same.fromBits(same.bitAnd(same.bf16Bits(x), mask));
}
