//===- GeneratorTest.cpp - The decoder loop over a paged cache ------------===//

#include "tests/runtime/exec/DecoderProgram.h"
#include "tests/runtime/exec/GeneratorRun.h"

#include <random>

namespace tenon::exec {
namespace {

using testing::ElementsAre;

Opened open(const DecoderLimits &limits, int64_t pages = 0,
            int64_t leastRows = 0) {
  return open(decoderProgram(kWidth, leastRows), limits, pages);
}

Answer generate(Generator &generator, std::span<const int32_t> prompt,
                int64_t maxTokens) {
  GenerateRequest request;
  request.prompt = prompt;
  request.maxTokens = maxTokens;
  return generate(generator, {&request, 1});
}

TEST(Generator, AnswersTheSameHoweverThePromptIsCut) {
  std::vector<int32_t> prompt = promptOf(150);
  for (int64_t chunk : {1, 7, 64, 512}) {
    for (int64_t leastRows : {0, 1}) {
      DecoderLimits limits;
      limits.chunkTokens = chunk;
      limits.pageBlocks = 1;
      Opened opened = open(limits, 0, leastRows);
      Answer answer = generate(*opened.generator, prompt, 100);
      ASSERT_TRUE(answer.status.ok()) << answer.status;
      EXPECT_EQ(answer.tokens[0], expectedTokens(prompt, 100, kWidth));
      EXPECT_EQ(answer.stats.promptTokens, 150);
      EXPECT_EQ(answer.stats.tokens, 100);
      EXPECT_EQ(answer.stats.decodeTokens, 99);
      EXPECT_THAT(answer.stats.reasons, ElementsAre(FinishReason::MaxTokens));
    }
  }
}

TEST(Generator, RunsRequestsTogetherAsItWouldAlone) {
  DecoderLimits limits;
  limits.sequences = 3;
  limits.contextTokens = 256;
  limits.pageBlocks = 1;
  Opened opened = open(limits);
  std::vector<std::vector<int32_t>> prompts = {promptOf(5), promptOf(130, 4),
                                               promptOf(1, 9)};
  std::vector<GenerateRequest> requests(3);
  for (size_t i = 0; i < 3; ++i) {
    requests[i].prompt = prompts[i];
    requests[i].maxTokens = 10 + 30 * i;
  }
  Answer answer = generate(*opened.generator, requests);
  ASSERT_TRUE(answer.status.ok()) << answer.status;
  for (size_t i = 0; i < 3; ++i)
    EXPECT_EQ(answer.tokens[i],
              expectedTokens(prompts[i], 10 + 30 * i, kWidth));
}

TEST(Generator, ComputesOnlyWhatTheCacheDoesNotHold) {
  Opened opened = open({});
  std::vector<int32_t> prompt = promptOf(40);
  Answer first = generate(*opened.generator, prompt, 6);
  ASSERT_TRUE(first.status.ok()) << first.status;
  // The conversation goes on: the answer, then something new.
  prompt.insert(prompt.end(), first.tokens[0].begin(), first.tokens[0].end());
  prompt.push_back(3);
  Answer second = generate(*opened.generator, prompt, 6);
  ASSERT_TRUE(second.status.ok()) << second.status;
  EXPECT_EQ(second.tokens[0], expectedTokens(prompt, 6, kWidth));
  EXPECT_EQ(second.stats.cachedTokens, 45); // the last was never computed
  EXPECT_EQ(second.stats.promptTokens, 2);
  // The same again: the last token's logits are needed.
  Answer third = generate(*opened.generator, prompt, 6);
  EXPECT_EQ(third.tokens[0], second.tokens[0]);
  EXPECT_EQ(third.stats.promptTokens, 1);
}

TEST(Generator, StopsAtAStopTokenWithoutGivingItOut) {
  Opened opened = open({});
  std::vector<int32_t> prompt = promptOf(3);
  std::vector<int32_t> expected = expectedTokens(prompt, 20, kWidth);
  GenerateRequest request;
  request.prompt = prompt;
  request.stopTokens = {&expected[5], 1};
  Answer answer = generate(*opened.generator, {&request, 1});
  ASSERT_TRUE(answer.status.ok()) << answer.status;
  size_t first = std::find(expected.begin(), expected.end(), expected[5]) -
                 expected.begin();
  expected.resize(first);
  EXPECT_EQ(answer.tokens[0], expected);
  EXPECT_THAT(answer.stats.reasons, ElementsAre(FinishReason::StopToken));
}

TEST(Generator, StopsWhereTheCallbackSays) {
  Opened opened = open({});
  std::vector<int32_t> prompt = promptOf(3);
  GenerateRequest request;
  request.prompt = prompt;
  int given = 0;
  auto stats = opened.generator->generate(
      {&request, 1}, [&](size_t, int32_t) { return ++given == 4; });
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(stats->tokens, 4);
  EXPECT_THAT(stats->reasons, ElementsAre(FinishReason::Callback));
}

TEST(Generator, StopsAtTheEndOfTheContext) {
  DecoderLimits limits;
  limits.contextTokens = 128;
  limits.pageBlocks = 1;
  Opened opened = open(limits);
  std::vector<int32_t> prompt = promptOf(128);
  Answer answer = generate(*opened.generator, prompt, 10);
  ASSERT_TRUE(answer.status.ok()) << answer.status;
  EXPECT_EQ(answer.tokens[0], expectedTokens(prompt, 1, kWidth));
  EXPECT_THAT(answer.stats.reasons, ElementsAre(FinishReason::Context));
}

TEST(Generator, RefusesRequestsItCannotRun) {
  DecoderLimits limits;
  limits.contextTokens = 100;
  Opened opened = open(limits);
  EXPECT_THAT(generate(*opened.generator, promptOf(257), 1).status,
              FailsWith(TENON_INVALID_ARGUMENT,
                        "a prompt of 1 to 256 tokens, the context, got 257"));
  EXPECT_THAT(generate(*opened.generator, promptOf(0), 1).status,
              FailsWith(TENON_INVALID_ARGUMENT, "got 0"));
  std::vector<GenerateRequest> none;
  EXPECT_THAT(generate(*opened.generator, none).status,
              FailsWith(TENON_INVALID_ARGUMENT, "a request at least"));
}

TEST(Generator, SaysWhenPagesRunOut) {
  DecoderLimits limits;
  limits.contextTokens = 512;
  limits.pageBlocks = 1;
  Opened opened = open(limits, /*pages=*/2);
  EXPECT_THAT(generate(*opened.generator, promptOf(200), 1).status,
              FailsWith(TENON_RESOURCE_EXHAUSTED,
                        "4 more cache pages of 64 tokens, 2 of 2 are free"));
  // What failed left nothing behind.
  Answer answer = generate(*opened.generator, promptOf(100), 5);
  EXPECT_EQ(answer.tokens[0], expectedTokens(promptOf(100), 5, kWidth));
}

TEST(Generator, CanBeCancelledAndGoOn) {
  Opened opened = open({});
  std::vector<int32_t> prompt = promptOf(3);
  GenerateRequest request;
  request.prompt = prompt;
  auto stats = opened.generator->generate({&request, 1}, [&](size_t, int32_t) {
    opened.session->cancel();
    return false;
  });
  EXPECT_EQ(stats.status().code(), TENON_CANCELLED);
  opened.session->resume();
  EXPECT_EQ(generate(*opened.generator, prompt, 5).tokens[0],
            expectedTokens(prompt, 5, kWidth));
}

TEST(Generator, GivesTheLogitsOfAPrompt) {
  Opened opened = open({});
  std::vector<int32_t> prompt = promptOf(77);
  auto logits = opened.generator->logits(prompt);
  ASSERT_TRUE(logits.ok()) << logits.status();
  int32_t likeliest = expectedTokens(prompt, 1, kWidth)[0];
  for (int32_t v = 0; v < kWidth; ++v)
    EXPECT_EQ((*logits)[v], v == likeliest ? 1.0f : 0.0f);
}

TEST(DecoderOptions, FollowTheModelsContext) {
  base::Program program = decoderProgram(kWidth).program;
  DecoderLimits limits;
  auto options = decoderOptions(program, limits);
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->pages, 4); // 1000 tokens in pages of 256
  limits.contextTokens = 1001;
  EXPECT_THAT(decoderOptions(program, limits).status(),
              FailsWith(TENON_INVALID_ARGUMENT, "at most 1000 tokens"));
  limits.contextTokens = -1;
  EXPECT_EQ(decoderOptions(program, limits).status().code(),
            TENON_INVALID_ARGUMENT);
  program.entries[0].arguments[1].name = "words";
  EXPECT_THAT(decoderOptions(program, {}).status(),
              FailsWith(TENON_INVALID_ARGUMENT, "an argument 'tokens'"));
  program.entries.clear();
  EXPECT_EQ(decoderOptions(program, {}).status().code(), TENON_NOT_FOUND);
}

TEST(Generator, ComputesAGroupsPromptOnce) {
  DecoderLimits limits;
  limits.sequences = 3;
  limits.contextTokens = 256;
  limits.pageBlocks = 1;
  Opened opened = open(limits);
  // More requests than sequences, of which the first 80 tokens are the same.
  std::vector<std::vector<int32_t>> prompts(7, promptOf(80));
  for (int32_t i = 3; i < 7; ++i)
    prompts[i].push_back(i);
  std::vector<GenerateRequest> requests(7);
  for (size_t i = 0; i < 7; ++i) {
    requests[i].prompt = prompts[i];
    requests[i].maxTokens = 20 + 3 * i;
  }
  Answer answer = generate(*opened.generator, requests);
  ASSERT_TRUE(answer.status.ok()) << answer.status;
  for (size_t i = 0; i < 7; ++i)
    EXPECT_EQ(answer.tokens[i], expectedTokens(prompts[i], 20 + 3 * i, kWidth))
        << "request " << i;
  EXPECT_EQ(answer.stats.promptTokens, 80 + 6); // the last of each
  EXPECT_EQ(answer.stats.cachedTokens, 2 * 79 + 4 * 80);
}

// Whatever pages hold, share and lose, each answer is what it is alone.
TEST(Generator, SharesPagesWithoutConfusion) {
  DecoderLimits limits;
  limits.sequences = 3;
  limits.contextTokens = 256;
  limits.pageBlocks = 1;
  Opened opened = open(limits, /*pages=*/9);
  std::mt19937 random(7);
  auto draw = [&](int64_t most) {
    return static_cast<int64_t>(random() % most);
  };
  int64_t cached = 0;
  for (int round = 0; round < 60; ++round) {
    std::vector<std::vector<int32_t>> prompts;
    for (int64_t i = draw(6); i >= 0; --i) {
      auto seed = static_cast<int32_t>(draw(2));
      std::vector<int32_t> prompt = promptOf(1 + draw(150), seed);
      for (int64_t more = draw(4); more > 0; --more)
        prompt.push_back(static_cast<int32_t>(draw(3)));
      prompts.push_back(std::move(prompt));
    }
    std::vector<GenerateRequest> requests(prompts.size());
    for (size_t i = 0; i < prompts.size(); ++i) {
      requests[i].prompt = prompts[i];
      requests[i].maxTokens = 1 + draw(30);
    }
    Answer answer = generate(*opened.generator, requests);
    ASSERT_TRUE(answer.status.ok()) << answer.status;
    cached += answer.stats.cachedTokens;
    for (size_t i = 0; i < prompts.size(); ++i)
      ASSERT_EQ(answer.tokens[i],
                expectedTokens(prompts[i], requests[i].maxTokens, kWidth))
          << "round " << round << ", request " << i;
  }
  EXPECT_GT(cached, 3000);
}

} // namespace
} // namespace tenon::exec
