//===- PolynomialsTest.cpp - Bounds and special cases of the functions ----===//
//
// Compares with libm in double: every kStride-th float of a function's domain,
// whole neighbourhoods of where it is hard, and the special values.
// TENON_STRIDE=1 in the environment makes it exhaustive (minutes).
//
//===----------------------------------------------------------------------===//

#include "ir/reference/Arithmetic.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace tenon {
namespace {

using ir::ref::Contract;
using ir::ref::FlushSubnormals;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr unsigned kThreads = 2;

uint32_t stride() {
  const char *text = std::getenv("TENON_STRIDE");
  return text ? static_cast<uint32_t>(std::atoi(text)) : 199;
}

struct Function {
  const char *name;
  float (*contract)(float);
  double (*exact)(double);
  float low, high; // the domain that the bound is for
  double boundUlp;
  std::vector<float> hard; // all floats within 2^15 steps are tried
};

#define TENON_FUNCTION(name)                                                   \
  #name,                                                                       \
      [](float x) {                                                            \
        Contract a;                                                            \
        return a.name(x);                                                      \
      },                                                                       \
      [](double x) -> double {                                                 \
        ir::ref::Real a;                                                       \
        return a.name(x);                                                      \
      }

std::vector<Function> functions() {
  constexpr float limit = kernels::kTrigonometricLimit;
  // Close to multiples of pi / 4, where a quadrant ends or the result is small.
  // The last two were wrong by 2.3 ulp while r was rounded twice.
  std::vector<float> quarters = {0.785398163f,   1.57079633f,   3.14159265f,
                                 6.28318531f,    11.0f,         355.0f,
                                 573204.0f,      103993.0f,     limit,
                                 0x1.ed03ecp18f, 0x1.f9e214p19f};
  return {
      {TENON_FUNCTION(exp), -90, 90, 2, {0, -0.0f, 88.7228394f, -87.3365479f}},
      {TENON_FUNCTION(log),
       0x1p-126f,
       kInfinity,
       2,
       {1, 0.70710678f, 1.41421356f, 0x1p-126f}},
      {TENON_FUNCTION(tanh), -kInfinity, kInfinity, 2, {0.625f, -0.625f, 9}},
      {TENON_FUNCTION(sin), -limit, limit, 2, quarters},
      {TENON_FUNCTION(cos), -limit, limit, 2, quarters},
      {TENON_FUNCTION(rsqrt), 0x1p-126f, kInfinity, 1.5, {1, 2, 4}},
  };
}

struct Worst {
  double ulp = 0;
  float at = 0;
};

/// The error of y in units in the last place of the exact result; results that
/// are subnormal or too large must be 0 (or the least normal) and infinity.
double errorUlp(float y, double exact) {
  double size = std::fabs(exact);
  if (std::isnan(exact))
    return std::isnan(y) ? 0 : kInfinity;
  if (size < 0x1p-126 && std::fabs(y) <= 0x1p-126f)
    return 0;
  if (size > 0x1.ffffffp127)
    return y == static_cast<float>(std::copysign(kInfinity, exact)) ? 0
                                                                    : kInfinity;
  if (!std::isfinite(y)) // Half an ulp above the largest float.
    return size > 0x1.fffffep127 ? 1 : kInfinity;
  int exponent = std::max(std::ilogb(exact), -126);
  return std::fabs(y - exact) / std::ldexp(1.0, exponent - 23);
}

void consider(const Function &f, uint32_t bits, Worst &worst) {
  float x = std::bit_cast<float>(bits);
  if (!(x >= f.low && x <= f.high))
    return;
  if (std::fabs(x) < 0x1p-126f) // Subnormals are 0.
    x = std::copysign(0.0f, x);
  double ulp = errorUlp(f.contract(x), f.exact(x));
  if (ulp > worst.ulp)
    worst = {ulp, x};
}

Worst measure(const Function &f) {
  std::array<Worst, kThreads> worsts;
  auto work = [&](unsigned thread) {
    FlushSubnormals flush;
    uint64_t step = uint64_t(stride()) * kThreads;
    for (uint64_t bits = uint64_t(stride()) * thread; bits < 1ull << 32;
         bits += step)
      consider(f, static_cast<uint32_t>(bits), worsts[thread]);
    for (float hard : f.hard)
      for (int32_t d = -(1 << 15) + int32_t(thread); d < 1 << 15; d += kThreads)
        consider(f, std::bit_cast<uint32_t>(hard) + static_cast<uint32_t>(d),
                 worsts[thread]);
  };
  std::thread other(work, 1);
  work(0);
  other.join();
  return worsts[0].ulp > worsts[1].ulp ? worsts[0] : worsts[1];
}

TEST(Polynomials, AreWithinTheirBounds) {
  for (const Function &f : functions()) {
    Worst worst = measure(f);
    std::printf("%-6s max %.3f ulp at %a\n", f.name, worst.ulp, worst.at);
    EXPECT_LE(worst.ulp, f.boundUlp) << f.name << " at " << worst.at;
  }
}

uint32_t bitsOf(float x) { return std::bit_cast<uint32_t>(x); }

TEST(Polynomials, HaveTheSpecialValues) {
  FlushSubnormals flush;
  Contract a;
  EXPECT_EQ(a.exp(0), 1);
  EXPECT_EQ(a.exp(-0.0f), 1);
  EXPECT_EQ(a.exp(kInfinity), kInfinity);
  EXPECT_EQ(a.exp(89), kInfinity);
  EXPECT_EQ(bitsOf(a.exp(-kInfinity)), 0u);
  EXPECT_EQ(bitsOf(a.exp(-100)), 0u);
  EXPECT_EQ(a.log(0), -kInfinity);
  EXPECT_EQ(a.log(-0.0f), -kInfinity);
  EXPECT_EQ(bitsOf(a.log(1)), 0u);
  EXPECT_EQ(a.log(kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(a.log(-1)));
  EXPECT_TRUE(std::isnan(a.log(-kInfinity)));
  EXPECT_EQ(a.tanh(kInfinity), 1);
  EXPECT_EQ(a.tanh(-kInfinity), -1);
  EXPECT_EQ(bitsOf(a.tanh(-0.0f)), bitsOf(-0.0f));
  EXPECT_EQ(bitsOf(a.sin(0)), 0u);
  EXPECT_EQ(bitsOf(a.sin(-0.0f)), bitsOf(-0.0f));
  EXPECT_EQ(a.cos(0), 1);
  EXPECT_EQ(a.rsqrt(0), kInfinity);
  EXPECT_EQ(a.rsqrt(kInfinity), 0);
  EXPECT_TRUE(std::isnan(a.rsqrt(-1)));
}

TEST(Polynomials, TreatSubnormalsAsZero) {
  FlushSubnormals flush;
  Contract a;
  volatile float subnormal = 0x1p-130f;
  EXPECT_EQ(a.exp(subnormal), 1);
  EXPECT_EQ(a.log(subnormal), -kInfinity);
  EXPECT_EQ(a.cos(subnormal), 1);
}

TEST(Polynomials, PropagateNan) {
  for (const Function &f : functions())
    EXPECT_TRUE(std::isnan(f.contract(kNan))) << f.name;
}

TEST(Polynomials, SinAndCosStayBoundedBeyondTheirDomain) {
  FlushSubnormals flush;
  Contract a;
  for (float x : {0x1.000002p20f, 1e7f, 1e20f, 3.4e38f}) {
    EXPECT_EQ(a.sin(x), 0) << x;
    EXPECT_EQ(a.cos(-x), 1) << x;
  }
  EXPECT_TRUE(std::isnan(a.sin(kInfinity)));
  EXPECT_TRUE(std::isnan(a.cos(-kInfinity)));
}

} // namespace
} // namespace tenon
