//===- GenerateTest.cpp - A program's own loop equals steps from outside --===//
//
// The entry `generate` gives the tokens, bit for bit, that `forward` and
// `sample` give when a generator calls them in turn, and ends as that does.
//
//===----------------------------------------------------------------------===//

#include "runtime/exec/Generator.h"
#include "tests/models/DecoderRun.h"
#include "tests/models/GoldenCases.h"

#include "gtest/gtest.h"

#include <map>

namespace tenon::tests {
namespace {

using exec::FinishReason;

/// A model's program with the entry `generate` or without it; compiled once.
const CompiledDecoder &compiled(const std::string &model, bool withLoop) {
  static std::map<std::pair<std::string, bool>,
                  std::unique_ptr<CompiledDecoder>>
      known;
  std::unique_ptr<CompiledDecoder> &decoder = known[{model, withLoop}];
  if (!decoder) {
    CompileDecoderOptions options;
    options.withoutLoop = !withLoop;
    auto made =
        CompiledDecoder::compile(goldenPath(model, "model.gguf"), options);
    EXPECT_TRUE(made.ok()) << made.status();
    decoder = *std::move(made);
  }
  return *decoder;
}

struct Case {
  std::string model;
  uint32_t threads;
  CodeKind code;
};

struct Opened {
  std::unique_ptr<exec::Session> session;
  std::unique_ptr<exec::Generator> generator;
};

struct Answer {
  Status status;
  std::vector<int32_t> tokens;
  exec::GenerateStats stats;
};

class GenerateEntry : public ::testing::TestWithParam<Case> {
protected:
  Opened open(bool withLoop, const exec::DecoderLimits &limits = {},
              int64_t pages = 0) {
    const auto &[model, threads, code] = GetParam();
    const CompiledDecoder &decoder = compiled(model, withLoop);
    auto program = decoder.load(decoder.bestFeatures(), code);
    EXPECT_TRUE(program.ok()) << program.status();
    hal::DeviceOptions options;
    options.threads = threads;
    auto device = hal::openDevice("cpu", options);
    auto settings = exec::decoderOptions((*program)->program(), limits);
    EXPECT_TRUE(settings.ok()) << settings.status().message();
    if (pages > 0)
      settings->pages = pages;
    auto session =
        exec::Session::open(*program, *device, *settings, decoder.lookup());
    EXPECT_TRUE(session.ok()) << session.status().message();
    auto generator = exec::Generator::create(**session, {});
    EXPECT_TRUE(generator.ok()) << generator.status().message();
    return {*std::move(session), *std::move(generator)};
  }

  std::vector<int32_t> prompt() const {
    return goldenCases(GetParam().model)[0].tokens;
  }
};

exec::GenerateRequest requestOf(const std::vector<int32_t> &prompt) {
  exec::GenerateRequest request;
  request.prompt = prompt;
  return request;
}

Answer generate(exec::Generator &generator,
                const exec::GenerateRequest &request, int64_t stopAfter = -1) {
  Answer answer;
  auto stats = generator.generate({&request, 1}, [&](size_t, int32_t token) {
    answer.tokens.push_back(token);
    return static_cast<int64_t>(answer.tokens.size()) == stopAfter;
  });
  answer.status = stats.status();
  if (stats.ok())
    answer.stats = *std::move(stats);
  return answer;
}

void expectSame(const Answer &expected, const Answer &got) {
  ASSERT_TRUE(expected.status.ok()) << expected.status.message();
  ASSERT_TRUE(got.status.ok()) << got.status.message();
  EXPECT_EQ(got.tokens, expected.tokens);
  EXPECT_EQ(got.stats.reasons, expected.stats.reasons);
  EXPECT_EQ(got.stats.tokens, expected.stats.tokens);
  EXPECT_EQ(got.stats.decodeTokens, expected.stats.decodeTokens);
  EXPECT_EQ(got.stats.cachedTokens, expected.stats.cachedTokens);
}

std::vector<exec::SamplingOptions> samplings() {
  return {{},
          {.temperature = 0.8F, .topK = 40, .topP = 0.95F, .seed = 1},
          {.temperature = 1.5F, .minP = 0.01F, .seed = -7}};
}

TEST_P(GenerateEntry, GivesTheTokensOfSteps) {
  Opened loop = open(true), steps = open(false);
  std::vector<int32_t> tokens = prompt();
  for (const exec::SamplingOptions &sampling : samplings()) {
    exec::GenerateRequest request = requestOf(tokens);
    request.sampling = sampling;
    request.maxTokens = 100; // beyond a block of keys
    Answer expected = generate(*steps.generator, request);
    expectSame(expected, generate(*loop.generator, request));
    ASSERT_EQ(expected.tokens.size(), 100u);
    // One call made them all.
    EXPECT_GT(loop.session->stats().launchesOfLastCall,
              50 * steps.session->stats().launchesOfLastCall);
  }
}

TEST_P(GenerateEntry, EndsWhereStepsEnd) {
  exec::DecoderLimits limits;
  limits.contextTokens = 64;
  limits.pageBlocks = 1;
  Opened loop = open(true, limits), steps = open(false, limits);
  std::vector<int32_t> tokens = prompt();
  exec::GenerateRequest request = requestOf(tokens);
  request.sampling = {.temperature = 1.2F, .seed = 3};
  Answer full = generate(*steps.generator, request);
  EXPECT_EQ(full.stats.reasons[0], FinishReason::Context);
  expectSame(full, generate(*loop.generator, request));
  for (int64_t most : {0, 1, 2, 17}) {
    request.maxTokens = most;
    Answer expected = generate(*steps.generator, request);
    EXPECT_EQ(expected.stats.reasons[0], FinishReason::MaxTokens);
    expectSame(expected, generate(*loop.generator, request));
  }
  request.maxTokens = 256;
  for (int64_t after : {1, 2, 9}) {
    Answer expected = generate(*steps.generator, request, after);
    EXPECT_EQ(expected.stats.reasons[0], FinishReason::Callback);
    expectSame(expected, generate(*loop.generator, request, after));
  }
}

TEST_P(GenerateEntry, StopsAtStopTokens) {
  Opened loop = open(true), steps = open(false);
  std::vector<int32_t> tokens = prompt();
  exec::GenerateRequest request = requestOf(tokens);
  request.sampling = {.temperature = 1.2F, .seed = 3};
  request.maxTokens = 40;
  Answer full = generate(*steps.generator, request);
  expectSame(full, generate(*loop.generator, request));
  const std::vector<int32_t> &answer = full.tokens;
  ASSERT_EQ(answer.size(), 40u);
  for (size_t at : {0, 1, 20, 39}) {
    std::vector<int32_t> stops = {-5, answer[at], 1 << 30};
    request.stopTokens = stops;
    Answer expected = generate(*steps.generator, request);
    EXPECT_EQ(expected.stats.reasons[0], FinishReason::StopToken);
    expectSame(expected, generate(*loop.generator, request));
  }
  // More than the entry takes: the generator steps.
  std::vector<int32_t> many(100, answer[20]);
  request.stopTokens = many;
  expectSame(generate(*steps.generator, request),
             generate(*loop.generator, request));
}

TEST_P(GenerateEntry, KeepsWhatItComputed) {
  Opened loop = open(true), steps = open(false);
  std::vector<int32_t> tokens = prompt(), stops;
  for (int round = 0; round < 3; ++round) {
    exec::GenerateRequest request = requestOf(tokens);
    request.stopTokens = stops;
    request.maxTokens = 12;
    Answer expected = generate(*steps.generator, request);
    expectSame(expected, generate(*loop.generator, request));
    // The conversation goes on, and may stop early the next time.
    tokens.insert(tokens.end(), expected.tokens.begin(), expected.tokens.end());
    tokens.push_back(3);
    if (!expected.tokens.empty())
      stops = {expected.tokens.back()};
  }
}

TEST_P(GenerateEntry, ReportsPagesThatRunOut) {
  exec::DecoderLimits limits;
  limits.pageBlocks = 1;
  Opened loop = open(true, limits, 2), steps = open(false, limits, 2);
  std::vector<int32_t> tokens = prompt();
  exec::GenerateRequest request = requestOf(tokens);
  Answer expected = generate(*steps.generator, request);
  Answer got = generate(*loop.generator, request);
  EXPECT_EQ(expected.status.code(), TENON_RESOURCE_EXHAUSTED);
  EXPECT_EQ(got.status.code(), TENON_RESOURCE_EXHAUSTED);
  EXPECT_EQ(got.status.message(), expected.status.message());
  EXPECT_EQ(got.tokens, expected.tokens);
}

TEST_P(GenerateEntry, IsCancelledAtOnce) {
  Opened loop = open(true), fresh = open(true);
  std::vector<int32_t> tokens = prompt();
  exec::GenerateRequest request = requestOf(tokens);
  request.maxTokens = 30;
  int64_t count = 0;
  auto cancelled =
      loop.generator->generate({&request, 1}, [&](size_t, int32_t) {
        if (++count == 7)
          loop.session->cancel();
        return false;
      });
  EXPECT_EQ(cancelled.status().code(), TENON_CANCELLED);
  EXPECT_EQ(count, 7);
  loop.session->resume();
  Answer again = generate(*loop.generator, request);
  ASSERT_TRUE(again.status.ok()) << again.status.message();
  EXPECT_EQ(again.tokens, generate(*fresh.generator, request).tokens);
}

std::vector<Case> cases() {
  std::vector<Case> list;
  for (const char *model : {"tiny_qwen2", "tiny_gemma3"})
    for (uint32_t threads : {1, 2})
      for (CodeKind code : {CodeKind::Jit, CodeKind::Aot})
        list.push_back({model, threads, code});
  return list;
}

std::string nameOf(const ::testing::TestParamInfo<Case> &info) {
  return info.param.model + "_" + std::to_string(info.param.threads) +
         (info.param.code == CodeKind::Jit ? "_jit" : "_aot");
}

INSTANTIATE_TEST_SUITE_P(Tiny, GenerateEntry, ::testing::ValuesIn(cases()),
                         nameOf);

} // namespace
} // namespace tenon::tests
