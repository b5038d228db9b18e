//===- DraftsTest.cpp - Drafted tokens are those of single steps ----------===//
//
// A DeepSeek-V3 whose layers add a part of what they compute, and whose layer
// that drafts is made of the model's own weights: the smaller the part, the
// more drafts are right.
//
//===----------------------------------------------------------------------===//

#include "runtime/exec/Generator.h"
#include "tests/models/DecoderRun.h"
#include "tests/models/GoldenCases.h"

#include "gtest/gtest.h"

#include <map>

namespace tenon::tests {
namespace {

constexpr const char *kModel = "tiny_deepseek3";
constexpr int64_t kWidth = 64;

const CompiledDecoder &compiled() {
  static const std::unique_ptr<CompiledDecoder> decoder = [] {
    CompileDecoderOptions options;
    options.drafts = true;
    auto made =
        CompiledDecoder::compile(goldenPath(kModel, "model.gguf"), options);
    EXPECT_TRUE(made.ok()) << made.status();
    return *std::move(made);
  }();
  return *decoder;
}

/// The model's weights, of which what layers add counts `part` times.
class Weakened {
public:
  explicit Weakened(float factor) : part(factor), own(compiled().lookup()) {}

  StatusOr<exec::TensorView> operator()(const base::Parameter &parameter) {
    TENON_ASSIGN_OR_RETURN(exec::TensorView view, own(parameter));
    std::string_view name = parameter.source;
    auto is = [&](std::string_view text) {
      return name.find(text) != std::string_view::npos;
    };
    if (is("shared_head_norm")) {
      base::Parameter norm = parameter;
      norm.source = "output_norm.weight";
      return own(norm);
    }
    bool isAdding = is("attn_output") || is("ffn_down");
    if (!isAdding && !is("eh_proj") && !is("enorm"))
      return view;
    int64_t count = 1;
    for (int64_t extent : view.shape)
      count *= extent;
    std::vector<float> &values = changed[parameter.source];
    auto *from = static_cast<const float *>(view.data);
    values.assign(from, from + count);
    for (int64_t i = 0; i < count; ++i)
      if (isAdding)
        values[i] *= part;
      else if (is("enorm"))
        values[i] = 1;
      else // the embedding as it is
        values[i] = i / (2 * kWidth) == i % (2 * kWidth) ? 1.0F : 0.0F;
    view.data = values.data();
    return view;
  }

private:
  float part;
  exec::ParameterLookup own;
  std::map<std::string, std::vector<float>> changed;
};

struct Opened {
  std::shared_ptr<Weakened> weights;
  std::unique_ptr<exec::Session> session;
  std::unique_ptr<exec::Generator> generator;
};

Opened open(float part, int64_t drafts, uint32_t threads = 1) {
  auto program = compiled().load(compiled().bestFeatures(), CodeKind::Jit);
  EXPECT_TRUE(program.ok()) << program.status();
  hal::DeviceOptions options;
  options.threads = threads;
  auto device = hal::openDevice("cpu", options);
  exec::DecoderLimits limits;
  limits.sequences = 3;
  limits.pageBlocks = 1;
  limits.contextTokens = 256;
  limits.drafts = drafts;
  auto settings = exec::decoderOptions((*program)->program(), limits);
  EXPECT_TRUE(settings.ok()) << settings.status().message();
  auto weights = std::make_shared<Weakened>(part);
  auto session = exec::Session::open(
      *program, *device, *settings,
      [weights](const base::Parameter &each) { return (*weights)(each); });
  EXPECT_TRUE(session.ok()) << session.status().message();
  auto generator =
      exec::Generator::create(**session, {.chunkTokens = 9, .drafts = drafts});
  EXPECT_TRUE(generator.ok()) << generator.status().message();
  return {weights, *std::move(session), *std::move(generator)};
}

struct Answer {
  std::vector<std::vector<int32_t>> tokens; // by request
  exec::GenerateStats stats;
};

/// All cases' prompts and one that begins like another, drawn as `sampling`
/// says.
Answer generate(exec::Generator &generator,
                const exec::SamplingOptions &sampling, int64_t tokens) {
  std::vector<std::vector<int32_t>> prompts;
  for (const GoldenCase &golden : goldenCases(kModel))
    prompts.push_back(golden.tokens);
  prompts.push_back(prompts[2]);
  prompts.back().resize(33);
  std::vector<exec::GenerateRequest> requests(prompts.size());
  for (size_t i = 0; i < prompts.size(); ++i) {
    requests[i].prompt = prompts[i];
    requests[i].sampling = sampling;
    requests[i].sampling.seed += static_cast<int64_t>(i);
    requests[i].maxTokens = tokens;
  }
  Answer answer;
  answer.tokens.resize(prompts.size());
  auto stats = generator.generate(requests, [&](size_t i, int32_t token) {
    answer.tokens[i].push_back(token);
    return false;
  });
  EXPECT_TRUE(stats.ok()) << stats.status().message();
  if (stats.ok())
    answer.stats = *std::move(stats);
  return answer;
}

double acceptance(const exec::GenerateStats &stats) {
  return static_cast<double>(stats.acceptedTokens) /
         static_cast<double>(stats.draftedTokens);
}

/// The tokens with `drafts` in a step and without, greedy and not, are the
/// same.
void expectSame(float part, int64_t drafts) {
  Opened steps = open(part, 0), drafting = open(part, drafts, /*threads=*/2);
  for (float temperature : {0.0F, 0.9F}) {
    exec::SamplingOptions sampling = {
        .temperature = temperature, .topK = 40, .topP = 0.95F, .seed = 5};
    Answer expected = generate(*steps.generator, sampling, 70);
    Answer got = generate(*drafting.generator, sampling, 70);
    EXPECT_EQ(got.tokens, expected.tokens);
    EXPECT_EQ(got.stats.tokens, 280);
    EXPECT_EQ(got.stats.decodeTokens, expected.stats.decodeTokens);
    EXPECT_EQ(expected.stats.draftedTokens, 0);
    double accepted = acceptance(got.stats);
    std::string where = std::to_string(part) + " " + std::to_string(drafts) +
                        " " + std::to_string(temperature);
    EXPECT_GE(accepted, part == 0 ? 1 : part < 1 ? 0.1 : 0) << where;
    EXPECT_LE(accepted, part == 0 ? 1 : 0.9) << where;
  }
}

class Drafts : public ::testing::TestWithParam<int64_t> {};

TEST_P(Drafts, AreRightOfAModelTheyAreMadeOf) { expectSame(0, GetParam()); }
TEST_P(Drafts, AreRightAndWrong) { expectSame(0.01F, GetParam()); }
TEST_P(Drafts, AreWrongOfDrawnWeights) { expectSame(1, GetParam()); }

INSTANTIATE_TEST_SUITE_P(Tiny, Drafts, ::testing::Values(1, 3),
                         ::testing::PrintToStringParamName());

} // namespace
} // namespace tenon::tests
