//===- Polynomials.h - exp, log, tanh, sin, cos, rsqrt ----------*- C++ -*-===//
//
// The project's own elementary functions, the same everywhere: each is a
// template over an arithmetic `A`, which the reference interpreter executes
// and code generation turns into instructions. All branches are selections, so
// that a vector takes one path.
//
//   ref::Contract a;
//   float y = kernels::exp(a, 1.0f); // or a.exp(1.0f)
//
// An arithmetic has the types F (a float), I (an i32) and B (a truth value), or
// vectors of them, and
//
//   constant(double) -> F     integer(int32_t) -> I
//   add, sub, mul, div, neg, abs, sqrt, fma (a * b + c, one rounding)
//   less, lessEqual, equal (ordered), isNan -> B;  select(B, x, y)
//   bits(F) -> I, fromBits(I) -> F, toFloat(I) -> F; and on I: add, sub,
//   bitAnd, bitXor, shiftLeft, shiftRight (arithmetic)
//
// Bounds, in ulp of the exact result, are asserted by tests/kernels over
// sampled and all hard arguments; README.md tells how the coefficients arise.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_KERNELS_MATH_POLYNOMIALS_H
#define TENON_KERNELS_MATH_POLYNOMIALS_H

#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <limits>

namespace tenon::kernels {

/// The largest |x| at which sin and cos are accurate. Beyond it they are those
/// of 0 (and NaN for an infinity): bounded, and the same everywhere.
inline constexpr double kTrigonometricLimit = 0x1p20;

/// Evaluates sum_i c[i] * x^i by Horner's rule, a fused multiply-add each.
template <typename A>
typename A::F polynomial(A &a, typename A::F x,
                         std::initializer_list<double> c) {
  const double *next = c.end();
  typename A::F sum = a.constant(*--next);
  while (next != c.begin())
    sum = a.fma(sum, x, a.constant(*--next));
  return sum;
}

/// Adding it to |x| < 2^22 rounds x to an integer, which the low bits then
/// hold.
inline constexpr double kRoundingShift = 0x1.8p23;

/// Computes e^x to 2 ulp. Overflows to infinity; a result below 2^-126 is 0.
///
/// x = n ln 2 + r with 0 <= r < ln 2 (but for rounding), so that 2^n needs no
/// exponent outside [-127, 128], where the bits of 2^n are 0 and infinity.
template <typename A> typename A::F exp(A &a, typename A::F x) {
  auto high = a.constant(89), low = a.constant(-88);
  x = a.select(a.less(high, x), high, x); // A NaN stays.
  x = a.select(a.less(x, low), low, x);
  auto shift = a.constant(kRoundingShift);
  // Rounding x / ln 2 - 1/2 to nearest is x / ln 2 rounded down.
  auto shifted = a.fma(x, a.constant(0x1.715476p+0), a.constant(-0.5));
  shifted = a.add(shifted, shift);
  auto n = a.sub(shifted, shift);
  auto r = a.fma(n, a.constant(-0x1.62e42ep-1), x);
  r = a.fma(n, a.constant(-0x1.efa39ep-25), r);
  auto p = polynomial(a, r,
                      {0x1.00004cp-1, 0x1.554334p-3, 0x1.56df34p-5,
                       0x1.01da36p-7, 0x1.f5481ap-10});
  p = a.add(a.fma(a.mul(r, r), p, r), a.constant(1));
  auto exponent = a.add(a.bits(shifted), a.integer(127));
  return a.mul(p, a.fromBits(a.shiftLeft(exponent, 23)));
}

/// Computes ln x to 2 ulp: -inf at 0 (subnormals are 0), NaN below it.
///
/// x = 2^k m with sqrt(1/2) <= m < sqrt 2; Cody and Waite's sum of k ln 2.
template <typename A> typename A::F log(A &a, typename A::F x) {
  const double infinity = std::numeric_limits<double>::infinity();
  const int32_t halfRoot = 0x3f3504f3; // the bits of sqrt(1/2)
  auto bits = a.bits(x);
  auto k = a.shiftRight(a.sub(bits, a.integer(halfRoot)), 23);
  auto m = a.fromBits(a.sub(bits, a.shiftLeft(k, 23)));
  auto f = a.sub(m, a.constant(1)), square = a.mul(f, f), n = a.toFloat(k);
  auto p = polynomial(a, f,
                      {0x1.555554p-2, -0x1.00022ap-2, 0x1.99a03cp-3,
                       -0x1.54716ep-3, 0x1.22d498p-3, -0x1.0d7a64p-3,
                       0x1.05317ap-3, -0x1.381afap-4});
  auto tail = a.fma(n, a.constant(0x1.efa39ep-25), a.mul(a.mul(square, f), p));
  tail = a.fma(square, a.constant(-0.5), tail);
  auto y = a.fma(n, a.constant(0x1.62e42ep-1), a.add(f, tail));
  auto zero = a.constant(0);
  y = a.select(a.less(x, a.constant(infinity)), y, x); // inf and NaN
  y = a.select(a.equal(x, zero), a.constant(-infinity), y);
  return a.select(a.less(x, zero),
                  a.constant(std::numeric_limits<double>::quiet_NaN()), y);
}

/// Computes tanh x to 2 ulp; +-1 at the infinities.
template <typename A> typename A::F tanh(A &a, typename A::F x) {
  auto size = a.abs(x), one = a.constant(1), square = a.mul(x, x);
  auto p = polynomial(a, square,
                      {-0x1.555532p-2, 0x1.1106f6p-3, -0x1.b835a4p-5,
                       0x1.51f8cep-6, -0x1.750ce4p-8});
  auto small = a.fma(a.mul(square, size), p, size);
  auto e = exp(a, a.add(size, size));
  auto large = a.sub(one, a.div(a.constant(2), a.add(e, one)));
  auto y = a.select(a.less(size, a.constant(0.625)), small, large);
  auto sign = a.bitAnd(a.bits(x), a.integer(INT32_MIN));
  return a.fromBits(a.bitXor(a.bits(y), sign));
}

/// Computes the sine of |x| advanced by `quarters` quarter turns, with the sign
/// bit `sign` flipped: |x| = n pi / 2 + r, reduced in three parts of pi / 2.
template <typename A>
typename A::F sinOfQuarters(A &a, typename A::F x, int32_t quarters,
                            typename A::I sign) {
  auto size = a.abs(x);
  // 0 for what is too large, NaN for what is not a number.
  size = a.select(a.lessEqual(size, a.constant(kTrigonometricLimit)), size,
                  a.sub(size, size));
  auto shift = a.constant(kRoundingShift);
  auto shifted = a.fma(size, a.constant(0x1.45f306p-1), shift);
  auto n = a.sub(shifted, shift);
  // The first difference is exact. The second keeps what it rounds away
  // (Knuth's two-sum), so that r, which may lie above a power of two when its
  // sine lies below, is rounded once.
  auto high = a.fma(n, a.constant(-0x1.921fb4p+0), size);
  auto part = a.constant(0x1.4442d0p-24), product = a.mul(n, part);
  auto productLow = a.fma(n, part, a.neg(product));
  auto difference = a.sub(high, product), back = a.sub(difference, high);
  auto low = a.sub(a.sub(high, a.sub(difference, back)), a.add(product, back));
  low = a.sub(low, a.fma(n, a.constant(0x1.846988p-48), productLow));
  auto r = a.add(difference, low);

  auto square = a.mul(r, r);
  auto s = polynomial(
      a, square,
      {-0x1.555556p-3, 0x1.11116ap-7, -0x1.a04c50p-13, 0x1.784f3ep-19});
  auto sine = a.fma(a.mul(square, r), s, r);
  auto c =
      polynomial(a, square, {0x1.555546p-5, -0x1.6c09cep-10, 0x1.9941eep-16});
  auto cosine = a.fma(square, a.constant(-0.5), a.constant(1));
  cosine = a.fma(a.mul(square, square), c, cosine);

  auto quadrant = a.add(a.bits(shifted), a.integer(quarters));
  auto odd = a.equal(a.bitAnd(quadrant, a.integer(1)), a.integer(1));
  auto y = a.select(odd, cosine, sine);
  auto half = a.shiftLeft(a.bitAnd(quadrant, a.integer(2)), 30);
  return a.fromBits(a.bitXor(a.bits(y), a.bitXor(half, sign)));
}

/// Computes sin x to 2 ulp for |x| <= 2^20; see kTrigonometricLimit.
template <typename A> typename A::F sin(A &a, typename A::F x) {
  return sinOfQuarters(a, x, 0, a.bitAnd(a.bits(x), a.integer(INT32_MIN)));
}

/// Computes cos x to 2 ulp for |x| <= 2^20; see kTrigonometricLimit.
template <typename A> typename A::F cos(A &a, typename A::F x) {
  return sinOfQuarters(a, x, 1, a.integer(0));
}

/// Computes 1 / sqrt x: a square root and a division, each correctly rounded.
/// An estimate refined by Newton steps would differ between machines.
template <typename A> typename A::F rsqrt(A &a, typename A::F x) {
  return a.div(a.constant(1), a.sqrt(x));
}

/// The functions above as members of an arithmetic that derives from this.
template <typename A, typename F> struct Functions {
  F exp(F x) { return kernels::exp(self(), x); }
  F log(F x) { return kernels::log(self(), x); }
  F tanh(F x) { return kernels::tanh(self(), x); }
  F sin(F x) { return kernels::sin(self(), x); }
  F cos(F x) { return kernels::cos(self(), x); }
  F rsqrt(F x) { return kernels::rsqrt(self(), x); }

private:
  A &self() { return static_cast<A &>(*this); }
};

} // namespace tenon::kernels
#endif // TENON_KERNELS_MATH_POLYNOMIALS_H
