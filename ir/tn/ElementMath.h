//===- ElementMath.h - The mathematics of an element ------------*- C++ -*-===//
//
// One definition for the oracles and for code generation: `elementOf` gives the
// element of a pointwise op's result, over an arithmetic (ref::Real,
// ref::Contract, Emit). An op over rows has statistics as well: number i is
// finishOf(i, reduce_d termOf(i, d)), of the kind statisticKindOf(i).
//
//   ref::Contract a;
//   float y = elementOf(a, siluOp, 1.5f);
//
// Floats are f32 (double for Real) throughout; the caller rounds the result to
// its element type. Integers wrap: the oracles' are 64 bits wide and wrapped by
// the caller.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IR_TN_ELEMENTMATH_H
#define TENON_IR_TN_ELEMENTMATH_H

#include "ir/tn/Tn.h"

#include <limits>

namespace tenon::ir {

//===----------------------------------------------------------------------===//
// Formulas
//===----------------------------------------------------------------------===//

/// x > y or y is NaN ? x : y. (The inner choice is one x86 instruction.)
template <typename A, typename V> V maximum(A &a, V x, V y) {
  return a.select(a.isNan(y), x, a.select(a.less(y, x), x, y));
}

/// x < y or y is NaN ? x : y.
template <typename A, typename V> V minimum(A &a, V x, V y) {
  return a.select(a.isNan(y), x, a.select(a.less(x, y), x, y));
}

/// x / y; for integers towards zero, x / 0 = 0, and the one overflow wraps.
template <typename A, typename V> V quotient(A &a, V x, V y) {
  if (!a.isInteger(x))
    return a.div(x, y);
  V zero = a.constantLike(x, 0), one = a.constantLike(x, 1);
  auto isZero = a.equal(y, zero);
  auto isMinusOne = a.equal(y, a.constantLike(x, -1));
  V q = a.div(x, a.select(a.either(isZero, isMinusOne), one, y));
  return a.select(isZero, zero, a.select(isMinusOne, a.sub(zero, x), q));
}

/// x towards zero in an integer of `width` bits: saturates; 0 for NaN.
template <typename A>
typename A::N truncated(A &a, typename A::F x, unsigned width) {
  int64_t least = std::numeric_limits<int64_t>::min() >> (64 - width);
  double bound = -static_cast<double>(least);
  auto low = a.constant(-bound), high = a.constant(bound);
  auto fits = a.both(a.lessEqual(low, x), a.less(x, high));
  auto y = a.toNumber(a.select(fits, x, a.constant(0)), width);
  y = a.select(a.less(x, low), a.number(least, width), y);
  return a.select(a.lessEqual(high, x), a.number(-(least + 1), width), y);
}

template <typename A> typename A::F sigmoid(A &a, typename A::F x) {
  auto one = a.constant(1);
  return a.div(one, a.add(one, a.exp(a.neg(x))));
}

template <typename A> typename A::F silu(A &a, typename A::F x) {
  return a.div(x, a.add(a.constant(1), a.exp(a.neg(x))));
}

template <typename A> typename A::F relu(A &a, typename A::F x) {
  auto zero = a.constant(0);
  return a.select(a.less(zero, x), x, zero);
}

template <typename A> typename A::F geluTanh(A &a, typename A::F x) {
  auto cube = a.mul(a.mul(x, x), x);
  auto inner = a.add(x, a.mul(a.constant(0.044715), cube));
  auto t = a.tanh(a.mul(a.constant(0.79788456080286536), inner));
  return a.mul(a.mul(x, a.constant(0.5)), a.add(a.constant(1), t));
}

//===----------------------------------------------------------------------===//
// Pointwise ops
//===----------------------------------------------------------------------===//

#define TN_ELEMENT_1(Op, formula)                                              \
  template <typename A>                                                        \
  typename A::F elementOf([[maybe_unused]] A &a, Op, typename A::F x) {        \
    return formula;                                                            \
  }
#define TN_ELEMENT_2(Op, formula)                                              \
  template <typename A, typename V> V elementOf(A &a, Op, V x, V y) {          \
    return formula;                                                            \
  }

TN_ELEMENT_1(NegOp, a.neg(x))
TN_ELEMENT_1(AbsOp, a.abs(x))
TN_ELEMENT_1(RoundEvenOp, a.roundEven(x))
TN_ELEMENT_1(ExpOp, a.exp(x))
TN_ELEMENT_1(LogOp, a.log(x))
TN_ELEMENT_1(SinOp, a.sin(x))
TN_ELEMENT_1(CosOp, a.cos(x))
TN_ELEMENT_1(TanhOp, a.tanh(x))
TN_ELEMENT_1(SqrtOp, a.sqrt(x))
TN_ELEMENT_1(RsqrtOp, a.rsqrt(x))
TN_ELEMENT_1(SigmoidOp, sigmoid(a, x))
TN_ELEMENT_1(SiluOp, silu(a, x))
TN_ELEMENT_1(ReluOp, relu(a, x))
TN_ELEMENT_1(StopGradientOp, x)
TN_ELEMENT_1(GeluTanhOp, geluTanh(a, x))

TN_ELEMENT_2(AddOp, a.add(x, y))
TN_ELEMENT_2(SubOp, a.sub(x, y))
TN_ELEMENT_2(MulOp, a.mul(x, y))
TN_ELEMENT_2(DivOp, quotient(a, x, y))
TN_ELEMENT_2(MaxOp, maximum(a, x, y))
TN_ELEMENT_2(MinOp, minimum(a, x, y))
TN_ELEMENT_2(AndOp, a.both(x, y))
TN_ELEMENT_2(OrOp, a.either(x, y))

#undef TN_ELEMENT_1
#undef TN_ELEMENT_2

template <typename A, typename V>
typename A::B elementOf(A &a, CompareOp op, V x, V y) {
  switch (op.getPredicate()) {
  case Predicate::EQ:
    return a.equal(x, y);
  case Predicate::NE:
    return a.negate(a.equal(x, y));
  case Predicate::LT:
    return a.less(x, y);
  case Predicate::LE:
    return a.lessEqual(x, y);
  case Predicate::GT:
    return a.less(y, x);
  case Predicate::GE:
    return a.lessEqual(y, x);
  }
  llvm_unreachable("a predicate");
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

/// What a reduction starts from: +0 for a sum, NaN for a maximum or minimum,
/// which ignores it.
template <typename A> typename A::F identityOf(A &a, Reduction kind) {
  if (kind == Reduction::Sum)
    return a.constant(0);
  return a.constant(std::numeric_limits<double>::quiet_NaN());
}

/// One step of a reduction. Maxima and minima may be taken in any order.
template <typename A>
typename A::F combine(A &a, Reduction kind, typename A::F sum,
                      typename A::F x) {
  switch (kind) {
  case Reduction::Sum:
    return a.add(sum, x);
  case Reduction::Max:
    return maximum(a, sum, x);
  case Reduction::Min:
    return minimum(a, sum, x);
  }
  llvm_unreachable("a reduction");
}

/// What a reduction ends with. A maximum of zeros is +0: which of +0 and -0
/// comes out would depend on the order.
template <typename A>
typename A::F completed(A &a, Reduction kind, typename A::F reduced) {
  return kind == Reduction::Sum ? reduced : a.add(reduced, a.constant(0));
}

//===----------------------------------------------------------------------===//
// Ops over rows: e are the operands' elements, s the earlier statistics.
//===----------------------------------------------------------------------===//

template <typename A> using Floats = llvm::ArrayRef<typename A::F>;

template <typename A, typename Op>
typename A::F inverseDeviation(A &a, Op op, typename A::F squares,
                               typename A::F columns) {
  auto eps = a.constant(op.getEps().convertToDouble());
  return a.rsqrt(a.add(a.div(squares, columns), eps));
}

inline llvm::ArrayRef<Reduction> statisticsOf(RmsNormOp) {
  static constexpr Reduction kinds[] = {Reduction::Sum};
  return kinds;
}
template <typename A>
typename A::F termOf(A &a, RmsNormOp, int64_t, Floats<A> e, Floats<A>) {
  return a.mul(e[0], e[0]);
}
template <typename A>
typename A::F finishOf(A &a, RmsNormOp op, int64_t, typename A::F reduced,
                       typename A::F columns) {
  return inverseDeviation(a, op, reduced, columns);
}
template <typename A>
typename A::F elementOf(A &a, RmsNormOp, Floats<A> e, Floats<A> s) {
  return a.mul(a.mul(e[0], s[0]), e[1]);
}

inline llvm::ArrayRef<Reduction> statisticsOf(LayerNormOp) {
  static constexpr Reduction kinds[] = {Reduction::Sum, Reduction::Sum};
  return kinds;
}
template <typename A>
typename A::F termOf(A &a, LayerNormOp, int64_t i, Floats<A> e, Floats<A> s) {
  if (i == 0)
    return e[0];
  auto centred = a.sub(e[0], s[0]);
  return a.mul(centred, centred);
}
template <typename A>
typename A::F finishOf(A &a, LayerNormOp op, int64_t i, typename A::F reduced,
                       typename A::F columns) {
  if (i == 0)
    return a.div(reduced, columns);
  return inverseDeviation(a, op, reduced, columns);
}
template <typename A>
typename A::F elementOf(A &a, LayerNormOp, Floats<A> e, Floats<A> s) {
  auto normal = a.mul(a.sub(e[0], s[0]), s[1]);
  return a.add(a.mul(normal, e[1]), e[2]);
}

inline llvm::ArrayRef<Reduction> statisticsOf(SoftmaxOp) {
  static constexpr Reduction kinds[] = {Reduction::Max, Reduction::Sum};
  return kinds;
}
template <typename A>
typename A::F termOf(A &a, SoftmaxOp, int64_t i, Floats<A> e, Floats<A> s) {
  return i == 0 ? e[0] : a.exp(a.sub(e[0], s[0]));
}
/// A row of -inf has the maximum 0, so that its terms are e^-inf = 0, and the
/// sum 1, so that 0 / 1 is its element.
template <typename A>
typename A::F finishOf(A &a, SoftmaxOp, int64_t i, typename A::F reduced,
                       typename A::F) {
  auto zero = a.constant(0);
  if (i == 1)
    return a.select(a.equal(reduced, zero), a.constant(1), reduced);
  auto least = a.constant(-std::numeric_limits<double>::infinity());
  return a.select(a.equal(reduced, least), zero, reduced);
}
/// The element whose term of the sum is known.
template <typename A>
typename A::F elementOfTerm(A &a, SoftmaxOp, typename A::F term, Floats<A> s) {
  return a.div(term, s[1]);
}
template <typename A>
typename A::F elementOf(A &a, SoftmaxOp op, Floats<A> e, Floats<A> s) {
  return elementOfTerm(a, op, termOf(a, op, 1, e, s), s);
}

inline llvm::ArrayRef<Reduction> statisticsOf(LogSoftmaxOp) {
  static constexpr Reduction kinds[] = {Reduction::Max, Reduction::Sum};
  return kinds;
}
template <typename A>
typename A::F termOf(A &a, LogSoftmaxOp, int64_t i, Floats<A> e, Floats<A> s) {
  return i == 0 ? e[0] : a.exp(a.sub(e[0], s[0]));
}
template <typename A>
typename A::F finishOf(A &a, LogSoftmaxOp, int64_t i, typename A::F reduced,
                       typename A::F) {
  return i == 0 ? reduced : a.log(reduced);
}
template <typename A>
typename A::F elementOf(A &a, LogSoftmaxOp, Floats<A> e, Floats<A> s) {
  return a.sub(a.sub(e[0], s[0]), s[1]);
}

inline llvm::ArrayRef<Reduction> statisticsOf(ReduceOp op) {
  static constexpr Reduction kinds[] = {Reduction::Sum, Reduction::Max,
                                        Reduction::Min};
  return llvm::ArrayRef(kinds).slice(static_cast<size_t>(op.getKind()), 1);
}
template <typename A>
typename A::F termOf(A &, ReduceOp, int64_t, Floats<A> e, Floats<A>) {
  return e[0];
}
template <typename A>
typename A::F finishOf(A &, ReduceOp, int64_t, typename A::F reduced,
                       typename A::F) {
  return reduced;
}
template <typename A>
typename A::F elementOf(A &, ReduceOp, Floats<A>, Floats<A> s) {
  return s[0];
}

} // namespace tenon::ir
#endif // TENON_IR_TN_ELEMENTMATH_H
