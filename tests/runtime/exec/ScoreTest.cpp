//===- ScoreTest.cpp - Log-probabilities of texts -------------------------===//

#include "runtime/exec/Score.h"
#include "tests/runtime/exec/DecoderProgram.h"

#include <cmath>

namespace tenon::exec {
namespace {

using testing::DoubleEq;
using testing::DoubleNear;
using testing::ElementsAre;

constexpr int64_t kWidth = 31;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// How DecoderKernels.h scores: 1 for the token it predicts, 0 for others.
double expectedLog(bool isPredicted) {
  return (isPredicted ? 1 : 0) - std::log(std::exp(1.0) + (kWidth - 1));
}

/// Follows the rule of DecoderKernels.h, but where `breaks` has its position.
std::vector<int32_t> textOf(size_t length, const std::vector<size_t> &breaks) {
  std::vector<int32_t> text = {3};
  while (text.size() < length) {
    int32_t next = expectedTokens(text, 1, kWidth)[0];
    bool isBroken = std::ranges::count(breaks, text.size()) > 0;
    text.push_back(isBroken ? (next + 1) % kWidth : next);
  }
  return text;
}

/// Whether each token is the one its window predicts, worked out on the host.
std::vector<double> expectedScores(const std::vector<int32_t> &text,
                                   const std::vector<ScoreWindow> &windows,
                                   bool repeatsFirst) {
  std::vector<double> scores(text.size(), std::nan(""));
  for (const ScoreWindow &window : windows) {
    std::vector<int32_t> given;
    if (repeatsFirst)
      given.push_back(text[0]);
    for (int64_t i = window.begin; i < window.end; ++i) {
      if (i >= window.scored)
        scores[i] = expectedLog(expectedTokens(given, 1, kWidth)[0] == text[i]);
      given.push_back(text[i]);
    }
  }
  return scores;
}

struct Opened {
  std::shared_ptr<hal::Device> device;
  std::unique_ptr<Session> session;
  std::unique_ptr<Scorer> scorer;
};

void open(Opened &opened, DecoderLimits limits, int64_t leastRows = 0) {
  ProgramBuilder builder = decoderProgram(kWidth, leastRows);
  auto options = decoderOptions(builder.program, limits);
  ASSERT_TRUE(options.ok()) << options.status();
  auto device = hal::openDevice("cpu", {2, {}});
  ASSERT_TRUE(device.ok()) << device.status();
  opened.device = *std::move(device);
  auto session = builder.open(*options);
  ASSERT_TRUE(session.ok()) << session.status();
  opened.session = *std::move(session);
  auto scorer = Scorer::create(*opened.session, *opened.device);
  ASSERT_TRUE(scorer.ok()) << scorer.status();
  opened.scorer = *std::move(scorer);
}

DecoderLimits limitsOf(int64_t chunk, int64_t rows) {
  DecoderLimits limits;
  limits.contextTokens = 128;
  limits.pageBlocks = 1;
  limits.chunkTokens = chunk;
  limits.rows = rows;
  return limits;
}

TEST(LogProbability, IsTheLogOfTheSoftmax) {
  std::vector<float> logits = {0.5f, -1.25f, 3.0f};
  double sum = std::exp(0.5) + std::exp(-1.25) + std::exp(3.0);
  for (int32_t v = 0; v < 3; ++v)
    EXPECT_THAT(logProbability(logits, v),
                DoubleNear(logits[v] - std::log(sum), 1e-15));
}

TEST(LogProbability, NeitherOverflowsNorVanishes) {
  std::vector<float> large = {1e30f, 1e30f}, far = {0, -5000, -kInfinity};
  EXPECT_THAT(logProbability(large, 1), DoubleEq(-std::log(2.0)));
  EXPECT_EQ(logProbability(far, 0), 0);
  EXPECT_EQ(logProbability(far, 1), -5000);
  EXPECT_EQ(logProbability(far, 2), -kInfinity);
}

TEST(LogProbability, KeepsWhatFloatsWouldLose) {
  // 2^20 equal logits: in float, the sum of so many exponentials drifts.
  std::vector<float> logits(1 << 20, -7.5f);
  EXPECT_THAT(logProbability(logits, 5), DoubleNear(-20 * std::log(2), 1e-12));
}

TEST(LogProbability, IsNotANumberOfLogitsThatAreNone) {
  std::vector<float> none = {0, NAN, 1}, most = {0, kInfinity},
                     least = {-kInfinity, -kInfinity};
  for (const auto &logits : {none, most, least})
    EXPECT_TRUE(std::isnan(logProbability(logits, 0)));
}

std::vector<ScoreWindow> cut(int64_t tokens, int64_t window, int64_t stride,
                             bool repeatsFirst) {
  std::vector<int32_t> text(tokens);
  auto windows = cutWindows({text, window, stride, repeatsFirst}, 100);
  EXPECT_TRUE(windows.ok()) << windows.status();
  return windows.ok() ? *windows : std::vector<ScoreWindow>();
}

TEST(CutWindows, ScoresEachTokenOnce) {
  using W = ScoreWindow;
  EXPECT_THAT(cut(7, 0, 0, false), ElementsAre(W{0, 7, 1}));
  EXPECT_THAT(cut(7, 0, 0, true), ElementsAre(W{1, 7, 1}));
  // Windows that share nothing: the first of each is scored after a head only.
  EXPECT_THAT(cut(10, 4, 0, false),
              ElementsAre(W{0, 4, 1}, W{4, 8, 5}, W{8, 10, 9}));
  EXPECT_THAT(cut(9, 4, 4, true),
              ElementsAre(W{1, 4, 1}, W{4, 7, 4}, W{7, 9, 7}));
  EXPECT_THAT(cut(9, 4, 0, false), ElementsAre(W{0, 4, 1}, W{4, 8, 5}));
  // Windows that overlap score what those before did not reach.
  EXPECT_THAT(cut(9, 4, 2, false),
              ElementsAre(W{0, 4, 1}, W{2, 6, 4}, W{4, 8, 6}, W{6, 9, 8}));
  EXPECT_THAT(cut(7, 4, 1, true),
              ElementsAre(W{1, 4, 1}, W{2, 5, 4}, W{3, 6, 5}, W{4, 7, 6}));
}

TEST(CutWindows, RefusesWhatScoresNothing) {
  std::vector<int32_t> text(5);
  auto status = [&](ScoreRequest request) {
    return cutWindows(request, 100).status();
  };
  EXPECT_THAT(status({{}}),
              FailsWith(TENON_INVALID_ARGUMENT, "at least 2 tokens"));
  EXPECT_THAT(status({{text.data(), 1}}),
              FailsWith(TENON_INVALID_ARGUMENT, "got 1"));
  EXPECT_THAT(status({text, 101}),
              FailsWith(TENON_INVALID_ARGUMENT, "2 to 100 tokens"));
  EXPECT_THAT(status({text, 1}), FailsWith(TENON_INVALID_ARGUMENT, "got 1"));
  EXPECT_THAT(status({text, 4, 5}),
              FailsWith(TENON_INVALID_ARGUMENT, "a stride of 0 to 4"));
  EXPECT_THAT(status({text, 4, -1}),
              FailsWith(TENON_INVALID_ARGUMENT, "got -1"));
}

TEST(Scorer, ScoresTheSameHoweverTheTextIsCut) {
  std::vector<int32_t> text = textOf(120, {1, 2, 50, 64, 65, 119});
  std::vector<double> expected = expectedScores(text, {{0, 120, 1}}, false);
  std::vector<double> first;
  for (auto [chunk, rows, least] : std::vector<std::array<int64_t, 3>>{
           {512, 512, 1}, {1, 1, 1}, {7, 7, 0}, {64, 5, 1}, {3, 64, 0}}) {
    Opened opened;
    open(opened, limitsOf(chunk, rows), least);
    int64_t told = 0;
    auto score = opened.scorer->score({text}, [&](int64_t done, int64_t total) {
      EXPECT_GT(done, told);
      EXPECT_EQ(total, 119);
      told = done;
    });
    ASSERT_TRUE(score.ok()) << score.status();
    EXPECT_EQ(told, 119);
    EXPECT_EQ(score->scoredTokens, 119);
    EXPECT_TRUE(std::isnan(score->logProbabilities[0]));
    double sum = 0;
    for (size_t i = 1; i < text.size(); ++i) {
      EXPECT_THAT(score->logProbabilities[i], DoubleNear(expected[i], 1e-14));
      sum -= expected[i];
    }
    EXPECT_THAT(score->negativeLogLikelihood, DoubleNear(sum / 119, 1e-13));
    EXPECT_THAT(score->perplexity(), DoubleNear(std::exp(sum / 119), 1e-12));
    if (first.empty())
      first = score->logProbabilities;
    for (size_t i = 1; i < text.size(); ++i) // to the bit
      EXPECT_EQ(score->logProbabilities[i], first[i]);
  }
}

TEST(Scorer, ConditionsOnTheWindowAlone) {
  std::vector<int32_t> text = textOf(300, {4, 100, 200});
  Opened opened;
  open(opened, limitsOf(16, 16));
  for (bool repeatsFirst : {false, true}) {
    for (auto [window, stride] : std::vector<std::array<int64_t, 2>>{
             {0, 0}, {128, 32}, {20, 20}, {20, 7}, {2, 1}}) {
      ScoreRequest request = {text, window, stride, repeatsFirst};
      auto windows = cutWindows(request, 128);
      ASSERT_TRUE(windows.ok()) << windows.status();
      auto score = opened.scorer->score(request);
      ASSERT_TRUE(score.ok()) << score.status();
      EXPECT_EQ(score->windows, static_cast<int64_t>(windows->size()));
      std::vector<double> expected =
          expectedScores(text, *windows, repeatsFirst);
      for (size_t i = 0; i < text.size(); ++i)
        EXPECT_THAT(score->logProbabilities[i],
                    testing::NanSensitiveDoubleNear(expected[i], 1e-14))
            << i << " of windows of " << window << " every " << stride;
    }
  }
}

TEST(Scorer, RefusesTokensThatAreNone) {
  Opened opened;
  open(opened, limitsOf(16, 16));
  std::vector<int32_t> text = {1, 2, static_cast<int32_t>(kWidth)};
  EXPECT_THAT(opened.scorer->score({text}).status(),
              FailsWith(TENON_OUT_OF_RANGE, "0 to 30, got 31 at position 2"));
  text[2] = -1;
  EXPECT_THAT(opened.scorer->score({text}).status(),
              FailsWith(TENON_OUT_OF_RANGE, "got -1 at position 2"));
}

TEST(Scorer, CanBeCancelledAndGoOn) {
  Opened opened;
  open(opened, limitsOf(4, 4));
  std::vector<int32_t> text = textOf(40, {});
  auto score = opened.scorer->score(
      {text}, [&](int64_t, int64_t) { opened.session->cancel(); });
  EXPECT_EQ(score.status().code(), TENON_CANCELLED);
  opened.session->resume();
  auto again = opened.scorer->score({text});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->scoredTokens, 39);
}

TEST(ScoreLimits, HoldTheLogitsOfAChunk) {
  base::Program program = decoderProgram(kWidth).program;
  auto limits = scoreLimits(program, 100, 0);
  ASSERT_TRUE(limits.ok()) << limits.status();
  EXPECT_EQ(limits->chunkTokens, 512); // 64 MiB would hold more
  EXPECT_EQ(limits->rows, 512);
  EXPECT_EQ(limits->contextTokens, 100);
  limits = scoreLimits(program, 0, 9);
  EXPECT_EQ(limits->chunkTokens, 9);
  EXPECT_EQ(limits->rows, 9);
  program = decoderProgram(1 << 18).program;
  EXPECT_EQ(scoreLimits(program, 0, 0)->chunkTokens, 64);
  EXPECT_EQ(scoreLimits(program, 0, -1).status().code(),
            TENON_INVALID_ARGUMENT);
  program.entries.clear();
  EXPECT_EQ(scoreLimits(program, 0, 0).status().code(), TENON_NOT_FOUND);
}

} // namespace
} // namespace tenon::exec
