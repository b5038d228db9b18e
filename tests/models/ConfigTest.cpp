//===- ConfigTest.cpp - Sizes from GGUF and from config.json --------------===//

#include "models/gemma/Config.h"
#include "models/Registry.h"
#include "models/qwen/Config.h"
#include "tests/models/GoldenCases.h"
#include "tests/support/TempFolder.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <cmath>

namespace tenon::tests {
namespace {

class GemmaConfig : public ::testing::TestWithParam<std::string> {};

TEST_P(GemmaConfig, BothFormatsSayTheSame) {
  auto files = ModelFiles::open(goldenPath("tiny_gemma3", GetParam()));
  ASSERT_TRUE(files.ok()) << files.status();
  auto config = models::gemma::readConfig(*files);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->layers, 3);
  EXPECT_EQ(config->width, 64);
  EXPECT_EQ(config->headWidth, 32);
  EXPECT_EQ(config->vocabulary, 128);
  EXPECT_EQ(config->window, 8);
  EXPECT_EQ(config->isLocal, (std::vector<bool>{true, false, true}));
  EXPECT_EQ(config->globalRope.theta, 1e6);
  EXPECT_EQ(config->localRope.theta, 1e4);
  EXPECT_EQ(config->embeddingScale, 8);
  EXPECT_DOUBLE_EQ(config->attentionScale, 1 / std::sqrt(32.0));
  EXPECT_EQ(config->normsWithoutOne, GetParam() == "model.safetensors");
}

INSTANTIATE_TEST_SUITE_P(Formats, GemmaConfig,
                         ::testing::Values("model.gguf", "model.safetensors"),
                         [](const auto &info) {
                           return info.param == "model.gguf" ? "gguf"
                                                             : "safetensors";
                         });

TEST(QwenConfig, ReadsAndKnowsItsHead) {
  auto files = ModelFiles::open(goldenPath("tiny_qwen2", "model.gguf"));
  ASSERT_TRUE(files.ok()) << files.status();
  auto config = models::qwen::readConfig(*files);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->headWidth, 16);
  EXPECT_EQ(config->vocabulary, 96);
  EXPECT_FALSE(config->tied);
}

} // namespace
} // namespace tenon::tests
