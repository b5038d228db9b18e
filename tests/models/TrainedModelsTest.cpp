//===- TrainedModelsTest.cpp - Published models are trained as they are ---===//

#include "frontend/Tenon.h"
#include "models/Registry.h"
#include "models/Training.h"
#include "tests/models/GoldenCases.h"

#include <gtest/gtest.h>

namespace tenon::tests {
namespace {

class TrainedModels : public ::testing::TestWithParam<std::string> {
protected:
  void open(const models::TrainingOptions &options) {
    auto files = ModelFiles::open(goldenPath(GetParam(), "model.safetensors"));
    ASSERT_TRUE(files.ok()) << files.status();
    auto decoder = models::buildModel(*files, options.decoder);
    ASSERT_TRUE(decoder.ok()) << decoder.status();
    auto program = models::traceTraining(*decoder, *files, options);
    ASSERT_TRUE(program.ok()) << program.status();
    auto opened = Session::open(*program, Weights::of(*files));
    ASSERT_TRUE(opened.ok()) << opened.status();
    session = *std::move(opened);
  }

  /// The losses of steps on a text that repeats itself.
  std::vector<float> train(int steps, float rate) {
    std::vector<float> losses;
    for (int step = 0; step < steps; ++step) {
      auto made = session->trainStep(texts(), rate);
      EXPECT_TRUE(made.ok()) << made.status();
      if (!made.ok())
        return losses;
      EXPECT_TRUE(made->isTaken);
      losses.push_back(made->loss);
    }
    return losses;
  }
  std::vector<std::vector<int32_t>> texts() const {
    std::vector<int32_t> text = goldenCases(GetParam())[0].tokens;
    text.resize(8, 1);
    std::vector<int32_t> twice = text;
    twice.insert(twice.end(), text.begin(), text.end());
    return {twice, text};
  }

  std::unique_ptr<Session> session;
};

TEST_P(TrainedModels, LearnAText) {
  models::TrainingOptions options;
  options.tokens = 32;
  options.optimizer = AdamW::Options{.beta2 = 0.99, .decay = 0};
  open(options);
  ASSERT_TRUE(session);
  std::vector<float> losses = train(60, 0.01f);
  ASSERT_EQ(losses.size(), 60u);
  EXPECT_LT(losses.back(), 0.2f * losses.front());
  // Decoding, by other entries of the program, has learned it too.
  std::vector<int32_t> text = texts()[0];
  std::vector<int32_t> beginning(text.begin(), text.begin() + 9);
  SamplingOptions five;
  five.maxTokens = 5;
  auto continued = session->generate(beginning, five);
  ASSERT_TRUE(continued.ok()) << continued.status();
  EXPECT_EQ(*continued,
            std::vector<int32_t>(text.begin() + 9, text.begin() + 14));
}

TEST_P(TrainedModels, RecomputingChangesNoBit) {
  std::vector<std::vector<float>> all;
  for (const char *checkpoint : {"", "selective", "layer"}) {
    models::TrainingOptions options;
    options.tokens = 32;
    options.checkpoint = checkpoint;
    open(options);
    ASSERT_TRUE(session);
    all.push_back(train(4, 0.01f));
  }
  EXPECT_EQ(all[0], all[1]);
  EXPECT_EQ(all[0], all[2]);
}

TEST_P(TrainedModels, ChunksOfLogitsLearnTheSame) {
  std::vector<std::vector<float>> all;
  for (int64_t rows : {int64_t{32}, int64_t{8}}) {
    models::TrainingOptions options;
    options.tokens = 32;
    options.logitRows = rows;
    open(options);
    ASSERT_TRUE(session);
    all.push_back(train(4, 0.01f));
  }
  for (size_t step = 0; step < all[0].size(); ++step)
    EXPECT_NEAR(all[0][step], all[1][step], 1e-4f * all[0][step]);
}

INSTANTIATE_TEST_SUITE_P(All, TrainedModels,
                         ::testing::Values("tiny_qwen2", "tiny_qwen3moe",
                                           "tiny_gpt2", "tiny_gemma3",
                                           "tiny_llama", "tiny_deepseek2",
                                           "tiny_deepseek3"),
                         [](const auto &info) { return info.param; });

} // namespace
} // namespace tenon::tests
