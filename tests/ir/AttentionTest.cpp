//===- AttentionTest.cpp - Constants of rotary positions ------------------===//

#include "ir/tn/Attention.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tenon::ir {
namespace {

TEST(RopeFrequencies, ArePowersOfTheta) {
  std::vector<float> f = ropeFrequencies(10000, 8);
  ASSERT_EQ(f.size(), 4u);
  EXPECT_EQ(f[0], 1.0f);
  EXPECT_EQ(f[1], 0.1f);
  EXPECT_EQ(f[2], 0.01f);
  EXPECT_EQ(f[3], 0.001f);
}

TEST(RopeFrequencies, LinearDividesByTheFactor) {
  std::vector<float> f =
      ropeFrequencies(10000, 4, {.kind = RopeScaling::Linear, .factor = 8});
  EXPECT_EQ(f[0], 0.125f);
  EXPECT_EQ(f[1], 0.00125f);
}

// DeepSeek-V3: factor 40 from 4096, width 64: pairs up to 10 stay as they are,
// pairs from 23 on are divided by the factor, those between are mixed.
TEST(RopeFrequencies, YarnRampsFromKeptToDivided) {
  std::vector<float> plain = ropeFrequencies(10000, 64);
  std::vector<float> yarn =
      ropeFrequencies(10000, 64, {.kind = RopeScaling::Yarn, .factor = 40});
  for (int i = 0; i < 32; ++i) {
    double ramp = i <= 10 ? 0 : i >= 23 ? 1 : (i - 10) / 13.0;
    double f = std::pow(10000.0, -2.0 * i / 64);
    EXPECT_FLOAT_EQ(yarn[i], float(f / 40 * ramp + f * (1 - ramp))) << i;
  }
  EXPECT_EQ(yarn[10], plain[10]);
  EXPECT_LT(yarn[11], plain[11]);
}

TEST(YarnMagnitude, IsThatOfDeepSeekV3) {
  EXPECT_NEAR(yarnMagnitude(40), 1.3689, 1e-4);
  EXPECT_NEAR(yarnMagnitude(40, 0.707), 1.2608, 1e-4);
  EXPECT_EQ(yarnMagnitude(1), 1.0);
}

} // namespace
} // namespace tenon::ir
