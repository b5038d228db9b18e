//===- FurtherTrainingTest.cpp - Learning to predict a further token ------===//

#include "frontend/Tenon.h"
#include "models/Registry.h"
#include "models/Training.h"
#include "tests/models/GoldenCases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace tenon::tests {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<TracedProgram>
programOf(const ModelFiles &files, const models::TrainingOptions &options) {
  auto decoder = models::buildModel(files, options.decoder);
  if (!decoder.ok())
    return decoder.status();
  return models::traceTraining(*decoder, files, options);
}

std::unique_ptr<Session> open(const models::TrainingOptions &options) {
  auto files = ModelFiles::open(goldenPath("tiny_deepseek3", "model.gguf"));
  EXPECT_TRUE(files.ok()) << files.status();
  auto program = programOf(*files, options);
  EXPECT_TRUE(program.ok()) << program.status();
  auto opened = Session::open(*program, Weights::of(*files));
  EXPECT_TRUE(opened.ok()) << opened.status();
  return opened.ok() ? *std::move(opened) : nullptr;
}

models::TrainingOptions learning() {
  models::TrainingOptions options;
  options.tokens = 64;
  options.further = options.decoder.drafts = true;
  options.optimizer = Sgd::Options{.momentum = 0, .decay = 0};
  options.clip = INFINITY;
  return options;
}

Array number(float value) { return Array::of(std::vector<float>{value}, {}); }

/// A step on a golden case's tokens, all of which are learned; none of them
/// knows what comes after the last.
Arrays argumentsOf(const std::vector<int32_t> &tokens, float rate,
                   float weight) {
  int64_t count = std::ssize(tokens) - 1;
  std::vector<int32_t> sequence(count, 0), position(count);
  std::iota(position.begin(), position.end(), 0);
  std::vector<int32_t> inputs(tokens.begin(), tokens.end() - 1);
  std::vector<int32_t> after(tokens.begin() + 1, tokens.end());
  std::vector<int32_t> further(tokens.begin() + 2, tokens.end());
  further.push_back(0);
  auto share = 1.0f / static_cast<float>(count);
  std::vector<float> shares(count, share), furtherShares = shares;
  furtherShares.back() = 0;
  return {{"tokens", Array::of(inputs, {count})},
          {"batch.sequence", Array::of(sequence, {count})},
          {"batch.position", Array::of(position, {count})},
          {"batch.pages", Array::of(std::vector<int32_t>{-1}, {1, 1})},
          {"rows", Array::of(position, {count})},
          {"targets", Array::of(after, {count})},
          {"shares", Array::of(shares, {count})},
          {"sequences", Array::of(sequence, {count})},
          {"after", Array::of(after, {count})},
          {"further_targets", Array::of(further, {count})},
          {"further_shares", Array::of(furtherShares, {count})},
          {"further_weight", number(weight)},
          {"balance_rate", number(0)},
          {"rate", number(rate)},
          {"scale", number(1)}};
}

/// The sum of -log p of what comes `ahead` tokens after the row of the logits,
/// over the number of tokens that have a next one.
double lossOf(const std::vector<int32_t> &tokens,
              const std::vector<float> &logits, size_t ahead) {
  size_t width = 96;
  double loss = 0;
  for (size_t i = 0; i + ahead < tokens.size(); ++i) {
    const float *row = &logits[i * width];
    double sum = 0;
    for (size_t v = 0; v < width; ++v)
      sum += std::exp(static_cast<double>(row[v]));
    loss += std::log(sum) - row[tokens[i + ahead]];
  }
  return loss / static_cast<double>(tokens.size() - 1);
}

struct Losses {
  float loss, further, norm;
};

Losses step(Session &session, const std::vector<int32_t> &tokens, float rate,
            float weight) {
  auto made = session.call("train", argumentsOf(tokens, rate, weight));
  EXPECT_TRUE(made.ok()) << made.status();
  if (!made.ok())
    return {};
  auto of = [&](const char *name) { return made->at(name).values<float>()[0]; };
  return {of("loss"), of("further"), of("norm")};
}

TEST(FurtherTraining, LossesAreThoseOfTheGoldenLogits) {
  auto session = open(learning());
  ASSERT_TRUE(session);
  for (const GoldenCase &golden : goldenCases("tiny_deepseek3"))
    for (float weight : {0.0f, 0.3f}) {
      Losses made = step(*session, golden.tokens, /*rate=*/0, weight);
      EXPECT_NEAR(made.loss, lossOf(golden.tokens, golden.logits, 1), 1e-4);
      EXPECT_NEAR(made.further, lossOf(golden.tokens, golden.further, 2), 1e-4);
    }
}

// To first order a step of SGD lowers what it learns by rate * norm^2.
TEST(FurtherTraining, GradientsAreThoseOfBothLosses) {
  const std::vector<int32_t> tokens = goldenCases("tiny_deepseek3")[2].tokens;
  for (float weight : {0.0f, 2.0f}) {
    auto session = open(learning());
    ASSERT_TRUE(session);
    Losses before = step(*session, tokens, 0, weight);
    float rate = 1e-3f / (before.norm * before.norm);
    step(*session, tokens, rate, weight);
    Losses after = step(*session, tokens, 0, weight);
    double change =
        (before.loss - after.loss) + weight * (before.further - after.further);
    EXPECT_NEAR(change, 1e-3, 1e-4) << weight;
  }
}

TEST(FurtherTraining, RecomputingChangesNoBit) {
  models::TrainingOptions options = learning();
  std::vector<std::vector<float>> all;
  for (const char *checkpoint : {"", "layer"}) {
    options.checkpoint = checkpoint;
    auto session = open(options);
    ASSERT_TRUE(session);
    std::vector<float> losses;
    for (int i = 0; i < 5; ++i) {
      Losses made =
          step(*session, goldenCases("tiny_deepseek3")[2].tokens, 0.01f, 0.5f);
      losses.insert(losses.end(), {made.loss, made.further});
    }
    EXPECT_LT(losses[9], losses[1]);
    all.push_back(losses);
  }
  EXPECT_EQ(all[0], all[1]);
}

TEST(FurtherTraining, IsRefusedWhereItCannotBe) {
  auto files = ModelFiles::open(goldenPath("tiny_deepseek3", "model.gguf"));
  ASSERT_TRUE(files.ok()) << files.status();
  models::TrainingOptions options = learning();
  options.objective = models::Objective::Policy;
  EXPECT_THAT(std::string(programOf(*files, options).status().message()),
              HasSubstr("with the objective Likelihood"));
  options = learning();
  options.decoder.drafts = false;
  EXPECT_THAT(std::string(programOf(*files, options).status().message()),
              HasSubstr("by a decoder that was built to draft"));
}

} // namespace
} // namespace tenon::tests
