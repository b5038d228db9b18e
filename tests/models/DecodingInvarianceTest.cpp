//===- DecodingInvarianceTest.cpp - What is drawn does not know how -------===//
//
// Models of experts and latent attention give every token of a request the same
// logits, to the bit, whether it comes alone or among 64, however its prompt is
// cut, whatever pages its caches have, whether what it begins with was computed
// for it or found, and with one thread or two.
//
//===----------------------------------------------------------------------===//

#include "runtime/exec/Generator.h"
#include "tests/models/DecoderRun.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <bit>

namespace tenon::tests {
namespace {

using base::ElementType;

// DeepSeek-V2-Lite's form, reduced: 64 experts, of which 6, and 2 shared.
constexpr const char *kLite = R"({
  "architectures": ["DeepseekV2ForCausalLM"], "model_type": "deepseek_v2",
  "vocab_size": 320, "hidden_size": 128, "intermediate_size": 192,
  "moe_intermediate_size": 64, "num_hidden_layers": 3,
  "first_k_dense_replace": 1, "moe_layer_freq": 1, "n_routed_experts": 64,
  "num_experts_per_tok": 6, "n_shared_experts": 2, "n_group": 1,
  "topk_group": 1, "topk_method": "greedy", "scoring_func": "softmax",
  "norm_topk_prob": false, "routed_scaling_factor": 1.0,
  "num_attention_heads": 4, "num_key_value_heads": 4, "q_lora_rank": null,
  "kv_lora_rank": 64, "qk_nope_head_dim": 32, "qk_rope_head_dim": 32,
  "v_head_dim": 32, "attention_bias": false, "max_position_embeddings": 512,
  "rms_norm_eps": 1e-6, "rope_theta": 10000, "tie_word_embeddings": false,
  "rope_scaling": {"type": "yarn", "factor": 4,
    "original_max_position_embeddings": 128, "beta_fast": 32, "beta_slow": 1,
    "mscale": 0.707, "mscale_all_dim": 0.707}
})";

/// How requests are computed.
struct Way {
  const char *name;
  int64_t together = 1; // requests
  int64_t chunkTokens = 512;
  int64_t pageBlocks = 4;
  uint32_t threads = 1;
  bool isCold = false; // nothing is found in caches
  bool isWarm = false; // after all of them have been computed once
};

constexpr Way kAlone = {.name = "alone", .isCold = true};

constexpr Way kWays[] = {
    {.name = "64 together", .together = 64},
    {.name = "64 together, two threads", .together = 64, .threads = 2},
    {.name = "chunks of 1", .together = 8, .chunkTokens = 1},
    {.name = "chunks of 7", .together = 5, .chunkTokens = 7},
    {.name = "chunks of 64", .together = 3, .chunkTokens = 64, .threads = 2},
    {.name = "pages of 1 block", .together = 64, .pageBlocks = 1},
    {.name = "pages of 16 blocks", .together = 2, .pageBlocks = 16},
    {.name = "two threads", .threads = 2},
    {.name = "warm", .isWarm = true},
    {.name = "warm, 64 together, small pages",
     .together = 64,
     .pageBlocks = 1,
     .threads = 2,
     .isWarm = true},
};

constexpr int64_t kRequests = 64, kDrawn = 6, kContext = 256;

/// Prompts of many lengths, a part of which begin alike.
std::vector<std::vector<int32_t>> prompts(int64_t vocabulary) {
  std::vector<std::vector<int32_t>> all;
  uint32_t state = 1;
  for (int64_t i = 0; i < kRequests; ++i) {
    std::vector<int32_t> prompt;
    if (i % 4 != 0)
      prompt.assign(all[0].begin(), all[0].begin() + 70 + i % 50);
    int64_t length = i == 0 ? 180 : 3 + (i * 29) % 60;
    for (int64_t t = 0; t < length; ++t) {
      state = state * 1664525 + 1013904223; // Numerical Recipes' generator
      prompt.push_back(static_cast<int32_t>((state >> 8) % vocabulary));
    }
    all.push_back(std::move(prompt));
  }
  return all;
}

/// The logits of every token that each request draws, and how many tokens of
/// prompts were found in the cache.
struct Drawn {
  std::vector<std::vector<uint32_t>> bits;
  int64_t cachedTokens = 0;
};

StatusOr<Drawn> draw(const CompiledDecoder &decoder, const Way &way) {
  auto program = decoder.load(decoder.bestFeatures(), CodeKind::Jit);
  if (!program.ok())
    return internalError(std::string(program.status().message()));
  hal::DeviceOptions device;
  device.threads = way.threads;
  TENON_ASSIGN_OR_RETURN(auto opened, hal::openDevice("cpu", device));
  exec::DecoderLimits limits;
  limits.contextTokens = kContext;
  limits.sequences = way.together;
  limits.chunkTokens = way.chunkTokens;
  limits.pageBlocks = way.pageBlocks;
  TENON_ASSIGN_OR_RETURN(auto options,
                         exec::decoderOptions((*program)->program(), limits));
  if (way.isWarm) // Room for all that was computed before.
    options.pages *= kRequests;
  TENON_ASSIGN_OR_RETURN(
      auto session,
      exec::Session::open(*program, opened, options, decoder.lookup()));
  TENON_ASSIGN_OR_RETURN(auto generator, exec::Generator::create(*session, {}));
  std::vector<std::vector<int32_t>> texts = prompts(decoder.vocabulary());
  std::vector<exec::GenerateRequest> requests(kRequests);
  for (int64_t i = 0; i < kRequests; ++i) {
    requests[i].prompt = texts[i];
    requests[i].maxTokens = kDrawn;
    requests[i].sampling = {.temperature = 1, .seed = i};
  }
  Drawn drawn;
  size_t first = 0; // of the requests that are computed
  generator->setOnLogits([&](size_t i, std::span<const float> logits) {
    for (float logit : logits)
      drawn.bits[first + i].push_back(std::bit_cast<uint32_t>(logit));
  });
  auto compute = [&](std::span<const exec::GenerateRequest> some) -> Status {
    TENON_ASSIGN_OR_RETURN(
        exec::GenerateStats stats,
        generator->generate(some, [](size_t, int32_t) { return false; }));
    drawn.cachedTokens = stats.cachedTokens;
    return Status();
  };
  drawn.bits.resize(kRequests);
  for (; way.isCold && first < requests.size(); ++first) {
    generator->forget();
    TENON_RETURN_IF_ERROR(compute({&requests[first], 1}));
  }
  if (way.isCold)
    return drawn;
  for (int run = 0; run < (way.isWarm ? 2 : 1); ++run) {
    drawn.bits.assign(kRequests, {});
    TENON_RETURN_IF_ERROR(compute(requests));
  }
  return drawn;
}

struct Case {
  const char *name;
  const char *config; // null: models/tiny_r1
  ElementType type = ElementType::F32;
};

class DecodingInvariance : public ::testing::TestWithParam<Case> {};

TEST_P(DecodingInvariance, LogitsAreTheSameBits) {
  const Case &model = GetParam();
  TempFolder folder;
  CompileDecoderOptions options;
  std::string path = std::string(TENON_SOURCE_DIR) + "/models/tiny_r1/weights";
  if (model.config) {
    options.describedType = model.type;
    path = folder.add("config.json", model.config);
  }
  auto decoder = CompiledDecoder::compile(path, options);
  ASSERT_TRUE(decoder.ok()) << decoder.status();
  auto expected = draw(**decoder, kAlone);
  ASSERT_TRUE(expected.ok()) << expected.status().message();
  size_t width = kDrawn * (*decoder)->vocabulary();
  for (int64_t i = 1; i < kRequests; ++i) // else all would be the same bits
    ASSERT_NE(expected->bits[i], expected->bits[i - 1]);
  for (const Way &way : kWays) {
    auto got = draw(**decoder, way);
    ASSERT_TRUE(got.ok()) << way.name << ": " << got.status().message();
    if (way.isWarm) {
      EXPECT_GT(got->cachedTokens, kRequests * 64) << way.name;
    }
    size_t different = 0;
    for (int64_t i = 0; i < kRequests; ++i) {
      ASSERT_EQ(expected->bits[i].size(), width);
      different += got->bits[i] != expected->bits[i];
    }
    EXPECT_EQ(different, 0u) << "requests, " << way.name;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Experts, DecodingInvariance,
    ::testing::Values(Case{"tiny_r1", nullptr},
                      Case{"lite_f32", kLite, ElementType::F32},
                      Case{"lite_bf16", kLite, ElementType::BF16}),
    [](const auto &info) { return std::string(info.param.name); });

} // namespace
} // namespace tenon::tests
