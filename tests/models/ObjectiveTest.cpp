//===- ObjectiveTest.cpp - Losses and gradients against their formulas ----===//

#include "models/Objective.h"

#include "frontend/Tenon.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace tenon::models {
namespace {

constexpr int64_t kRows = 6, kWidth = 5, kVocabulary = 7;

/// x [M, D] and a head W [V, D] that is trained.
class Rows : public Module {
public:
  Rows()
      : Module(nullptr, "rows"),
        weight(variable("weight", {kVocabulary, kWidth})) {}
  Tensor weight;
};

/// What the entries take, by name, and the same in doubles.
struct Inputs {
  std::vector<float> x, weight, shares, advantages, old, reference, teacher;
  std::vector<float> returns, values;
  std::vector<int32_t> targets;
  double clipLow = 0.2, clipHigh = 0.3, penalty = 0.4, temperature = 1.25;
  double valueWeight = 0.7, valueClip = 0.1;
};

Inputs makeInputs() {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  auto draw = [&](size_t count, float scale) {
    std::vector<float> made(count);
    for (float &value : made)
      value = scale * normal(random);
    return made;
  };
  Inputs in;
  in.x = draw(kRows * kWidth, 1);
  in.weight = draw(kVocabulary * kWidth, 0.7f);
  in.advantages = draw(kRows, 1);
  in.returns = draw(kRows, 1);
  in.values = draw(kRows, 0.3f);
  in.teacher = draw(kRows * kVocabulary, 1);
  for (int64_t i = 0; i < kRows; ++i) {
    in.targets.push_back(static_cast<int32_t>(i * 3 % kVocabulary));
    in.shares.push_back(0.1f * static_cast<float>(i + 1));
    // Ratios below, within and above the clipped range.
    in.old.push_back(-2.0f + 0.5f * static_cast<float>(i % 3));
    in.reference.push_back(-1.5f - 0.2f * static_cast<float>(i));
  }
  return in;
}

/// log softmax(logits / temperature) of a row, of f64 weights.
std::vector<double> logSoftmaxOf(std::vector<double> logits, double heat) {
  double most = -INFINITY, sum = 0;
  for (double &each : logits)
    most = std::max(most, each /= heat);
  for (double each : logits)
    sum += std::exp(each - most);
  for (double &each : logits)
    each -= most + std::log(sum);
  return logits;
}

double expectedLoss(Objective objective, const Inputs &in,
                    const std::vector<double> &weight) {
  double loss = 0;
  for (int64_t i = 0; i < kRows; ++i) {
    std::vector<double> logits(kVocabulary, 0), teacher;
    for (int64_t v = 0; v < kVocabulary; ++v) {
      for (int64_t d = 0; d < kWidth; ++d)
        logits[v] += in.x[i * kWidth + d] * weight[v * kWidth + d];
      teacher.push_back(in.teacher[i * kVocabulary + v]);
    }
    double heat = objective == Objective::Likelihood ? 1 : in.temperature;
    std::vector<double> ours = logSoftmaxOf(logits, heat);
    double logP = ours[in.targets[i]], each = -logP;
    if (objective == Objective::Policy) {
      double ratio = std::exp(logP - in.old[i]), a = in.advantages[i];
      double clipped = std::clamp(ratio, 1 - in.clipLow, 1 + in.clipHigh);
      double d = in.reference[i] - logP;
      each =
          in.penalty * (std::exp(d) - d - 1) - std::min(ratio * a, clipped * a);
    } else if (objective == Objective::Distillation) {
      std::vector<double> theirs = logSoftmaxOf(teacher, heat);
      each = 0;
      for (int64_t v = 0; v < kVocabulary; ++v)
        each += heat * heat * std::exp(theirs[v]) * (theirs[v] - ours[v]);
    }
    loss += in.shares[i] * each;
  }
  return loss;
}

Arrays argumentsOf(Objective objective, const Inputs &in) {
  auto rows = [](const std::vector<float> &values) {
    return Array::of(values, {kRows});
  };
  auto number = [](double value) {
    return Array::of(std::vector<float>{static_cast<float>(value)}, {});
  };
  Arrays made = {{"x", Array::of(in.x, {kRows, kWidth})},
                 {"targets", Array::of(in.targets, {kRows})},
                 {"shares", rows(in.shares)}};
  if (objective == Objective::Policy) {
    made.insert({{"advantages", rows(in.advantages)},
                 {"old", rows(in.old)},
                 {"reference", rows(in.reference)},
                 {"clip_low", number(in.clipLow)},
                 {"clip_high", number(in.clipHigh)},
                 {"penalty", number(in.penalty)}});
  }
  if (objective == Objective::Distillation)
    made.insert({"teacher", Array::of(in.teacher, {kRows, kVocabulary})});
  if (objective != Objective::Likelihood)
    made.insert({"temperature", number(in.temperature)});
  return made;
}

class Objectives : public ::testing::TestWithParam<Objective> {};

TEST_P(Objectives, LossAndGradientAreThoseOfTheFormula) {
  Rows model;
  Entry entry{"step", [&](Arguments &arguments) -> Results {
                Dim M = Dim::symbol("M", 1, 64);
                Tensor x = arguments.tensor("x", {M, kWidth});
                Tensor targets = arguments.tensor("targets", {M}, i32);
                Tensor shares = arguments.tensor("shares", {M});
                ObjectiveRows rows = objectiveRows(
                    GetParam(), arguments, targets, shares, kVocabulary);
                LossAndGradients made =
                    lossAndGradients(model,
                                     [&] {
                                       Tensor logits = linear(x, model.weight);
                                       RowTerms terms =
                                           rows.loss(logits, rows.columns);
                                       return squeeze(sum(terms.loss, 0), 0);
                                     },
                                     {model.weight});
                return {{"loss", made.loss}, {"gradient", made.gradients[0]}};
              }};
  auto program = trace(model, {entry}, {});
  ASSERT_TRUE(program.ok()) << program.status();
  auto session = Session::open(*program, Weights());
  ASSERT_TRUE(session.ok()) << session.status();
  Inputs in = makeInputs();
  ASSERT_TRUE((*session)
                  ->write("weight", Array::of(in.weight, {kVocabulary, kWidth}))
                  .ok());
  auto results = (*session)->call("step", argumentsOf(GetParam(), in));
  ASSERT_TRUE(results.ok()) << results.status();
  std::vector<double> weight(in.weight.begin(), in.weight.end());
  EXPECT_NEAR(results->at("loss").values<float>()[0],
              expectedLoss(GetParam(), in, weight), 1e-5);
  auto gradient = results->at("gradient").values<float>();
  for (size_t i = 0; i < weight.size(); ++i) {
    constexpr double kStep = 1e-6;
    std::vector<double> more = weight, less = weight;
    more[i] += kStep;
    less[i] -= kStep;
    double slope = (expectedLoss(GetParam(), in, more) -
                    expectedLoss(GetParam(), in, less)) /
                   (2 * kStep);
    EXPECT_NEAR(gradient[i], slope, 1e-5 * (1 + std::abs(slope))) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Objectives,
                         ::testing::Values(Objective::Likelihood,
                                           Objective::Policy,
                                           Objective::Distillation));

TEST(Values, LossIsTheFormulas) {
  Rows model;
  Entry entry{"loss", [&](Arguments &arguments) -> Results {
                Dim M = Dim::symbol("M", 1, 64);
                Tensor values = arguments.tensor("values", {M});
                Tensor shares = arguments.tensor("shares", {M});
                return {{"loss", ValueRows(arguments, shares).loss(values)}};
              }};
  auto program = trace(model, {entry}, {});
  ASSERT_TRUE(program.ok()) << program.status();
  auto session = Session::open(*program, Weights());
  ASSERT_TRUE(session.ok()) << session.status();
  Inputs in = makeInputs();
  std::vector<float> now;
  double expected = 0;
  for (int64_t i = 0; i < kRows; ++i) {
    now.push_back(in.values[i] + 0.06f * static_cast<float>(i - 3));
    double near = std::clamp<double>(now[i], in.values[i] - in.valueClip,
                                     in.values[i] + in.valueClip);
    double far = now[i] - in.returns[i], lost = near - in.returns[i];
    expected +=
        in.valueWeight * in.shares[i] * std::max(far * far, lost * lost) / 2;
  }
  auto rows = [](const std::vector<float> &values) {
    return Array::of(values, {kRows});
  };
  auto number = [](double value) {
    return Array::of(std::vector<float>{static_cast<float>(value)}, {});
  };
  auto results =
      (*session)->call("loss", {{"values", rows(now)},
                                {"shares", rows(in.shares)},
                                {"returns", rows(in.returns)},
                                {"old_values", rows(in.values)},
                                {"value_weight", number(in.valueWeight)},
                                {"value_clip", number(in.valueClip)}});
  ASSERT_TRUE(results.ok()) << results.status();
  EXPECT_NEAR(results->at("loss").values<float>()[0], expected, 1e-6);
}

} // namespace
} // namespace tenon::models
