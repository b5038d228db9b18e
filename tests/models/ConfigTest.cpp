//===- ConfigTest.cpp - Sizes from GGUF and from config.json --------------===//

#include "models/deepseek/Config.h"
#include "models/Registry.h"
#include "models/gemma/Config.h"
#include "models/qwen/Model.h"
#include "tests/models/GoldenCases.h"
#include "tests/support/TempFolder.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <cmath>
#include <fstream>
#include <sstream>

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
  EXPECT_EQ(config->window.tokens, 8);
  EXPECT_EQ(config->window.globals, 0);
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
  EXPECT_TRUE(config->bias);
}

TEST(LlamaConfig, FormatsDifferInPairs) {
  for (const char *name : {"model.gguf", "model.safetensors"}) {
    auto files = ModelFiles::open(goldenPath("tiny_llama", name));
    ASSERT_TRUE(files.ok()) << files.status();
    auto config = models::llama::readConfig(*files);
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_EQ(config->rope.theta, 5e5);
    EXPECT_EQ(config->rope.layout,
              files->isGguf() ? RopeLayout::Interleaved : RopeLayout::Half);
    EXPECT_FLOAT_EQ(static_cast<float>(config->epsilon), 1e-5f);
    EXPECT_FALSE(config->bias);
    EXPECT_FALSE(config->tied);
  }
}

/// What is read of tiny_llama's config.json with one text replaced.
absl::StatusOr<models::llama::Config> llamaWith(const std::string &from,
                                                const std::string &to) {
  TempFolder folder;
  std::string config = replacedConfig("tiny_llama", from, to);
  auto files = ModelFiles::describe(folder.add("config.json", config),
                                    base::ElementType::BF16);
  EXPECT_TRUE(files.ok()) << files.status();
  return models::llama::readConfig(*files);
}
std::string llamaError(const std::string &from, const std::string &to) {
  return std::string(llamaWith(from, to).status().message());
}

TEST(LlamaConfig, RopeIsScaledAsTheFileSays) {
  auto linear = llamaWith("\"rope_scaling\": null",
                          R"("rope_scaling": {"type": "linear", "factor": 8})");
  ASSERT_TRUE(linear.ok()) << linear.status();
  EXPECT_EQ(linear->rope.scaling.kind, ir::RopeScaling::Linear);
  EXPECT_EQ(linear->rope.scaling.factor, 8);
  EXPECT_EQ(linear->rope.amplitude, 1);
  auto yarn = llamaWith("\"rope_scaling\": null",
                        R"("rope_parameters": {"rope_type": "yarn",
                           "factor": 4, "beta_fast": 16,
                           "original_max_position_embeddings": 64})");
  ASSERT_TRUE(yarn.ok()) << yarn.status();
  EXPECT_EQ(yarn->rope.scaling.kind, ir::RopeScaling::Yarn);
  EXPECT_EQ(yarn->rope.scaling.originalContext, 64);
  EXPECT_EQ(yarn->rope.scaling.betaFast, 16);
  EXPECT_EQ(yarn->rope.scaling.betaSlow, 1);
  EXPECT_EQ(yarn->rope.amplitude, ir::yarnMagnitude(4));
}

TEST(LlamaConfig, AttentionHasTheWindowAndGlobalsOfTheFile) {
  auto plain = llamaWith("\"mlp_bias\": false", "\"sliding_window\": null");
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(plain->window.tokens, 0);
  auto both = llamaWith("\"mlp_bias\": false",
                        R"("sliding_window": 100, "global_tokens": 5)");
  ASSERT_TRUE(both.ok()) << both.status();
  EXPECT_EQ(both->window.tokens, 100);
  EXPECT_EQ(both->window.globals, 5);
  EXPECT_THAT(llamaError("\"mlp_bias\": false", "\"global_tokens\": 5"),
              ::testing::HasSubstr("global tokens beside one, got a window of "
                                   "0 and 5 global tokens"));
}

TEST(LlamaConfig, VariationsAreRefused) {
  using ::testing::HasSubstr;
  EXPECT_EQ(llamaError("silu", "silu"), "");
  EXPECT_THAT(llamaError("\"rope_scaling\": null",
                         "\"rope_scaling\": {\"rope_type\": \"llama3\"}"),
              HasSubstr("'linear', 'yarn' or not, got 'llama3'"));
  EXPECT_THAT(llamaError("\"rope_scaling\": null",
                         "\"rope_parameters\": {\"rope_type\": \"dynamic\"}"),
              HasSubstr("'linear', 'yarn' or not, got 'dynamic'"));
  EXPECT_THAT(llamaError("\"mlp_bias\": false", "\"mlp_bias\": true"),
              HasSubstr("expects weights without biases"));
  EXPECT_THAT(llamaError("\"silu\"", "\"gelu\""),
              HasSubstr("expects the activation 'silu', got 'gelu'"));
  EXPECT_THAT(llamaError("\"vocab_size\"", "\"vocab\""),
              HasSubstr("vocab_size"));
}

TEST(DeepseekConfig, BothFormatsSayTheSame) {
  for (const char *name : {"model.gguf", "model.safetensors"}) {
    auto files = ModelFiles::open(goldenPath("tiny_deepseek2", name));
    ASSERT_TRUE(files.ok()) << files.status();
    auto config = models::deepseek::readConfig(*files, {});
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_EQ(config->queryRank, 0);
    EXPECT_EQ(config->latentWidth, 32);
    EXPECT_EQ(config->plainWidth, 16);
    EXPECT_EQ(config->turnedWidth, 8);
    EXPECT_EQ(config->valueWidth, 12);
    EXPECT_EQ(config->rope.layout, RopeLayout::Interleaved);
    EXPECT_EQ(config->rope.scaling.kind, ir::RopeScaling::Yarn);
    EXPECT_EQ(config->rope.scaling.factor, 40);
    EXPECT_EQ(config->rope.scaling.originalContext, 16);
    EXPECT_EQ(config->rope.amplitude, 1);
    double magnitude = 0.1 * 0.707 * std::log(40.0) + 1;
    EXPECT_NEAR(config->scale, magnitude * magnitude / std::sqrt(24.0), 1e-7);
    EXPECT_EQ(config->splitUp, files->isGguf());
    EXPECT_TRUE(config->isAbsorbed);
  }
  auto old = ModelFiles::open(goldenPath("tiny_deepseek3", "model.gguf"));
  ASSERT_TRUE(old.ok()) << old.status();
  auto config = models::deepseek::readConfig(*old, {});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->queryRank, 48);
  EXPECT_EQ(config->plainWidth, 16);
  EXPECT_FALSE(config->isAbsorbed);
}

/// Reads tiny_deepseek3's config.json with one text replaced.
absl::StatusOr<models::deepseek::Config> deepseekWith(const std::string &from,
                                                      const std::string &to) {
  TempFolder folder;
  std::string config = replacedConfig("tiny_deepseek3", from, to);
  auto files = ModelFiles::describe(folder.add("config.json", config),
                                    base::ElementType::BF16);
  EXPECT_TRUE(files.ok()) << files.status();
  return models::deepseek::readConfig(*files, {});
}

TEST(DeepseekConfig, ExpertsAreChosenAsTheFileSays) {
  for (const char *name : {"model.gguf", "model.safetensors"}) {
    for (bool isV3 : {false, true}) {
      auto files = ModelFiles::open(
          goldenPath(isV3 ? "tiny_deepseek3" : "tiny_deepseek2", name));
      ASSERT_TRUE(files.ok()) << files.status();
      auto config = models::deepseek::readConfig(*files, {});
      ASSERT_TRUE(config.ok()) << config.status();
      EXPECT_FALSE(config->hasExperts(0));
      ASSERT_TRUE(config->hasExperts(1));
      const ExpertsOptions &experts = *config->experts;
      EXPECT_EQ(experts.experts, 8);
      EXPECT_EQ(experts.perToken, 3);
      EXPECT_EQ(experts.groups, 4);
      EXPECT_EQ(experts.keptGroups, 2);
      EXPECT_EQ(experts.shared, 64);
      EXPECT_EQ(experts.top2, isV3);
      EXPECT_EQ(experts.bias, isV3);
      EXPECT_EQ(experts.normalize, isV3);
      EXPECT_EQ(experts.scoring, isV3 ? Scoring::Sigmoid : Scoring::Softmax);
      EXPECT_EQ(experts.scale, isV3 ? 2.5 : 1.5);
    }
  }
}

TEST(DeepseekConfig, LayersThatPredictFurtherTokensAreForDrafts) {
  models::DecoderOptions drafts;
  drafts.drafts = true;
  for (const char *name : {"model.gguf", "model.safetensors"}) {
    auto files = ModelFiles::open(goldenPath("tiny_deepseek3", name));
    ASSERT_TRUE(files.ok()) << files.status();
    auto without = models::deepseek::readConfig(*files, {});
    ASSERT_TRUE(without.ok()) << without.status();
    EXPECT_EQ(without->layers, 2);
    EXPECT_FALSE(without->further.isBuilt);
    auto with = models::deepseek::readConfig(*files, drafts);
    ASSERT_TRUE(with.ok()) << with.status();
    EXPECT_EQ(with->layers, 2);
    EXPECT_TRUE(with->further.isBuilt);
    EXPECT_TRUE(with->further.hasEmbedding);
    EXPECT_TRUE(with->further.hasHead);
  }
  // Without weights, those of the model itself serve.
  auto described = ModelFiles::describe(
      goldenPath("tiny_deepseek3", "config.json"), base::ElementType::F32);
  ASSERT_TRUE(described.ok()) << described.status();
  auto config = models::deepseek::readConfig(*described, drafts);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_TRUE(config->further.isBuilt);
  EXPECT_FALSE(config->further.hasEmbedding);
  EXPECT_FALSE(config->further.hasHead);
}

/// The sizes of tiny_deepseek3's GGUF where `layers` are counted and names that
/// hold `lost` are others.
absl::StatusOr<models::deepseek::Config>
ggufWith(char layers, const std::vector<std::string> &lost) {
  std::ifstream in(goldenPath("tiny_deepseek3", "model.gguf"),
                   std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  std::string bytes = text.str(), key = "deepseek2.block_count";
  bytes[bytes.find(key) + key.size() + 4] = layers; // after the value's type
  for (const std::string &name : lost)
    bytes[bytes.find(name)] = 'x';
  TempFolder folder;
  auto files = ModelFiles::open(folder.add("model.gguf", bytes));
  EXPECT_TRUE(files.ok()) << files.status();
  models::DecoderOptions drafts;
  drafts.drafts = true;
  return models::deepseek::readConfig(*files, drafts);
}

TEST(DeepseekConfig, GgufCountsTheFurtherLayerOrNot) {
  struct {
    char layers;
    std::vector<std::string> lost;
    bool isBuilt;
  } cases[] = {{3, {}, true},
               {2, {}, true},
               {3, {"blk.2.nextn.eh_proj", "blk.2.attn_norm."}, false},
               {2, {"blk.2.nextn.eh_proj", "blk.2.attn_norm."}, false}};
  for (const auto &each : cases) {
    auto config = ggufWith(each.layers, each.lost);
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_EQ(config->layers, 2);
    EXPECT_EQ(config->further.isBuilt, each.isBuilt);
  }
}

TEST(DeepseekConfig, MagnitudesThatDifferAreRopesAmplitude) {
  auto config = deepseekWith("\"mscale\": 1.0", "\"mscale\": 2.0");
  ASSERT_TRUE(config.ok()) << config.status();
  double all = 0.1 * std::log(4.0) + 1, own = 0.2 * std::log(4.0) + 1;
  EXPECT_DOUBLE_EQ(config->rope.amplitude, own / all);
  EXPECT_DOUBLE_EQ(config->scale, all * all / std::sqrt(24.0));
}

TEST(DeepseekConfig, VariationsAreRefused) {
  using ::testing::HasSubstr;
  auto error = [](const std::string &from, const std::string &to) {
    return std::string(deepseekWith(from, to).status().message());
  };
  EXPECT_EQ(error("silu", "silu"), "");
  EXPECT_THAT(error("\"num_experts_per_tok\": 3", "\"num_experts_per_tok\": 5"),
              HasSubstr("1 to 4 experts, those of 2 of 4 groups, got 5"));
  EXPECT_THAT(error("\"noaux_tc\"", "\"random\""),
              HasSubstr("'noaux_tc', got 'random'"));
  EXPECT_THAT(error("\"sigmoid\"", "\"tanh\""),
              HasSubstr("'softmax' or 'sigmoid', got 'tanh'"));
  EXPECT_THAT(error("\"moe_layer_freq\": 1", "\"moe_layer_freq\": 2"),
              HasSubstr("all layers after the first ones"));
  EXPECT_THAT(error("\"yarn\"", "\"linear\""),
              HasSubstr("or YaRN's, got 'linear'"));
  EXPECT_THAT(error("\"attention_bias\": false", "\"attention_bias\": true"),
              HasSubstr("expects weights without biases"));
}

TEST(Described, WeightsAreOfTheTypeThatRowsHold) {
  auto files = ModelFiles::describe(goldenPath("tiny_llama", "config.json"),
                                    base::ElementType::Q4_K);
  ASSERT_TRUE(files.ok()) << files.status();
  auto program = models::traceModel(*files);
  ASSERT_TRUE(program.ok()) << program.status();
  for (const TracedProgram::Weight &weight : program->weights())
    // Rows of 64 and 96 are no whole blocks of 256.
    EXPECT_EQ(weight.type.element, weight.type.shape.size() == 1
                                       ? base::ElementType::F32
                                       : base::ElementType::Q8_0)
        << weight.name;
  auto integers = ModelFiles::describe(goldenPath("tiny_llama", "config.json"),
                                       base::ElementType::I8);
  EXPECT_EQ(integers.status().code(), absl::StatusCode::kInvalidArgument);
}

} // namespace
} // namespace tenon::tests
