//===- InvarianceTest.cpp - How work is cut does not change a bit ---------===//
//
// The numerics contract, seen from a whole model: logits are the same bits
// however a prompt is chunked, batched, paged, threaded, repeated, linked and
// compiled.
//
//===----------------------------------------------------------------------===//

#include "runtime/hal/cpu/CpuFeatures.h"
#include "tests/models/DecoderRun.h"
#include "tests/models/GemmaFile.h"
#include "tests/models/GoldenCases.h"
#include "tests/models/PackedModels.h"
#include "tests/models/VariedModels.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>

namespace tenon::tests {
namespace {

using base::CpuFeatures;
using base::ElementType;

struct Variation {
  std::string name;
  RunOptions options;
};

constexpr CpuFeatures kFeatureSets[] = {CpuFeatures::V3, CpuFeatures::V4,
                                        CpuFeatures::V4Vnni};

/// Each differs in one thing from the first run: one call, one thread, one
/// sequence, jitted for the best feature set; the last ones in several.
std::vector<Variation> variations() {
  std::vector<Variation> list = {
      {"a fresh session", {}},
      {"chunks of 1", {.chunkTokens = 1}},
      {"chunks of 7", {.chunkTokens = 7}},
      {"chunks of 64", {.chunkTokens = 64}},
      {"2 threads", {.threads = 2}},
      {"5 threads", {.threads = 5}},
      {"a shared object", {.code = CodeKind::Aot}},
      {"the tenth run", {.chunkTokens = 64, .runs = 10}},
      {"pages of 1 block", {.pageBlocks = 1}},
      {"pages in another order", {.pageBlocks = 1, .reversePages = true}},
      {"3 sequences", {.chunkTokens = 200, .sequences = 3}},
      {"3 sequences, token by token", {.chunkTokens = 1, .sequences = 3}},
  };
  for (CpuFeatures features : kFeatureSets) {
    std::string name = base::cpuFeaturesName(features);
    list.push_back({name, {.features = features}});
    list.push_back({name + " and all else",
                    {.features = features,
                     .code = CodeKind::Aot,
                     .threads = 2,
                     .chunkTokens = 7,
                     .pageBlocks = 1,
                     .reversePages = true,
                     .sequences = 3,
                     .runs = 2}});
  }
  return list;
}

/// Chunks on both sides of the variants' guards, for calls that want one row of
/// logits: one token, few and many.
std::vector<Variation> guardVariations() {
  std::vector<Variation> list;
  for (int64_t chunk : {1, 2, 3, 15, 16, 17, 33})
    list.push_back({"chunks of " + std::to_string(chunk),
                    {.threads = 2, .chunkTokens = chunk}});
  for (CpuFeatures features : kFeatureSets)
    list.push_back({std::string(base::cpuFeaturesName(features)),
                    {.features = features, .chunkTokens = 8}});
  list.push_back(
      {"chunks of 5, of 2 sequences", {.chunkTokens = 5, .sequences = 2}});
  return list;
}

/// The feature sets that this machine runs.
std::vector<CpuFeatures> runnable() {
  auto best = hal::detectCpuFeatures();
  std::vector<CpuFeatures> list;
  for (CpuFeatures features : kFeatureSets)
    if (best.ok() && features <= *best)
      list.push_back(features);
  return list;
}

bool canRun(const RunOptions &options) {
  return !options.features ||
         std::ranges::count(runnable(), *options.features) > 0;
}

std::vector<int32_t> randomTokens(size_t count, int64_t vocabulary) {
  std::vector<int32_t> tokens;
  uint32_t state = 1;
  for (size_t i = 0; i < count; ++i) {
    state = state * 1664525 + 1013904223; // Numerical Recipes' generator
    tokens.push_back(static_cast<int32_t>((state >> 8) % vocabulary));
  }
  return tokens;
}

/// How many logits differ in a bit, and where the first one is.
std::string differences(const std::vector<float> &expected,
                        const std::vector<float> &got) {
  if (expected.size() != got.size())
    return concat("expects ", expected.size(), " logits, got ", got.size());
  size_t count = 0, first = 0;
  for (size_t i = expected.size(); i-- > 0;)
    if (std::bit_cast<uint32_t>(expected[i]) !=
        std::bit_cast<uint32_t>(got[i])) {
      ++count;
      first = i;
    }
  if (count == 0)
    return "";
  return concat(count, " of ", got.size(), " logits differ, first that at ",
                first, ": expects ", expected[first], ", got ", got[first]);
}

/// Compares every variation that this machine can run with the plain run.
void expectInvariant(const CompiledDecoder &decoder, const PromptRows &prompt,
                     const std::vector<Variation> &list) {
  auto expected = logitsOf(decoder, prompt);
  ASSERT_TRUE(expected.ok()) << expected.status().message();
  for (float logit : *expected)
    ASSERT_TRUE(std::isfinite(logit));
  for (const auto &[name, options] : list) {
    if (!canRun(options)) {
      std::printf("not compared: %s, which this machine does not run\n",
                  name.c_str());
      continue;
    }
    auto got = logitsOf(decoder, prompt, options);
    ASSERT_TRUE(got.ok()) << name << ": " << got.status().message();
    EXPECT_EQ(differences(*expected, *got), "") << name;
  }
}

//===----------------------------------------------------------------------===//
// Small models
//===----------------------------------------------------------------------===//

struct Model {
  std::string name; // a golden model's, "wide_qwen2" or "packed_qwen2"
  ElementType type;
  CacheElement cache = CacheElement::f32;
};

std::vector<Model> smallModels() {
  std::vector<Model> list;
  for (const char *name : {"tiny_qwen2", "tiny_gemma3"})
    for (ElementType type :
         {ElementType::F32, ElementType::F16, ElementType::BF16,
          ElementType::Q8_0, ElementType::Q4_0, ElementType::Q4_1,
          ElementType::Q5_0, ElementType::Q5_1})
      list.push_back({name, type});
  for (ElementType type :
       {ElementType::BF16, ElementType::Q8_0, ElementType::Q4_K,
        ElementType::Q5_K, ElementType::Q6_K})
    list.push_back({"wide_qwen2", type});
  for (CacheElement cache :
       {CacheElement::f16, CacheElement::bf16, CacheElement::q8_0})
    list.push_back({"tiny_gemma3", ElementType::F32, cache});
  for (ElementType type : {ElementType::BF16, ElementType::Q8_0})
    list.push_back({"wide_qwen2", type, CacheElement::q8_0});
  for (ElementType type : {ElementType::Int4_G64, ElementType::Int4_G128})
    list.push_back({"packed_qwen2", type});
  return list;
}

/// Writes a model's files and returns the path to open.
std::string addModel(TempFolder &folder, const Model &model) {
  const auto &[name, type, cache] = model;
  if (name == "packed_qwen2") {
    PackedModel packed = packedQwen(base::info(type).blockElements);
    folder.add("config.json", packed.config);
    return folder.add("model.safetensors", packed.packed);
  }
  std::string file =
      name == "wide_qwen2" ? wideQwen(type) : repackedModel(name, type);
  return file.empty() ? "" : folder.add("model.gguf", file);
}

class Invariance : public ::testing::TestWithParam<Model> {};

TEST_P(Invariance, LogitsAreTheSameBits) {
  TempFolder folder;
  std::string path = addModel(folder, GetParam());
  ASSERT_FALSE(path.empty());
  CompileDecoderOptions options;
  options.features = runnable();
  options.randomWeights = GetParam().name == "wide_qwen2";
  options.cacheType = GetParam().cache;
  auto decoder = CompiledDecoder::compile(path, options);
  ASSERT_TRUE(decoder.ok()) << decoder.status();
  // Beyond one segment of attention, 512 keys, and of several pages.
  PromptRows prompt{randomTokens(600, (*decoder)->vocabulary())};
  expectInvariant(**decoder, prompt, variations());
  prompt.tokens.resize(100); // not whole chunks
  prompt.lastRows = 1;
  expectInvariant(**decoder, prompt, guardVariations());
}

/// tiny_llama with drawn weights, and a context of 1,024 tokens.
absl::StatusOr<std::unique_ptr<CompiledDecoder>>
windowedLlama(const std::string &window) {
  TempFolder folder;
  std::string config =
      replacedConfig("tiny_llama", "\"max_position_embeddings\": 256",
                     "\"max_position_embeddings\": 1024" + window);
  return CompiledDecoder::compile(
      folder.add("config.json", config),
      {.features = runnable(), .describedType = ElementType::F32});
}

TEST(WindowInvariance, LogitsAreTheSameBits) {
  auto decoder =
      windowedLlama(R"(, "sliding_window": 100, "global_tokens": 70)");
  ASSERT_TRUE(decoder.ok()) << decoder.status();
  PromptRows prompt{randomTokens(600, (*decoder)->vocabulary())};
  expectInvariant(**decoder, prompt, variations());
}

// Where every token is global, a window hides nothing.
TEST(WindowInvariance, GlobalsAreSeenFromEverywhere) {
  PromptRows prompt;
  std::vector<std::vector<float>> logits;
  for (const char *window :
       {"", R"(, "sliding_window": 3, "global_tokens": 1024)",
        R"(, "sliding_window": 3, "global_tokens": 2)",
        R"(, "sliding_window": 3)"}) {
    auto decoder = windowedLlama(window);
    ASSERT_TRUE(decoder.ok()) << decoder.status();
    prompt.tokens = randomTokens(200, (*decoder)->vocabulary());
    auto got = logitsOf(**decoder, prompt);
    ASSERT_TRUE(got.ok()) << got.status().message();
    logits.push_back(*std::move(got));
  }
  EXPECT_EQ(differences(logits[0], logits[1]), "");
  EXPECT_NE(differences(logits[0], logits[2]), "");
  EXPECT_NE(differences(logits[2], logits[3]), "");
}

TEST(InvarianceItself, DifferencesAreSeen) {
  TempFolder folder;
  auto decoder = CompiledDecoder::compile(
      folder.add("model.gguf", repackedModel("tiny_qwen2", ElementType::F32)));
  ASSERT_TRUE(decoder.ok()) << decoder.status();
  PromptRows prompt{randomTokens(600, (*decoder)->vocabulary())}, other(prompt);
  other.tokens[0] ^= 1; // reaches the last logits through the cache alone
  prompt.lastRows = other.lastRows = 1;
  auto expected = logitsOf(**decoder, prompt), got = logitsOf(**decoder, other);
  ASSERT_TRUE(expected.ok() && got.ok());
  EXPECT_NE(differences(*expected, *got), "");
}

std::string caseName(const ::testing::TestParamInfo<Model> &info) {
  const auto &[name, type, cache] = info.param;
  std::string text = concat(name, "_", base::info(type).name);
  if (cache == CacheElement::f32)
    return text;
  return concat(text, "_cache_", cacheElementName(cache));
}

INSTANTIATE_TEST_SUITE_P(Small, Invariance, ::testing::ValuesIn(smallModels()),
                         caseName);

//===----------------------------------------------------------------------===//
// Gemma
//===----------------------------------------------------------------------===//

TEST(GemmaInvariance, LogitsAreTheSameBits) {
  std::optional<std::string> path = findGemma();
  if (!path)
    GTEST_SKIP() << kNoGemma;
  CompileDecoderOptions options;
  options.features = runnable();
  auto decoder = CompiledDecoder::compile(*path, options);
  ASSERT_TRUE(decoder.ok()) << decoder.status();
  std::vector<Variation> list = {
      {"chunks of 1", {.threads = 2, .chunkTokens = 1}},
      {"chunks of 7", {.threads = 2, .chunkTokens = 7}},
      {"chunks of 16", {.threads = 2, .chunkTokens = 16}},
      {"chunks of 17", {.threads = 2, .chunkTokens = 17}},
      {"2 threads", {.threads = 2}},
      {"a shared object, 2 sequences, pages of 1 block",
       {.code = CodeKind::Aot,
        .threads = 2,
        .pageBlocks = 1,
        .reversePages = true,
        .sequences = 2}},
      {"v3", {.features = CpuFeatures::V3, .threads = 2}},
      {"v4", {.features = CpuFeatures::V4, .threads = 2}},
  };
  PromptRows prompt{randomTokens(70, (*decoder)->vocabulary()), 3};
  expectInvariant(**decoder, prompt, list);
  prompt.lastRows = 1;
  expectInvariant(**decoder, prompt, guardVariations());
}

} // namespace
} // namespace tenon::tests
