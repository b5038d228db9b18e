//===- Elementwise.cpp - Pointwise ops: types, definitions, code ----------===//
//
// The mathematics is in ElementMath.h; here it is applied to tensors and to
// code, by the shape of an op.
//
//===----------------------------------------------------------------------===//

#include "ir/reference/Evaluate.h"
#include "ir/reference/Rounding.h"
#include "ir/tn/ElementMath.h"
#include "ir/tn/Emit.h"
#include "ir/tn/Linear.h"
#include "ir/tn/Verify.h"

using namespace mlir;
using namespace tenon::ir;
using ref::Context;
using ref::makeTensor;
using ref::rounded;
using ref::Tensor;
using ref::tensor;
using ref::wrapped;

template <typename A> using Operands = ArrayRef<ref::Value<A>>;
template <typename A> using Results = SmallVectorImpl<ref::Value<A>>;

//===----------------------------------------------------------------------===//
// Definitions
//===----------------------------------------------------------------------===//

template <typename A, typename Op>
static llvm::Error evaluateUnary(Op op, Context &, Operands<A> in,
                                 Results<A> &out) {
  A a;
  const Tensor<A> &x = tensor<A>(in[0]);
  Tensor<A> y = makeTensor<A>(x.element, x.shape);
  for (int64_t i = 0; i < x.size(); ++i)
    y.floats[i] = rounded<A>(elementOf(a, op, x.floats[i]), y.element);
  out.push_back(std::move(y));
  return llvm::Error::success();
}

template <typename A, typename Op>
static llvm::Error evaluateBinary(Op op, Context &, Operands<A> in,
                                  Results<A> &out) {
  A a;
  const Tensor<A> &x = tensor<A>(in[0]), &y = tensor<A>(in[1]);
  Tensor<A> z = makeTensor<A>(x.element, x.shape);
  for (size_t i = 0; i < z.floats.size(); ++i)
    z.floats[i] =
        rounded<A>(elementOf(a, op, x.floats[i], y.floats[i]), z.element);
  for (size_t i = 0; i < z.ints.size(); ++i)
    z.ints[i] = wrapped(elementOf(a, op, x.ints[i], y.ints[i]), z.element);
  out.push_back(std::move(z));
  return llvm::Error::success();
}

template <typename A, typename Op>
static llvm::Error evaluateLogical(Op op, Context &, Operands<A> in,
                                   Results<A> &out) {
  A a;
  const Tensor<A> &x = tensor<A>(in[0]), &y = tensor<A>(in[1]);
  Tensor<A> z = makeTensor<A>(x.element, x.shape);
  for (int64_t i = 0; i < z.size(); ++i)
    z.ints[i] = elementOf(a, op, x.ints[i] != 0, y.ints[i] != 0);
  out.push_back(std::move(z));
  return llvm::Error::success();
}

template <typename A>
static llvm::Error evaluateCompare(CompareOp op, Context &, Operands<A> in,
                                   Results<A> &out) {
  A a;
  const Tensor<A> &x = tensor<A>(in[0]), &y = tensor<A>(in[1]);
  Tensor<A> z = makeTensor<A>(tensorType(op.getY()).getElementType(), x.shape);
  for (size_t i = 0; i < x.floats.size(); ++i)
    z.ints[i] = elementOf(a, op, x.floats[i], y.floats[i]);
  for (size_t i = 0; i < x.ints.size(); ++i)
    z.ints[i] = elementOf(a, op, x.ints[i], y.ints[i]);
  out.push_back(std::move(z));
  return llvm::Error::success();
}

template <typename A>
static llvm::Error evaluateOverwrite(OverwriteOp, Context &, Operands<A> in,
                                     Results<A> &out) {
  out.push_back(in[1]);
  return llvm::Error::success();
}

template <typename A>
static llvm::Error evaluateSelect(SelectOp, Context &, Operands<A> in,
                                  Results<A> &out) {
  const Tensor<A> &condition = tensor<A>(in[0]);
  const Tensor<A> &x = tensor<A>(in[1]), &y = tensor<A>(in[2]);
  Tensor<A> z = makeTensor<A>(x.element, x.shape);
  for (int64_t i = 0; i < z.size(); ++i)
    ref::copyElement<A>(z, i, condition.ints[i] ? x : y, i);
  out.push_back(std::move(z));
  return llvm::Error::success();
}

/// An element of float type in an integer type.
template <typename A>
static int64_t castToInteger(A &a, ref::Float<A> x, Type to) {
  if (to.isInteger(1))
    return a.negate(a.equal(x, a.constant(0)));
  return truncated(a, x, to.getIntOrFloatBitWidth());
}

template <typename A>
static llvm::Error evaluateCast(CastOp op, Context &, Operands<A> in,
                                Results<A> &out) {
  A a;
  const Tensor<A> &x = tensor<A>(in[0]);
  Type to = tensorType(op.getY()).getElementType();
  Tensor<A> y = makeTensor<A>(to, x.shape);
  bool fromFloat = ref::holdsFloats(x.element);
  for (size_t i = 0; i < y.floats.size(); ++i)
    y.floats[i] =
        rounded<A>(fromFloat ? x.floats[i] : a.toFloat(x.ints[i]), to);
  for (size_t i = 0; i < y.ints.size(); ++i)
    y.ints[i] = fromFloat         ? castToInteger(a, x.floats[i], to)
                : to.isInteger(1) ? x.ints[i] != 0
                                  : wrapped(x.ints[i], to);
  out.push_back(std::move(y));
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// The ops: definition and code
//===----------------------------------------------------------------------===//

#define TN_UNARY(Op)                                                           \
  mlir::Value Op::emitElement(OpBuilder &builder, ValueRange e) {              \
    Emit a(builder, getLoc(), e[0].getType());                                 \
    return elementOf(a, *this, e[0]);                                          \
  }                                                                            \
  TN_EVALUATE(Op, evaluateUnary)
#define TN_BINARY(Op, evaluate)                                                \
  mlir::Value Op::emitElement(OpBuilder &builder, ValueRange e) {              \
    Emit a(builder, getLoc(), e[0].getType());                                 \
    return elementOf(a, *this, e[0], e[1]);                                    \
  }                                                                            \
  TN_EVALUATE(Op, evaluate)

TN_UNARY(NegOp)
TN_UNARY(AbsOp)
TN_UNARY(RoundEvenOp)
TN_UNARY(ExpOp)
TN_UNARY(LogOp)
TN_UNARY(SinOp)
TN_UNARY(CosOp)
TN_UNARY(TanhOp)
TN_UNARY(SqrtOp)
TN_UNARY(RsqrtOp)
TN_UNARY(SigmoidOp)
TN_UNARY(SiluOp)
TN_UNARY(ReluOp)
TN_UNARY(GeluTanhOp)
TN_UNARY(StopGradientOp)

TN_BINARY(AddOp, evaluateBinary)
TN_BINARY(SubOp, evaluateBinary)
TN_BINARY(MulOp, evaluateBinary)
TN_BINARY(DivOp, evaluateBinary)
TN_BINARY(MaxOp, evaluateBinary)
TN_BINARY(MinOp, evaluateBinary)
TN_BINARY(AndOp, evaluateLogical)
TN_BINARY(OrOp, evaluateLogical)
TN_BINARY(CompareOp, evaluateCompare)

TN_EVALUATE(OverwriteOp, evaluateOverwrite)
TN_EVALUATE(SelectOp, evaluateSelect)
TN_EVALUATE(CastOp, evaluateCast)

mlir::Value OverwriteOp::emitElement(OpBuilder &, ValueRange e) { return e[1]; }

mlir::Value SelectOp::emitElement(OpBuilder &builder, ValueRange e) {
  return Emit(builder, getLoc(), e[0].getType()).select(e[0], e[1], e[2]);
}

mlir::Value CastOp::emitElement(OpBuilder &builder, ValueRange e) {
  Emit a(builder, getLoc(), e[0].getType());
  Type from = tensorType(getX()).getElementType();
  Type to = tensorType(getY()).getElementType();
  if (from == to || (isa<FloatType>(from) && isa<FloatType>(to)))
    return e[0]; // The caller rounds.
  if (to.isInteger(1))
    return a.negate(a.equal(e[0], a.constantLike(e[0], 0)));
  if (isa<FloatType>(from))
    return truncated(a, e[0], to.getIntOrFloatBitWidth());
  if (!from.isInteger(1))
    return isa<FloatType>(to) ? a.toFloat(e[0])
                              : a.resize(e[0], to.getIntOrFloatBitWidth());
  if (isa<FloatType>(to))
    return a.select(e[0], a.constant(1), a.constant(0));
  unsigned width = to.getIntOrFloatBitWidth();
  return a.select(e[0], a.number(1, width), a.number(0, width));
}

//===----------------------------------------------------------------------===//
// Constraints
//===----------------------------------------------------------------------===//

LogicalResult CompareOp::verify() { // C2; C1 is a trait.
  Type i1 = IntegerType::get(getContext(), 1);
  return expectType(*this, "y", withElement(tensorType(getA()), i1),
                    getY().getType());
}

LogicalResult OverwriteOp::verify() { // C1
  return verifyLinearUse(getOld());
}

LogicalResult SelectOp::verify() { // C1
  Type i1 = IntegerType::get(getContext(), 1);
  return expectType(*this, "condition", withElement(tensorType(getA()), i1),
                    getCondition().getType());
}

LogicalResult CastOp::verify() { // C1
  RankedTensorType x = tensorType(getX()), y = tensorType(getY());
  return expectType(*this, "y", withElement(x, y.getElementType()), y);
}

/// Whether every value of `narrow` is a value of `wide`.
static bool isExactIn(Type narrow, Type wide) {
  return isa<Float16Type, BFloat16Type>(narrow) && isa<Float32Type>(wide);
}

OpFoldResult CastOp::fold(FoldAdaptor) {
  if (getX().getType() == getY().getType())
    return getX();
  auto inner = getX().getDefiningOp<CastOp>();
  if (inner && inner.getX().getType() == getY().getType() &&
      isExactIn(tensorType(getY()).getElementType(),
                tensorType(getX()).getElementType()))
    return inner.getX(); // bf16 -> f32 -> bf16
  return {};
}
