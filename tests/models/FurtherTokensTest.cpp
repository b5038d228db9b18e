//===- FurtherTokensTest.cpp - Layers that predict a further token --------===//

#include "tests/models/GoldenCases.h"
#include "tests/models/ReferenceModel.h"
#include "tests/support/TempFolder.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <filesystem>

namespace tenon::tests {
namespace {
using ir::ref::Contract;
using ir::ref::Real;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr size_t kWidth = 64;

models::DecoderOptions withDrafts() {
  models::DecoderOptions options;
  options.drafts = true;
  return options;
}

/// The states of tokens from `begin` to `end`.
template <typename F>
std::vector<F> rowsOf(const std::vector<F> &states, size_t begin, size_t end) {
  return {states.begin() + begin * kWidth, states.begin() + end * kWidth};
}

template <typename A>
void expectGolden(ReferenceModel<A> &model, const GoldenCase &golden,
                  double tolerance) {
  const std::vector<int32_t> &tokens = golden.tokens;
  size_t last = tokens.size() - 2; // the last token that another follows
  auto main = model.forwardStates({{0, tokens}});
  ASSERT_TRUE(main.ok()) << main.status();
  EXPECT_LT(distance(main->logits, golden.logits), tolerance);
  std::vector<int32_t> after(tokens.begin() + 1, tokens.end());
  auto further = model.draft(after, rowsOf(main->states, 0, last + 1), 0);
  ASSERT_TRUE(further.ok()) << further.status();
  EXPECT_LT(distance(further->logits, golden.further), tolerance);
  auto chained =
      model.draft({after.back()}, rowsOf(further->states, last - 1, last),
                  static_cast<int32_t>(last));
  ASSERT_TRUE(chained.ok()) << chained.status();
  EXPECT_LT(distance(chained->logits, golden.chained), tolerance);
}

class FurtherTokens : public ::testing::TestWithParam<std::string> {
protected:
  const std::string path = goldenPath("tiny_deepseek3", GetParam());

  template <typename A> std::unique_ptr<ReferenceModel<A>> open() {
    auto model = ReferenceModel<A>::open(path, withDrafts());
    EXPECT_TRUE(model.ok()) << model.status();
    return model.ok() ? std::move(*model) : nullptr;
  }

  template <typename A> void expectGoldens(double tolerance) {
    auto cases = goldenCases("tiny_deepseek3");
    ASSERT_EQ(cases.size(), 3u);
    for (const GoldenCase &golden : cases) {
      auto model = open<A>();
      ASSERT_TRUE(model);
      expectGolden(*model, golden, tolerance);
    }
  }
};

TEST_P(FurtherTokens, RealIsTheMathematics) { expectGoldens<Real>(1e-6); }

TEST_P(FurtherTokens, ContractIsClose) { expectGoldens<Contract>(1e-4); }

TEST_P(FurtherTokens, CutsDoNotChangeABit) {
  const std::vector<int32_t> tokens = goldenCases("tiny_deepseek3")[2].tokens;
  auto whole = open<Contract>(), cut = open<Contract>();
  ASSERT_TRUE(whole && cut);
  auto logits = whole->forward({{0, tokens}});
  auto main = cut->forwardStates({{0, tokens}});
  ASSERT_TRUE(logits.ok() && main.ok());
  EXPECT_EQ(main->logits, *logits);
  std::vector<int32_t> after(tokens.begin() + 1, tokens.end());
  auto expected = whole->draft(after, rowsOf(main->states, 0, after.size()), 0);
  ASSERT_TRUE(expected.ok()) << expected.status();
  std::vector<float> joined;
  for (size_t begin = 0; size_t end : {1, 8, 21, 22, 39}) {
    auto piece = cut->draft({after.begin() + begin, after.begin() + end},
                            rowsOf(main->states, begin, end),
                            static_cast<int32_t>(begin));
    ASSERT_TRUE(piece.ok()) << piece.status();
    joined.insert(joined.end(), piece->logits.begin(), piece->logits.end());
    begin = end;
  }
  EXPECT_EQ(joined, expected->logits);
}

TEST_P(FurtherTokens, ProgramsWithoutDraftsHaveNothingOfIt) {
  auto model = ReferenceModel<Real>::open(path);
  ASSERT_TRUE(model.ok()) << model.status();
  std::string text = (*model)->program().print();
  EXPECT_THAT(text, Not(HasSubstr("further")));
  EXPECT_THAT(text, Not(HasSubstr("layers.2")));
}

INSTANTIATE_TEST_SUITE_P(Formats, FurtherTokens,
                         ::testing::Values("model.gguf", "model.safetensors"),
                         [](const auto &info) {
                           return info.param == "model.gguf" ? "gguf"
                                                             : "safetensors";
                         });

absl::Status draftsOf(const std::string &path) {
  auto files = ModelFiles::open(path);
  return files.ok() ? models::traceModel(*files, withDrafts()).status()
                    : files.status();
}

TEST(Drafts, OfModelsWithoutSuchALayerAreRefused) {
  for (const char *model : {"tiny_qwen2", "tiny_deepseek2"}) {
    absl::Status status = draftsOf(goldenPath(model, "model.gguf"));
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("expects a model with a layer that predicts a "
                          "further token, for drafts, got one without"));
  }
}

// Some files say that there is one and have not its weights.
TEST(Drafts, OfFilesThatLackTheLayerAreRefused) {
  TempFolder folder;
  std::filesystem::copy(goldenPath("tiny_deepseek2", "model.safetensors"),
                        folder.path("model.safetensors"));
  std::string config =
      replacedConfig("tiny_deepseek2", "\"moe_layer_freq\"",
                     "\"num_nextn_predict_layers\": 1, \"moe_layer_freq\"");
  folder.add("config.json", config);
  EXPECT_THAT(std::string(draftsOf(folder.path("model.safetensors")).message()),
              HasSubstr("got one without"));
  auto model = ReferenceModel<Real>::open(folder.path("model.safetensors"));
  EXPECT_TRUE(model.ok()) << model.status();
}

} // namespace
} // namespace tenon::tests
