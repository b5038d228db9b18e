//===- ElementwiseAdjoint.cpp - Adjoints of pointwise ops -----------------===//

#include "ir/tn/Adjoint.h"

using namespace mlir;
using namespace tenon::ir;

//===----------------------------------------------------------------------===//
// Ops of one operand
//===----------------------------------------------------------------------===//

/// Defines an adjoint by dy/dx, a formula of x and y = op(x).
#define TN_DERIVATIVE(Op, formula)                                             \
  LogicalResult Op::buildAdjoint(Adjoint &adjoint) {                           \
    [[maybe_unused]] Formula x = adjoint.of(getX()), y = adjoint.of(getY());   \
    adjoint.give(0, adjoint.gradient() * (formula));                           \
    return success();                                                          \
  }

/// 1 for positive, -1 for negative, 0 for other numbers.
static Formula signOf(const Formula &x) {
  Formula zero = x.constant(0);
  return x.compared(Predicate::GT, zero)
      .select(x.constant(1),
              x.compared(Predicate::LT, zero).select(x.constant(-1), zero));
}

static Formula geluTanhDerivative(const Formula &x) {
  constexpr double kScale = 0.7978845608028654; // sqrt(2 / pi)
  constexpr double kCubic = 0.044715;
  Formula square = x * x;
  Formula t = (kScale * (x * (1.0 + kCubic * square))).apply<TanhOp>();
  Formula inner = kScale * (1.0 + 3 * kCubic * square);
  return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * inner;
}

/// s + y (1 - s), where y = x s.
static Formula siluDerivative(const Formula &x, const Formula &y) {
  Formula s = x.apply<SigmoidOp>();
  return s + y * (1.0 - s);
}

TN_DERIVATIVE(NegOp, x.constant(-1))
TN_DERIVATIVE(AbsOp, signOf(x))
TN_DERIVATIVE(ExpOp, y)
TN_DERIVATIVE(LogOp, 1.0 / x)
TN_DERIVATIVE(SinOp, x.apply<CosOp>())
TN_DERIVATIVE(CosOp, -x.apply<SinOp>())
TN_DERIVATIVE(TanhOp, 1.0 - y * y)
TN_DERIVATIVE(SqrtOp, 0.5 / y)
TN_DERIVATIVE(RsqrtOp, -0.5 * (y * y * y))
TN_DERIVATIVE(SigmoidOp, y * (1.0 - y))
TN_DERIVATIVE(SiluOp, siluDerivative(x, y))
TN_DERIVATIVE(GeluTanhOp, geluTanhDerivative(x))

// An infinite gradient times 0 would be NaN.
LogicalResult ReluOp::buildAdjoint(Adjoint &adjoint) {
  Formula x = adjoint.of(getX()), g = adjoint.gradient();
  Formula isPositive = x.compared(Predicate::GT, x.constant(0));
  adjoint.give(0, isPositive.select(g, g.constant(0)));
  return success();
}

// A step function: 0 where it has a derivative at all.
LogicalResult RoundEvenOp::buildAdjoint(Adjoint &) { return success(); }

LogicalResult StopGradientOp::buildAdjoint(Adjoint &) { return success(); }

//===----------------------------------------------------------------------===//
// Ops of two operands
//===----------------------------------------------------------------------===//

LogicalResult AddOp::buildAdjoint(Adjoint &adjoint) {
  adjoint.give(0, adjoint.gradient());
  adjoint.give(1, adjoint.gradient());
  return success();
}

LogicalResult SubOp::buildAdjoint(Adjoint &adjoint) {
  Formula g = adjoint.gradient();
  adjoint.give(0, g);
  if (adjoint.wants(1))
    adjoint.give(1, -g);
  return success();
}

LogicalResult MulOp::buildAdjoint(Adjoint &adjoint) {
  Formula g = adjoint.gradient();
  if (adjoint.wants(0))
    adjoint.give(0, g * adjoint.of(getB()));
  if (adjoint.wants(1))
    adjoint.give(1, g * adjoint.of(getA()));
  return success();
}

LogicalResult DivOp::buildAdjoint(Adjoint &adjoint) {
  Formula quotient = adjoint.gradient() / adjoint.of(getB());
  adjoint.give(0, quotient);
  if (adjoint.wants(1))
    adjoint.give(1, -(quotient * adjoint.of(getY())));
  return success();
}

/// The gradient goes to the element that was taken.
static LogicalResult buildChoice(Adjoint &adjoint, const Formula &isA) {
  Formula g = adjoint.gradient(), zero = g.constant(0);
  if (adjoint.wants(0))
    adjoint.give(0, isA.select(g, zero));
  if (adjoint.wants(1))
    adjoint.give(1, isA.select(zero, g));
  return success();
}

LogicalResult MaxOp::buildAdjoint(Adjoint &adjoint) {
  Formula a = adjoint.of(getA()), b = adjoint.of(getB());
  return buildChoice(adjoint, a.compared(Predicate::GT, b));
}

LogicalResult MinOp::buildAdjoint(Adjoint &adjoint) {
  Formula a = adjoint.of(getA()), b = adjoint.of(getB());
  return buildChoice(adjoint, a.compared(Predicate::LT, b));
}

//===----------------------------------------------------------------------===//
// Choices and casts
//===----------------------------------------------------------------------===//

LogicalResult SelectOp::buildAdjoint(Adjoint &adjoint) {
  Formula isA = adjoint.exactly(getCondition());
  Formula g = adjoint.gradient(), zero = g.constant(0);
  if (adjoint.wants(1))
    adjoint.give(1, isA.select(g, zero));
  if (adjoint.wants(2))
    adjoint.give(2, isA.select(zero, g));
  return success();
}

LogicalResult CastOp::buildAdjoint(Adjoint &adjoint) {
  adjoint.give(0, adjoint.gradient());
  return success();
}
