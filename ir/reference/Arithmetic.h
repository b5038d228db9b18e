//===- Arithmetic.h - The arithmetics of the two oracles --------*- C++ -*-===//
//
// Every op's mathematics is a template over an arithmetic `A`. `Real` (double,
// libm) judges mathematics by tolerance; `Contract` (f32, the polynomials of
// kernels/math) is what compiled code must equal bit for bit. The third,
// `ir::Emit` (ir/tn/Emit.h), builds the code. All offer the same functions; see
// kernels/math/Polynomials.h for their list.
//
//   ref::FlushSubnormals flush; // Contract is defined under DAZ and FTZ.
//   ref::Contract a;
//   float y = a.div(a.constant(1), a.add(a.constant(1), a.exp(-x)));
//
// A NaN is a NaN: its sign and payload are not part of the contract, and no op
// makes them visible.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IR_REFERENCE_ARITHMETIC_H
#define TENON_IR_REFERENCE_ARITHMETIC_H

#include "kernels/math/Polynomials.h"

#include <bit>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <xmmintrin.h>

namespace tenon::ir::ref {

/// What both oracles share: IEEE operations in `Number`, none contracted. The
/// integers of tensors are `N`, 64 bits whatever their type; all wrap.
template <typename Number> struct Arithmetic {
  using F = Number;
  using I = int32_t;
  using N = int64_t;
  using B = bool;

  F constant(double value) const { return static_cast<F>(value); }
  I integer(int32_t value) const { return value; }
  /// `value` as a number of an integer type.
  N number(int64_t value, unsigned) const { return value; }
  /// `value` in the type of `like`.
  template <typename T> T constantLike(T, int64_t value) const {
    return static_cast<T>(value);
  }
  template <typename T> bool isInteger(T) const { return std::integral<T>; }

  F add(F x, F y) const { return x + y; }
  F sub(F x, F y) const { return x - y; }
  F mul(F x, F y) const { return x * y; }
  F div(F x, F y) const { return x / y; }
  F neg(F x) const { return -x; }
  F abs(F x) const { return std::fabs(x); }
  F sqrt(F x) const { return std::sqrt(x); }
  F fma(F x, F y, F z) const { return std::fma(x, y, z); }
  F roundEven(F x) const { return std::nearbyint(x); }

  template <std::integral T> T add(T x, T y) const {
    return static_cast<T>(static_cast<uint64_t>(x) + static_cast<uint64_t>(y));
  }
  template <std::integral T> T sub(T x, T y) const {
    return static_cast<T>(static_cast<uint64_t>(x) - static_cast<uint64_t>(y));
  }
  template <std::integral T> T mul(T x, T y) const {
    return static_cast<T>(static_cast<uint64_t>(x) * static_cast<uint64_t>(y));
  }
  /// Towards zero; the divisor is neither 0 nor -1.
  template <std::integral T> T div(T x, T y) const { return x / y; }
  I bitAnd(I x, I y) const { return x & y; }
  I bitXor(I x, I y) const { return x ^ y; }
  I shiftLeft(I x, int32_t by) const {
    return static_cast<I>(static_cast<uint32_t>(x) << by);
  }
  I shiftRight(I x, int32_t by) const { return x >> by; }
  I bits(float x) const { return std::bit_cast<I>(x); }
  float fromBits(I x) const { return std::bit_cast<float>(x); }
  F toFloat(int64_t x) const { return static_cast<F>(x); }
  /// Towards zero, of an `x` that an integer of `width` bits can hold.
  N toNumber(F x, unsigned) const { return static_cast<N>(x); }
  /// `x` wrapped, or extended by its sign, to `width` bits.
  N resize(N x, unsigned width) const {
    return static_cast<N>(static_cast<uint64_t>(x) << (64 - width)) >>
           (64 - width);
  }

  /// Comparisons are ordered: false where either is NaN.
  template <typename T> B less(T x, T y) const { return x < y; }
  template <typename T> B lessEqual(T x, T y) const { return x <= y; }
  template <typename T> B equal(T x, T y) const { return x == y; }
  template <typename T> B isNan(T x) const { return x != x; }
  B both(B x, B y) const { return x && y; }
  B either(B x, B y) const { return x || y; }
  B negate(B x) const { return !x; }
  template <typename T> T select(B condition, T x, T y) const {
    return condition ? x : y;
  }
};

/// Double precision and libm.
struct Real : Arithmetic<double> {
  double exp(double x) const { return std::exp(x); }
  double log(double x) const { return std::log(x); }
  double tanh(double x) const { return std::tanh(x); }
  double sin(double x) const { return std::sin(x); }
  double cos(double x) const { return std::cos(x); }
  double rsqrt(double x) const { return 1 / std::sqrt(x); }
};

/// f32 by the numerics contract. The thread must flush subnormals.
struct Contract : Arithmetic<float>, kernels::Functions<Contract, float> {};

/// Makes this thread treat subnormals as zero, in and out, while it lives: as
/// the runtime does around a program.
class FlushSubnormals {
public:
  FlushSubnormals() : saved(_mm_getcsr()) { _mm_setcsr(saved | kDaz | kFtz); }
  ~FlushSubnormals() { _mm_setcsr(saved); }
  FlushSubnormals(const FlushSubnormals &) = delete;
  FlushSubnormals &operator=(const FlushSubnormals &) = delete;

private:
  static constexpr unsigned kDaz = 0x0040, kFtz = 0x8000;
  unsigned saved;
};

} // namespace tenon::ir::ref
#endif // TENON_IR_REFERENCE_ARITHMETIC_H
