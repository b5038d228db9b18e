//===- GemmaGoldenTest.cpp - Gemma 3 270M against two other programs ------===//
//
// The model is given each prompt and its continuation and predicts the 48
// tokens of the latter, teacher-forced. Three runs judge it (golden/README.md):
//
//   quant  llama.cpp on the quantised file; rounds activations to 8 bits
//   f32    llama.cpp on the dequantised file; reads GELU from an f16 table
//   exact  float64 NumPy on the dequantised file
//
// Ours keeps activations in f32, so it is held against `exact` and `f32`. How
// near `quant` it can be, `quant` itself limits: exact arithmetic is at a mean
// KL(quant || exact) of 4.4e-3.
//
//===----------------------------------------------------------------------===//

#include "tests/models/GemmaGolden.h"
#include "tests/models/DecoderRun.h"
#include "tests/models/GemmaFile.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <cstdio>

namespace tenon::tests {
namespace {

constexpr double kMostRelativeToF32 = 1e-3;   // its GELU alone: 8e-4
constexpr double kMostRelativeToExact = 1e-5; // f32 rounding; seen: 3e-6
constexpr double kMostKlToF32 = 1e-3;         // seen: 3e-7
constexpr double kMostKlToExact = 1e-9;       // seen: 1e-11
constexpr double kMostKlToQuant = 6e-3;
constexpr double kLeastAgreeing = 0.95;

struct Score {
  int positions = 0;
  int agreeing = 0;    // with quant's argmax
  int excused = 0;     // not, but quant's own noise is above its gap there
  int wrong = 0;       // neither
  int unlikeExact = 0; // another argmax than exact's
  double relativeF32 = 0, relativeExact = 0;  // largest
  double klQuant = 0, klF32 = 0, klExact = 0; // sums

  void add(const Score &other) {
    positions += other.positions;
    agreeing += other.agreeing;
    excused += other.excused;
    wrong += other.wrong;
    unlikeExact += other.unlikeExact;
    relativeF32 = std::max(relativeF32, other.relativeF32);
    relativeExact = std::max(relativeExact, other.relativeExact);
    klQuant += other.klQuant;
    klF32 += other.klF32;
    klExact += other.klExact;
  }

  void print(const char *name) const {
    std::printf("%-10s %9d %8d %7d %5d %5d  %9.2e  %9.2e  %9.2e  %9.2e  "
                "%9.2e\n",
                name, positions, agreeing, excused, wrong, unlikeExact,
                relativeExact, relativeF32, klExact / positions,
                klF32 / positions, klQuant / positions);
  }
};

void printTitles() {
  std::printf("%-10s %9s %8s %7s %5s %5s  %9s  %9s  %9s  %9s  %9s\n", "prompt",
              "positions", "as quant", "excused", "wrong", "other", "rel exact",
              "rel f32", "KL exact", "KL f32", "KL quant");
}

/// Judges the logits of one position.
Score judge(const GemmaGolden &golden, size_t prompt, size_t position,
            std::span<const float> ours) {
  Score score;
  score.positions = 1;
  auto best =
      static_cast<int32_t>(std::ranges::max_element(ours) - ours.begin());
  auto argmax = [&](const char *array) {
    return golden.at<int32_t>(array, prompt, position)[0];
  };
  bool isClose = golden.number("quant.gap", prompt, position) <
                 golden.number("quant.max_abs_diff_f32", prompt, position);
  bool agrees = best == argmax("quant.argmax");
  score.agreeing = agrees;
  score.excused = !agrees && isClose;
  score.wrong = !agrees && !isClose;
  score.unlikeExact = best != argmax("exact.argmax");
  score.relativeF32 = relativeError(golden, "f32", prompt, position, ours);
  score.relativeExact = relativeError(golden, "exact", prompt, position, ours);
  Distribution q(ours);
  score.klQuant = klOfQuantised(golden, prompt, position, q);
  score.klF32 = klOfRun(golden, "f32", prompt, position, ours, q);
  score.klExact = klOfRun(golden, "exact", prompt, position, ours, q);
  return score;
}

/// Runs one prompt and judges every position of its continuation.
StatusOr<Score> runPrompt(const CompiledDecoder &decoder,
                          const GemmaGolden &golden, size_t index) {
  const GemmaGolden::Prompt &text = golden.prompts()[index];
  PromptRows input{text.prompt, text.continuation.size()};
  // The last token predicts one beyond the continuation.
  input.tokens.insert(input.tokens.end(), text.continuation.begin(),
                      text.continuation.end() - 1);
  RunOptions options;
  options.threads = 2;
  options.chunkTokens = 512;
  TENON_ASSIGN_OR_RETURN(std::vector<float> logits,
                         logitsOf(decoder, input, options));
  Score score;
  size_t width = decoder.vocabulary();
  for (size_t i = 0; i < text.continuation.size(); ++i)
    score.add(judge(golden, index, i,
                    std::span<const float>(logits).subspan(i * width, width)));
  return score;
}

TEST(GemmaGolden, PredictsAsOtherProgramsDo) {
  std::optional<std::string> path = findGemma();
  if (!path)
    GTEST_SKIP() << kNoGemma;
  auto golden = GemmaGolden::open();
  ASSERT_TRUE(golden.ok()) << golden.status().message();
  auto decoder = CompiledDecoder::compile(*path);
  ASSERT_TRUE(decoder.ok()) << decoder.status();
  Score total;
  printTitles();
  for (size_t i = 0; i < golden->prompts().size(); ++i) {
    auto score = runPrompt(**decoder, *golden, i);
    ASSERT_TRUE(score.ok()) << score.status().message();
    score->print(golden->prompts()[i].name.c_str());
    total.add(*score);
  }
  total.print("all");
  ASSERT_EQ(total.positions, 384);
  EXPECT_EQ(total.wrong, 0);
  EXPECT_GE(total.agreeing, kLeastAgreeing * total.positions);
  EXPECT_EQ(total.unlikeExact, 0);
  EXPECT_LE(total.relativeExact, kMostRelativeToExact);
  EXPECT_LE(total.relativeF32, kMostRelativeToF32);
  EXPECT_LE(total.klExact / total.positions, kMostKlToExact);
  EXPECT_LE(total.klF32 / total.positions, kMostKlToF32);
  EXPECT_LE(total.klQuant / total.positions, kMostKlToQuant);
}

} // namespace
} // namespace tenon::tests
