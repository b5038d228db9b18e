//===- RecordedRoutingTest.cpp - Experts of rollouts, in steps ------------===//

#include "frontend/Tenon.h"
#include "models/Registry.h"
#include "models/Training.h"
#include "runtime/exec/Generator.h"
#include "runtime/exec/Trainer.h"
#include "tests/models/AdapterModel.h"
#include "tests/models/GoldenCases.h"

#include "gmock/gmock.h"

namespace tenon::tests {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kLength = 24, kExperts = 8, kPerToken = 3;

/// A text that was drawn, and what is known of its tokens.
struct Drawn {
  std::vector<int32_t> tokens, experts;
  std::vector<float> log;
  int64_t from = 0;
};

/// A small model that learns from what it draws.
class PolicyModel {
public:
  PolicyModel(std::string_view config, bool records) { open(config, records); }

  /// Completions of prompts that begin alike.
  std::vector<Drawn> draw(const std::vector<std::vector<int32_t>> &prompts,
                          bool keepsExperts, int64_t most = kLength) {
    std::vector<Drawn> drawn(prompts.size());
    std::vector<exec::GenerateRequest> requests(prompts.size());
    for (size_t i = 0; i < prompts.size(); ++i) {
      drawn[i].tokens = prompts[i];
      drawn[i].from = std::ssize(prompts[i]);
      requests[i].prompt = prompts[i];
      requests[i].maxTokens = most - drawn[i].from;
      requests[i].sampling = {.temperature = 1, .seed = int64_t(i)};
      requests[i].log = &drawn[i].log;
      requests[i].experts = keepsExperts ? &drawn[i].experts : nullptr;
    }
    generator->forget();
    auto made = generator->generate(requests, [&](size_t i, int32_t token) {
      drawn[i].tokens.push_back(token);
      return false;
    });
    EXPECT_TRUE(made.ok()) << made.status();
    return drawn;
  }

  /// A step that makes every token likelier.
  StatusOr<exec::StepResult> step(const std::vector<Drawn> &drawn, float rate) {
    std::vector<exec::TrainSequence> batch;
    std::vector<std::vector<exec::TokenColumn>> columns;
    std::vector<float> ones(kLength, 1);
    for (const Drawn &each : drawn)
      columns.push_back({{"advantages", std::span(ones).first(each.log.size())},
                         {"old", each.log},
                         {"reference", each.log}});
    for (size_t i = 0; i < drawn.size(); ++i)
      batch.push_back(
          {drawn[i].tokens, drawn[i].from, columns[i], drawn[i].experts});
    const exec::NamedNumber numbers[] = {{"clip_low", 0.2f},
                                         {"clip_high", 0.2f},
                                         {"penalty", 0},
                                         {"temperature", 1.0f},
                                         {"balance_rate", 1e-3f}};
    return trainer->step(batch, {.rate = rate, .numbers = numbers});
  }

  std::unique_ptr<Session> session;
  std::unique_ptr<exec::Generator> generator;
  std::unique_ptr<exec::Trainer> trainer;

private:
  void open(std::string_view config, bool records) {
    auto files = ModelFiles::describe(folder.add("config.json", config),
                                      base::ElementType::F32);
    ASSERT_TRUE(files.ok()) << files.status();
    models::TrainingOptions options;
    options.tokens = 4 * kLength;
    options.objective = models::Objective::Policy;
    options.recordsRouting = records;
    auto decoder = models::buildModel(*files, options.decoder);
    ASSERT_TRUE(decoder.ok()) << decoder.status();
    auto program = models::traceTraining(*decoder, *files, options);
    ASSERT_TRUE(program.ok()) << program.status();
    auto weights = Weights::random(*program, /*seed=*/3);
    ASSERT_TRUE(weights.ok()) << weights.status();
    SessionOptions limits;
    limits.limits = {{"R", 8}};
    limits.sequences = 2;
    limits.threads = 2;
    auto opened = Session::open(*program, *weights, limits);
    ASSERT_TRUE(opened.ok()) << opened.status();
    session = *std::move(opened);
    auto draws = exec::Generator::create(session->runtime(), {});
    ASSERT_TRUE(draws.ok()) << draws.status();
    generator = *std::move(draws);
    auto learns = exec::Trainer::create(session->runtime());
    ASSERT_TRUE(learns.ok()) << learns.status();
    trainer = *std::move(learns);
  }

  TempFolder folder;
};

/// How often each layer's experts are there, as a step counts them.
std::vector<float> loadOf(const std::vector<Drawn> &drawn, int64_t layers) {
  std::vector<float> load(layers * (kExperts + 1), 0);
  for (const Drawn &each : drawn)
    for (size_t i = 0; i < each.experts.size(); ++i)
      ++load[i / kPerToken % layers * (kExperts + 1) + each.experts[i]];
  return load;
}

std::vector<std::vector<int32_t>> prompts() {
  std::vector<int32_t> text = adaptedText(9);
  std::vector<std::vector<int32_t>> made(3, text);
  made[2].push_back(7);
  return made;
}

class RecordedRoutings : public ::testing::TestWithParam<const char *> {
protected:
  std::string config() const {
    return GetParam() == std::string_view("qwen3moe")
               ? std::string(kAdaptedExperts)
               : replacedConfig("tiny_deepseek3", "", "");
  }
  int64_t layers() const {
    return GetParam() == std::string_view("qwen3moe") ? 2 : 1;
  }
};

// What steps compute and learn with the experts of the rollouts has the bits of
// what they choose themselves.
TEST_P(RecordedRoutings, ChangeNothingWhereNothingChanged) {
  PolicyModel recorded(config(), true), computed(config(), false);
  if (HasFatalFailure())
    return;
  for (int step = 0; step < 3; ++step) {
    std::vector<Drawn> drawn = recorded.draw(prompts(), true);
    std::vector<Drawn> same = computed.draw(prompts(), false);
    std::vector<float> log;
    for (size_t i = 0; i < drawn.size(); ++i) {
      EXPECT_EQ(drawn[i].tokens, same[i].tokens);
      EXPECT_EQ(drawn[i].log, same[i].log);
      EXPECT_EQ(drawn[i].experts.size(),
                (drawn[i].tokens.size() - 1) * layers() * kPerToken);
      log.insert(log.end(), drawn[i].log.begin(), drawn[i].log.end());
    }
    auto made = recorded.step(drawn, 0.01f);
    ASSERT_TRUE(made.ok()) << made.status();
    auto expected = computed.step(same, 0.01f);
    ASSERT_TRUE(expected.ok()) << expected.status();
    EXPECT_EQ(made->log, log);
    EXPECT_EQ(made->log, expected->log);
    EXPECT_EQ(made->loss, expected->loss);
    EXPECT_EQ(made->norm, expected->norm);
    EXPECT_EQ(made->load, expected->load);
    EXPECT_EQ(made->load, loadOf(drawn, layers()));
  }
}

// After the routers have changed, tokens have other experts, and those of the
// rollouts where these are replayed.
TEST_P(RecordedRoutings, AreReplayedWhateverTheRoutersSay) {
  PolicyModel model(config(), true);
  if (HasFatalFailure())
    return;
  std::vector<Drawn> drawn = model.draw(prompts(), true);
  std::string router = "layers.1.experts.router.weight";
  Array weight = *model.session->read(router);
  for (float &value : weight.values<float>())
    value = -value;
  ASSERT_TRUE(model.session->write(router, weight).ok());
  std::vector<Drawn> chosen = drawn;
  for (Drawn &each : chosen) {
    std::vector<int32_t> text(each.tokens.begin(), each.tokens.end() - 1);
    each.experts = model.draw({text}, true, std::ssize(text) + 1)[0].experts;
    EXPECT_EQ(each.experts.size(), drawn[0].experts.size());
  }
  EXPECT_NE(loadOf(chosen, layers()), loadOf(drawn, layers()));
  auto replayed = model.step(drawn, 0), anew = model.step(chosen, 0);
  ASSERT_TRUE(replayed.ok() && anew.ok()) << replayed.status();
  EXPECT_EQ(replayed->load, loadOf(drawn, layers()));
  EXPECT_EQ(anew->load, loadOf(chosen, layers()));
  EXPECT_NE(replayed->log, anew->log);
}

INSTANTIATE_TEST_SUITE_P(Models, RecordedRoutings,
                         ::testing::Values("qwen3moe", "deepseek3"),
                         [](const auto &info) { return info.param; });

TEST(RecordedRoutingErrors, AreClear) {
  PolicyModel model(kAdaptedExperts, true);
  if (::testing::Test::HasFatalFailure())
    return;
  std::vector<Drawn> drawn = model.draw(prompts(), true);
  drawn[1].experts.pop_back();
  EXPECT_THAT(model.step(drawn, 0).status().message(),
              HasSubstr("expects 138 experts, 6 for each token computed, got "
                        "137"));
  // Of the second text's first token, in the second layer.
  drawn[1].experts.push_back(0);
  drawn[1].experts[kPerToken] = kExperts;
  EXPECT_THAT(model.step(drawn, 0).status().message(),
              ::testing::AllOf(HasSubstr("tn.moe_"), HasSubstr("layers.1"),
                               HasSubstr("token 23 has expert 8")));
  PolicyModel plain(kAdaptedExperts, false);
  std::vector<int32_t> experts, text = adaptedText(4);
  exec::GenerateRequest request;
  request.prompt = text;
  request.experts = &experts;
  EXPECT_THAT(plain.generator->generate({&request, 1}, {}).status().message(),
              HasSubstr("a program that notes experts"));
  auto files = ModelFiles::open(goldenPath("tiny_llama", "model.safetensors"));
  ASSERT_TRUE(files.ok()) << files.status();
  auto dense = models::buildModel(*files);
  ASSERT_TRUE(dense.ok()) << dense.status();
  models::TrainingOptions options;
  options.recordsRouting = true;
  EXPECT_THAT(
      std::string(
          models::traceTraining(*dense, *files, options).status().message()),
      HasSubstr("a model with layers of experts"));
}

} // namespace
} // namespace tenon::tests
