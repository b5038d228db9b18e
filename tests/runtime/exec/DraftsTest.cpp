//===- DraftsTest.cpp - Steps of several tokens give the same ones --------===//

#include "tests/runtime/exec/DraftingProgram.h"
#include "tests/runtime/exec/GeneratorRun.h"

#include <algorithm>

namespace tenon::exec {
namespace {

using testing::Each;
using testing::Eq;

Opened open(const DecoderLimits &limits, int64_t pages = 0) {
  return open(draftingProgram(kWidth), limits, pages);
}

struct Counts {
  int64_t drafted = 0, accepted = 0;
};

/// What drafting `perStep` tokens comes to, worked out on the host: as
/// draft_logits drafts where the caches hold what they should.
Counts countsOf(const std::vector<int32_t> &prompt, int64_t given,
                int64_t perStep) {
  Counts counts;
  std::vector<int32_t> all = prompt;
  auto answer = expectedTokens(prompt, given, kWidth);
  all.insert(all.end(), answer.begin(), answer.end());
  int64_t known = std::ssize(prompt) + 1; // of all, the last one drawn
  while (known < std::ssize(all)) {
    int64_t drafted = std::min(perStep, std::ssize(all) - known - 1);
    int64_t accepted = 0;
    for (; accepted < drafted; ++accepted) {
      int64_t sum = 0;
      for (int64_t i = 0; i < known + accepted; ++i)
        sum += (i + 1) * all[i];
      if (sum / kWidth % 4 == 3)
        break;
    }
    counts.drafted += drafted;
    counts.accepted += accepted;
    known += accepted + 1;
  }
  return counts;
}

TEST(Drafts, GiveTheTokensOfSteps) {
  std::vector<int32_t> prompt = promptOf(150);
  GenerateRequest request;
  request.prompt = prompt;
  request.maxTokens = 100;
  for (int64_t drafts : {1, 2, 7})
    for (int64_t chunk : {1, 7, 50, 512}) {
      DecoderLimits limits;
      limits.chunkTokens = chunk;
      limits.pageBlocks = 1;
      limits.drafts = drafts;
      Opened opened = open(limits);
      Answer answer = generate(*opened.generator, request);
      ASSERT_TRUE(answer.status.ok()) << answer.status;
      EXPECT_EQ(answer.tokens[0], expectedTokens(prompt, 100, kWidth));
      EXPECT_EQ(answer.stats.decodeTokens, 99);
      Counts counts = countsOf(prompt, 100, drafts);
      EXPECT_GT(counts.accepted, 40);
      EXPECT_EQ(answer.stats.draftedTokens, counts.drafted);
      EXPECT_EQ(answer.stats.acceptedTokens, counts.accepted);
    }
}

/// Requests that begin alike, and go on alike or not.
void expectBatch(Generator &generator, size_t common, int64_t drafts) {
  std::vector<std::vector<int32_t>> prompts(7, promptOf(common));
  std::vector<GenerateRequest> requests(prompts.size());
  Counts expected;
  for (size_t i = 0; i < prompts.size(); ++i) {
    if (i % 3 > 0)
      prompts[i].resize(common + 5 * i, static_cast<int32_t>(i));
    requests[i].prompt = prompts[i];
    requests[i].maxTokens = 20 + static_cast<int64_t>(i);
    Counts counts = countsOf(prompts[i], requests[i].maxTokens, drafts);
    expected.drafted += counts.drafted;
    expected.accepted += counts.accepted;
  }
  Answer answer = generate(generator, requests);
  ASSERT_TRUE(answer.status.ok()) << answer.status;
  for (size_t i = 0; i < prompts.size(); ++i)
    EXPECT_EQ(answer.tokens[i], expectedTokens(prompts[i], 20 + i, kWidth));
  EXPECT_EQ(answer.stats.draftedTokens, expected.drafted);
  EXPECT_EQ(answer.stats.acceptedTokens, expected.accepted);
  EXPECT_GT(answer.stats.cachedTokens, 0);
}

TEST(Drafts, GiveTheTokensOfStepsInABatch) {
  DecoderLimits limits;
  limits.sequences = 3;
  limits.contextTokens = 256;
  limits.pageBlocks = 1;
  for (int64_t drafts : {1, 3}) {
    limits.drafts = drafts;
    Opened opened = open(limits);
    // To the middle of pages, to their ends and beyond.
    for (size_t common : {63, 64, 65, 80, 128})
      expectBatch(*opened.generator, common, drafts);
  }
}

// Rejected tokens leave nothing behind, nor does what another text went on
// with.
TEST(Drafts, KeepWhatWasComputed) {
  DecoderLimits limits;
  limits.pageBlocks = 1;
  limits.drafts = 3;
  Opened opened = open(limits);
  std::vector<int32_t> text = promptOf(30);
  for (int round = 0; round < 8; ++round) {
    GenerateRequest request;
    request.prompt = text;
    request.maxTokens = 12;
    Answer answer = generate(*opened.generator, request);
    ASSERT_TRUE(answer.status.ok()) << answer.status;
    EXPECT_EQ(answer.tokens[0], expectedTokens(text, 12, kWidth));
    Counts counts = countsOf(text, 12, 3);
    EXPECT_EQ(answer.stats.draftedTokens, counts.drafted);
    EXPECT_EQ(answer.stats.acceptedTokens, counts.accepted);
    if (round > 0)
      EXPECT_LT(answer.stats.promptTokens, 20);
    // Goes on elsewhere than the model would have.
    text.insert(text.end(), answer.tokens[0].begin(), answer.tokens[0].end());
    text[text.size() - 1 - round % 4] = 3;
  }
}

TEST(Drafts, EndWhereStepsEnd) {
  DecoderLimits limits;
  limits.contextTokens = 128;
  limits.pageBlocks = 1;
  Opened steps = open(limits);
  limits.drafts = 4;
  Opened drafts = open(limits);
  std::vector<int32_t> prompt = promptOf(90), stops;
  GenerateRequest request;
  request.prompt = prompt;
  auto expectSame = [&](FinishReason reason, int64_t stopAfter = -1) {
    Answer expected = generate(*steps.generator, request, stopAfter);
    Answer got = generate(*drafts.generator, request, stopAfter);
    ASSERT_TRUE(got.status.ok()) << got.status;
    EXPECT_EQ(got.tokens, expected.tokens);
    EXPECT_EQ(got.stats.tokens, expected.stats.tokens);
    EXPECT_EQ(got.stats.decodeTokens, expected.stats.decodeTokens);
    EXPECT_THAT(expected.stats.reasons, Each(Eq(reason)));
    EXPECT_THAT(got.stats.reasons, Each(Eq(reason)));
  };
  expectSame(FinishReason::Context);
  for (int64_t after = 1; after < 12; ++after)
    expectSame(FinishReason::Callback, after);
  for (request.maxTokens = 0; request.maxTokens < 12; ++request.maxTokens)
    expectSame(FinishReason::MaxTokens);
  request.maxTokens = 256;
  for (int32_t token : expectedTokens(prompt, 12, kWidth)) {
    stops = {-1, token};
    request.stopTokens = stops;
    expectSame(FinishReason::StopToken);
  }
}

TEST(Drafts, TakeNoPagesFromOthers) {
  DecoderLimits limits;
  limits.sequences = 2;
  limits.contextTokens = 256;
  limits.pageBlocks = 1;
  limits.drafts = 7;
  std::vector<int32_t> first = promptOf(60), second = promptOf(60, 2);
  std::vector<GenerateRequest> requests(2);
  requests[0].prompt = first;
  requests[1].prompt = second;
  // Two pages for both together, then one more token than they hold.
  for (int64_t tokens : {5, 6}) {
    Opened opened = open(limits, /*pages=*/2);
    requests[0].maxTokens = requests[1].maxTokens = tokens;
    Answer answer = generate(*opened.generator, requests);
    if (tokens == 5) {
      ASSERT_TRUE(answer.status.ok()) << answer.status;
      EXPECT_EQ(answer.tokens[0], expectedTokens(first, 5, kWidth));
      EXPECT_EQ(answer.tokens[1], expectedTokens(second, 5, kWidth));
    } else {
      EXPECT_EQ(answer.status.code(), TENON_RESOURCE_EXHAUSTED);
    }
  }
}

TEST(Drafts, ShowTheLogitsOfTokensGivenOut) {
  DecoderLimits limits;
  limits.drafts = 5;
  Opened opened = open(limits);
  std::vector<int32_t> prompt = promptOf(20), shown;
  opened.generator->setOnLogits([&](size_t, std::span<const float> logits) {
    shown.push_back(static_cast<int32_t>(
        std::max_element(logits.begin(), logits.end()) - logits.begin()));
  });
  GenerateRequest request;
  request.prompt = prompt;
  request.maxTokens = 40;
  Answer answer = generate(*opened.generator, request);
  ASSERT_TRUE(answer.status.ok()) << answer.status;
  EXPECT_EQ(answer.tokens[0], expectedTokens(prompt, 40, kWidth));
  EXPECT_EQ(shown, answer.tokens[0]);
}

TEST(Drafts, AreRefusedWhereTheyCannotBe) {
  ProgramBuilder builder = decoderProgram(kWidth);
  DecoderLimits limits;
  limits.drafts = 1;
  auto options = decoderOptions(builder.program, limits);
  ASSERT_TRUE(options.ok()) << options.status();
  auto session = builder.open(*options);
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_THAT(Generator::create(**session, {.drafts = 1}).status(),
              FailsWith(TENON_INVALID_ARGUMENT,
                        "expects a program with the entries 'forwardStates' "
                        "and 'draft', for drafts, got one without"));
  limits.drafts = 16;
  EXPECT_THAT(decoderOptions(builder.program, limits).status(),
              FailsWith(TENON_INVALID_ARGUMENT,
                        "expects 0 to 15 drafts in a step, got 16"));
}

} // namespace
} // namespace tenon::exec
