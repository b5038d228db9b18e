//===- AdvantagesTest.cpp - How much better than expected -----------------===//

#include "training/Advantages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace tenon::training {
namespace {
using ::testing::Each;
using ::testing::ElementsAre;

TEST(Advantages, OfGroups) {
  std::vector<double> rewards = {1, 0, 0, 1};
  EXPECT_THAT(groupAdvantages(rewards, /*isScaled=*/false),
              ElementsAre(0.5, -0.5, -0.5, 0.5));
  EXPECT_NEAR(groupAdvantages(rewards, /*isScaled=*/true)[0], 0.5 / 0.5001,
              1e-12);
  std::vector<double> equal = {1, 1, 1};
  EXPECT_THAT(groupAdvantages(equal, /*isScaled=*/true), Each(0));
}

TEST(Advantages, GeneralizedAreSumsOfErrors) {
  std::vector<float> values = {0.5f, -0.25f, 1.0f};
  constexpr double kReward = 2, kGamma = 0.9, kLambda = 0.8;
  Estimates made = generalizedAdvantages(kReward, values, kGamma, kLambda);
  for (size_t t = 0; t < values.size(); ++t) {
    double expected = 0;
    for (size_t k = t; k < values.size(); ++k) {
      bool isLast = k + 1 == values.size();
      double error = (isLast ? kReward : kGamma * values[k + 1]) - values[k];
      expected += std::pow(kGamma * kLambda, k - t) * error;
    }
    EXPECT_NEAR(made.advantages[t], expected, 1e-6);
    EXPECT_NEAR(made.returns[t], expected + values[t], 1e-6);
  }
  // Of lambda 1 and gamma 1 the return is the reward.
  EXPECT_THAT(generalizedAdvantages(3, values, 1, 1).returns, Each(3));
}

TEST(Advantages, WhitenedHaveMeanZero) {
  std::vector<float> values = {1, 2, 6};
  whiten(values);
  EXPECT_NEAR(values[0] + values[1] + values[2], 0, 1e-6);
  EXPECT_NEAR(values[0] * values[0] + values[1] * values[1] +
                  values[2] * values[2],
              3, 1e-5);
}

} // namespace
} // namespace tenon::training
