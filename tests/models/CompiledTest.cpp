//===- CompiledTest.cpp - Compiled models equal their definition ----------===//

#include "frontend/session/Session.h"
#include "tests/models/GoldenCases.h"
#include "tests/models/PackedModels.h"
#include "tests/models/ReferenceModel.h"
#include "tests/support/TempFolder.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace tenon::tests {
namespace {

class Compiled : public ::testing::TestWithParam<std::string> {
protected:
  /// Compiles the model and continues the prompt greedily.
  absl::StatusOr<std::vector<int32_t>> generate(int64_t count) const;

  const std::string path = goldenPath(GetParam(), "model.gguf");
  const std::vector<int32_t> prompt = goldenCases(GetParam())[0].tokens;
};

absl::StatusOr<std::vector<int32_t>> Compiled::generate(int64_t count) const {
  auto files = ModelFiles::open(path);
  if (!files.ok())
    return files.status();
  auto program = models::traceModel(*files);
  if (!program.ok())
    return program.status();
  auto session = Session::open(*program, Weights::of(*files));
  if (!session.ok())
    return session.status();
  SamplingOptions options;
  options.maxTokens = count;
  return (*session)->generate(prompt, options);
}

/// A batch of one sequence whose cache has `begin` tokens already.
Arrays forwardArguments(const std::vector<int32_t> &tokens, int32_t begin) {
  auto count = static_cast<int64_t>(tokens.size());
  std::vector<int32_t> sequence(count, 0), position(count), rows(count);
  std::iota(position.begin(), position.end(), begin);
  std::iota(rows.begin(), rows.end(), 0);
  return {{"tokens", Array::of(tokens, {count})},
          {"batch.sequence", Array::of(sequence, {count})},
          {"batch.position", Array::of(position, {count})},
          {"batch.pages", Array::of(std::vector<int32_t>{0}, {1, 1})},
          {"rows", Array::of(rows, {count})}};
}

/// Runs a prompt of 39 tokens, then a step of one, so that both variants run:
/// the compiled model at `path` and the one at `oraclePath` by definition.
void expectContract(const std::string &path, const std::string &oraclePath,
                    const std::vector<int32_t> &tokens,
                    const models::DecoderOptions &model = {}) {
  auto files = ModelFiles::open(path);
  ASSERT_TRUE(files.ok()) << files.status();
  auto program = models::traceModel(*files, model);
  ASSERT_TRUE(program.ok()) << program.status();
  SessionOptions options;
  options.limits = {{"R", 64}}; // logits of a whole prompt
  auto session = Session::open(*program, Weights::of(*files), options);
  ASSERT_TRUE(session.ok()) << session.status();
  auto oracle = ReferenceModel<ir::ref::Contract>::open(oraclePath, model);
  ASSERT_TRUE(oracle.ok()) << oracle.status();

  for (size_t begin = 0; size_t end : {39, 40}) {
    std::vector<int32_t> piece(tokens.begin() + begin, tokens.begin() + end);
    auto expected = (*oracle)->forward({{0, piece}});
    ASSERT_TRUE(expected.ok()) << expected.status();
    auto results = (*session)->call(
        "forward", forwardArguments(piece, static_cast<int32_t>(begin)));
    ASSERT_TRUE(results.ok()) << results.status();
    auto logits = results->at("logits").values<float>();
    ASSERT_EQ(logits.size(), expected->size());
    EXPECT_EQ(std::memcmp(logits.data(), expected->data(), logits.size_bytes()),
              0);
    begin = end;
  }
}

TEST_P(Compiled, EqualsContractBitForBit) {
  expectContract(path, path, goldenCases(GetParam())[2].tokens);
}

TEST_P(Compiled, GeneratesGreedily) {
  auto oracle = ReferenceModel<ir::ref::Contract>::open(path);
  ASSERT_TRUE(oracle.ok()) << oracle.status();
  auto tokens = generate(8);
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  ASSERT_EQ(tokens->size(), 8u);
  std::vector<int32_t> piece = prompt;
  for (int32_t token : *tokens) {
    auto logits = (*oracle)->forward({{0, piece}});
    ASSERT_TRUE(logits.ok()) << logits.status();
    auto vocabulary = logits->size() / piece.size();
    auto last = logits->end() - vocabulary;
    EXPECT_EQ(token, std::max_element(last, logits->end()) - last);
    piece = {token};
  }
}

TEST_P(Compiled, LoopsAsTheOracleDoes) {
  auto tokens = generate(9);
  ASSERT_TRUE(tokens.ok()) << tokens.status();

  // The first token comes of the prompt, the others of the loop; a stop token
  // is not emitted.
  for (int32_t stop : {-1, tokens->at(6)}) {
    auto oracle = ReferenceModel<ir::ref::Contract>::open(path);
    ASSERT_TRUE(oracle.ok()) << oracle.status();
    ASSERT_TRUE((*oracle)->forward({{0, prompt}}).ok());
    auto emitted = (*oracle)->generate(tokens->front(), 8, stop);
    ASSERT_TRUE(emitted.ok()) << emitted.status();
    auto rest = tokens->begin() + 1;
    std::vector<int32_t> expected(rest, std::find(rest, tokens->end(), stop));
    EXPECT_EQ(*emitted, expected);
  }
}

INSTANTIATE_TEST_SUITE_P(Tiny, Compiled,
                         ::testing::Values("tiny_qwen2", "tiny_qwen3moe",
                                           "tiny_gpt2", "tiny_llama",
                                           "tiny_gemma3", "tiny_deepseek2",
                                           "tiny_deepseek3"),
                         [](const auto &info) { return info.param; });

// The files that hold one matrix of keys and values, and both forms.
TEST(LatentAttention, EqualsContractBitForBit) {
  for (const char *name : {"tiny_deepseek2", "tiny_deepseek3"})
    for (auto form :
         {models::LatentForm::Absorbed, models::LatentForm::Materialised}) {
      models::DecoderOptions options;
      options.latents = form;
      std::string path = goldenPath(name, "model.safetensors");
      expectContract(path, path, goldenCases(name)[2].tokens, options);
    }
}

// Prompt, step and drafts of two depths, by both formats' weights.
TEST(FurtherTokens, EqualContractBitForBit) {
  constexpr size_t kWidth = 64, kLast = 38;
  models::DecoderOptions options;
  options.drafts = true;
  const std::vector<int32_t> tokens = goldenCases("tiny_deepseek3")[2].tokens;
  const std::vector<int32_t> after(tokens.begin() + 1, tokens.end());
  for (const char *file : {"model.gguf", "model.safetensors"}) {
    std::string path = goldenPath("tiny_deepseek3", file);
    auto files = ModelFiles::open(path);
    ASSERT_TRUE(files.ok()) << files.status();
    auto program = models::traceModel(*files, options);
    ASSERT_TRUE(program.ok()) << program.status();
    SessionOptions limits;
    limits.limits = {{"R", 64}};
    auto session = Session::open(*program, Weights::of(*files), limits);
    ASSERT_TRUE(session.ok()) << session.status();
    auto oracle = ReferenceModel<ir::ref::Contract>::open(path, options);
    ASSERT_TRUE(oracle.ok()) << oracle.status();

    auto values = [](const absl::StatusOr<Arrays> &got, const char *name) {
      auto view = got->at(name).values<float>();
      return std::vector<float>(view.begin(), view.end());
    };
    auto main = (*oracle)->forwardStates({{0, tokens}});
    ASSERT_TRUE(main.ok()) << main.status();
    auto got = (*session)->call("forwardStates",
                                forwardArguments(tokens, /*begin=*/0));
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(values(got, "logits"), main->logits);
    EXPECT_EQ(values(got, "states"), main->states);

    std::vector<float> states = main->states;
    states.resize(after.size() * kWidth);
    for (size_t begin : {size_t{0}, kLast}) { // the last once more, by its own
      std::vector<int32_t> piece(after.begin() + begin, after.end());
      auto at = static_cast<int32_t>(begin);
      auto expected = (*oracle)->draft(piece, states, at);
      ASSERT_TRUE(expected.ok()) << expected.status();
      Arrays arguments = forwardArguments(piece, at);
      arguments["states"] =
          Array::of(states, {std::ssize(piece), int64_t{kWidth}});
      got = (*session)->call("draft", arguments);
      ASSERT_TRUE(got.ok()) << got.status();
      EXPECT_EQ(values(got, "logits"), expected->logits);
      EXPECT_EQ(values(got, "states"), expected->states);
      if (begin == 0)
        states.assign(expected->states.end() - 2 * kWidth,
                      expected->states.end() - kWidth);
    }
  }
}

class PackedWeights : public ::testing::TestWithParam<int64_t> {};

// A blocked weight means its values: those of the model in f32, bit for bit.
TEST_P(PackedWeights, EqualTheModelInF32) {
  PackedModel model = packedQwen(GetParam());
  TempFolder packed, unpacked;
  for (TempFolder *folder : {&packed, &unpacked})
    folder->add("config.json", model.config);
  std::string path = packed.add("model.safetensors", model.packed);
  auto files = ModelFiles::open(path);
  ASSERT_TRUE(files.ok()) << files.status();
  auto query =
      files->weights().tensor("model.layers.0.self_attn.q_proj.weight");
  ASSERT_TRUE(query.ok()) << query.status().message();
  EXPECT_EQ((*query)->type,
            base::parseElementType("int4_g" + std::to_string(GetParam())));
  std::vector<int32_t> tokens(40);
  for (size_t i = 0; i < tokens.size(); ++i)
    tokens[i] = static_cast<int32_t>(i * 37 % kPackedVocabulary);
  expectContract(path, unpacked.add("model.safetensors", model.unpacked),
                 tokens);
}

INSTANTIATE_TEST_SUITE_P(Groups, PackedWeights, ::testing::Values(32, 64, 128),
                         ::testing::PrintToStringParamName());
} // namespace
} // namespace tenon::tests
