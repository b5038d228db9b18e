//===- AdaptersTest.cpp - Decoders with adapters --------------------------===//

#include "runtime/exec/Trainer.h"
#include "tests/models/AdapterModel.h"
#include "tests/models/GoldenCases.h"

#include "gmock/gmock.h"

#include <cmath>
#include <cstring>

namespace tenon::tests {
namespace {

using base::ElementType;
using ::testing::HasSubstr;
using Purpose = AdapterModel::Purpose;

AdapterOptions adaptersOf(AdapterKind kind, std::vector<std::string> targets) {
  // Of one scale, about.
  double alpha = kind == AdapterKind::RsLoRa ? 6 : 16;
  return {
      .kind = kind, .rank = 8, .alpha = alpha, .targets = std::move(targets)};
}

bool sameBits(const std::vector<float> &a, const std::vector<float> &b) {
  return !a.empty() && a.size() == b.size() &&
         std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// Takes steps from adapters that change nothing; returns the losses.
std::vector<float> learn(AdapterModel &model, const std::vector<int32_t> &text,
                         int steps) {
  std::vector<float> losses;
  auto adapters = exec::AdapterSet::create(model.runtime().program().program());
  EXPECT_TRUE(adapters.ok()) << adapters.status();
  EXPECT_TRUE(adapters->useNone(model.runtime()).ok());
  auto trainer = exec::Trainer::create(model.runtime());
  EXPECT_TRUE(trainer.ok()) << trainer.status();
  exec::TrainSequence sequence = {text};
  for (int step = 0; step < steps; ++step) {
    auto made = (*trainer)->step({&sequence, 1}, {.rate = 0.01f});
    EXPECT_TRUE(made.ok()) << made.status();
    losses.push_back(made.ok() ? made->loss : NAN);
  }
  return losses;
}

class AdapterKinds : public ::testing::TestWithParam<AdapterKind> {};

TEST_P(AdapterKinds, LearnAText) {
  AdapterModel model(ElementType::Q4_K, adaptersOf(GetParam(), {"*"}),
                     Purpose::Train);
  if (HasFatalFailure())
    return;
  std::vector<int32_t> text = adaptedText(41);
  std::vector<float> losses = learn(model, text, 40);
  EXPECT_GT(losses.front(), 3.5f);
  EXPECT_LT(losses.back(), 0.3f);
  // What is generated is what was learned.
  SamplingOptions sampling;
  sampling.maxTokens = 8;
  auto tokens = model.session->generate(std::span(text).first(20), sampling);
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  EXPECT_EQ(*tokens,
            std::vector<int32_t>(text.begin() + 20, text.begin() + 28));
}

INSTANTIATE_TEST_SUITE_P(Kinds, AdapterKinds,
                         ::testing::Values(AdapterKind::LoRa,
                                           AdapterKind::RsLoRa,
                                           AdapterKind::Bottleneck),
                         [](const auto &info) {
                           return std::string(nameOf(info.param));
                         });

class AdapterFormats : public ::testing::TestWithParam<ElementType> {};

// What a step computes forward has the bits of inference: all logits.
TEST_P(AdapterFormats, HaveTheBitsOfInference) {
  for (AdapterKind kind : {AdapterKind::LoRa, AdapterKind::Bottleneck}) {
    AdapterModel model(GetParam(),
                       adaptersOf(kind, {"*.query", "*.value", "*.down"}),
                       Purpose::Compare);
    if (HasFatalFailure())
      return;
    std::vector<int32_t> text = adaptedText(101);
    std::vector<float> inside = model.logitsInside(text);
    EXPECT_EQ(inside.size(), text.size() * kAdaptedVocabulary);
    EXPECT_TRUE(sameBits(inside, model.logits(text))) << nameOf(kind);
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, AdapterFormats,
                         ::testing::Values(ElementType::Q4_K, ElementType::Q8_0,
                                           ElementType::Int4_G64,
                                           ElementType::BF16, ElementType::F32),
                         [](const auto &info) {
                           return std::string(base::info(info.param).name);
                         });

/// Those of experts learn, and what was written gives inference the bits of
/// training, in one call and by a call for each token.
void expectLearned(ElementType element, AdapterKind kind,
                   std::string_view config) {
  AdapterOptions options = adaptersOf(kind, {"*.experts.*"});
  AdapterModel trained(element, options, Purpose::Train, config),
      model(element, options, Purpose::Compare, config);
  if (::testing::Test::HasFatalFailure())
    return;
  std::vector<int32_t> text = adaptedText(41);
  std::vector<float> losses = learn(trained, text, 30);
  EXPECT_LT(losses.back(), 0.6f * losses.front());
  TempFolder folder;
  auto set = exec::AdapterSet::create(trained.runtime().program().program());
  ASSERT_TRUE(set.ok() && set->keep("learned", trained.runtime()).ok());
  ASSERT_TRUE(set->save("learned", folder.path()).ok());

  auto read = exec::AdapterSet::create(model.runtime().program().program());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(read->unadapted(),
              ::testing::ElementsAre("layers.*.experts.router"));
  std::vector<float> before = model.logits(text);
  Status loaded = read->load("learned", folder.path());
  ASSERT_TRUE(loaded.ok()) << loaded;
  ASSERT_TRUE(read->use(model.runtime(), "learned").ok());
  std::vector<float> after = model.logits(text);
  EXPECT_NE(before, after);
  EXPECT_TRUE(sameBits(after, trained.logits(text)));
  EXPECT_TRUE(sameBits(after, model.logitsInside(text)));
  EXPECT_TRUE(sameBits(after, model.logitsOneByOne(text)));
}

class ExpertAdapters
    : public ::testing::TestWithParam<std::tuple<ElementType, AdapterKind>> {};

TEST_P(ExpertAdapters, LearnAndRunWithTheSameBits) {
  auto [element, kind] = GetParam();
  expectLearned(element, kind, kAdaptedExperts);
}

// Steps that train the model change the biases of its routers, too.
TEST(BiasedExpertAdapters, LeaveTheBiasesOfTheChoice) {
  expectLearned(ElementType::BF16, AdapterKind::LoRa,
                replacedConfig("tiny_deepseek3", "", ""));
}

INSTANTIATE_TEST_SUITE_P(
    Formats, ExpertAdapters,
    ::testing::Combine(::testing::Values(ElementType::Q8_0, ElementType::Q4_0,
                                         ElementType::BF16),
                       ::testing::Values(AdapterKind::LoRa,
                                         AdapterKind::Bottleneck)),
    [](const auto &info) {
      return std::string(base::info(std::get<0>(info.param)).name) + "_" +
             std::string(nameOf(std::get<1>(info.param)));
    });

TEST(AdapterSets, SwitchAndGiveEachOnesBitsAgain) {
  AdapterModel model(ElementType::Q4_K,
                     adaptersOf(AdapterKind::LoRa, {"*.query", "*.value"}),
                     Purpose::Compare);
  if (::testing::Test::HasFatalFailure())
    return;
  exec::Session &session = model.runtime();
  auto set = exec::AdapterSet::create(session.program().program());
  ASSERT_TRUE(set.ok()) << set.status();
  std::vector<int32_t> text = adaptedText(30);
  std::map<std::string, std::vector<float>> expected;
  ASSERT_TRUE(set->keep("first", session).ok());
  expected["first"] = model.logits(text);
  const std::string weight = "adapters.layers.1.attention.value.lora_b";
  Array changed = *model.session->read(weight);
  for (float &value : changed.values<float>())
    value = -value;
  ASSERT_TRUE(model.session->write(weight, changed).ok());
  ASSERT_TRUE(set->keep("second", session).ok());
  expected["second"] = model.logits(text);
  ASSERT_TRUE(set->useNone(session).ok());
  std::vector<float> none = model.logits(text);
  EXPECT_NE(expected["first"], expected["second"]);
  EXPECT_NE(expected["first"], none);
  for (const char *name : {"first", "second", "first"}) {
    ASSERT_TRUE(set->use(session, name).ok());
    EXPECT_TRUE(sameBits(model.logits(text), expected[name])) << name;
    ASSERT_TRUE(set->useNone(session).ok());
    EXPECT_TRUE(sameBits(model.logits(text), none));
  }
  EXPECT_THAT(set->use(session, "third").message(),
              HasSubstr("expects one of the adapters first, second, got "
                        "'third'"));
  EXPECT_TRUE(set->remove("first"));
  EXPECT_FALSE(set->remove("first"));
  EXPECT_EQ(set->names(), std::vector<std::string>{"second"});
}

// Without an adapter a model gives what it gives where it has no place for one.
TEST(AdapterSets, NoneIsTheModelItself) {
  std::vector<int32_t> text = adaptedText(30);
  AdapterModel adapted(ElementType::Q4_K, adaptersOf(AdapterKind::LoRa, {"*"}),
                       Purpose::Compare);
  AdapterModel plain(ElementType::Q4_K, std::nullopt, Purpose::Compare);
  if (::testing::Test::HasFatalFailure())
    return;
  auto set = exec::AdapterSet::create(adapted.runtime().program().program());
  ASSERT_TRUE(set.ok()) << set.status();
  ASSERT_TRUE(set->useNone(adapted.runtime()).ok());
  EXPECT_TRUE(sameBits(adapted.logits(text), plain.logits(text)));
  auto refused = exec::AdapterSet::create(plain.runtime().program().program());
  EXPECT_THAT(refused.status().message(),
              HasSubstr("compiled with adapters, got one without"));
}

} // namespace
} // namespace tenon::tests
