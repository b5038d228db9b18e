//===- TinyModelsTest.cpp - Tiny models against golden logits -------------===//

#include "tests/models/GoldenCases.h"
#include "tests/models/ReferenceModel.h"

#include "gtest/gtest.h"

namespace tenon::tests {
namespace {
using ir::ref::Contract;
using ir::ref::Real;

struct Tiny {
  std::string model;
  std::string file;
};

void PrintTo(const Tiny &tiny, std::ostream *os) {
  *os << tiny.model << "/" << tiny.file;
}

class TinyModels : public ::testing::TestWithParam<Tiny> {
protected:
  template <typename A> std::unique_ptr<ReferenceModel<A>> open() {
    auto model =
        ReferenceModel<A>::open(goldenPath(GetParam().model, GetParam().file));
    EXPECT_TRUE(model.ok()) << model.status();
    return model.ok() ? std::move(*model) : nullptr;
  }
};

/// Two sequences at once, unequal in length, each against its golden logits.
template <typename A>
void expectGolden(ReferenceModel<A> &model,
                  const std::vector<GoldenCase> &cases, double tolerance) {
  auto logits = model.forward({{1, cases[1].tokens}, {0, cases[2].tokens}});
  ASSERT_TRUE(logits.ok()) << logits.status();
  std::vector<float> expected = cases[1].logits;
  expected.insert(expected.end(), cases[2].logits.begin(),
                  cases[2].logits.end());
  EXPECT_LT(distance(*logits, expected), tolerance);
}

TEST_P(TinyModels, RealIsTheMathematics) {
  auto cases = goldenCases(GetParam().model);
  ASSERT_EQ(cases.size(), 3u);
  auto model = open<Real>();
  ASSERT_TRUE(model);
  // The golden logits are doubles rounded to f32.
  expectGolden(*model, cases, 1e-6);
}

TEST_P(TinyModels, ContractIsClose) {
  auto cases = goldenCases(GetParam().model);
  ASSERT_EQ(cases.size(), 3u);
  auto model = open<Contract>();
  ASSERT_TRUE(model);
  expectGolden(*model, cases, 1e-4);
}

// Prompt chunking and what else is in a batch must not change a bit.
TEST_P(TinyModels, CutsDoNotChangeABit) {
  auto cases = goldenCases(GetParam().model);
  ASSERT_EQ(cases.size(), 3u);
  const std::vector<int32_t> &tokens = cases[2].tokens;
  auto whole = open<Contract>(), cut = open<Contract>();
  ASSERT_TRUE(whole && cut);
  auto expected = whole->forward({{0, tokens}});
  ASSERT_TRUE(expected.ok()) << expected.status();
  std::vector<float> joined;
  size_t vocabulary = expected->size() / tokens.size();
  for (size_t begin = 0; size_t end : {1, 8, 21, 22, 40}) {
    Piece piece{0, {tokens.begin() + begin, tokens.begin() + end}};
    auto logits = cut->forward({piece, {1, {5}}});
    ASSERT_TRUE(logits.ok()) << logits.status();
    joined.insert(joined.end(), logits->begin(),
                  logits->begin() + (end - begin) * vocabulary);
    begin = end;
  }
  EXPECT_EQ(joined, *expected);
}

// Both forms of latent attention are the same mathematics.
TEST(LatentAttention, OverKeysAndValuesIsThatOverLatents) {
  models::DecoderOptions options;
  options.latents = models::LatentForm::Materialised;
  for (const char *name : {"tiny_deepseek2", "tiny_deepseek3"})
    for (const char *file : {"model.gguf", "model.safetensors"}) {
      auto model = ReferenceModel<Real>::open(goldenPath(name, file), options);
      ASSERT_TRUE(model.ok()) << model.status();
      expectGolden(**model, goldenCases(name), 1e-6);
    }
}

TEST_P(TinyModels, TemperatureZeroTakesTheLikeliest) {
  auto model = open<Contract>();
  ASSERT_TRUE(model);
  size_t vocabulary = GetParam().model == "tiny_gemma3" ? 128 : 96;
  std::vector<float> logits(vocabulary, 0.0f);
  logits[17] = 3;
  auto token = model->sample(logits, /*temperature=*/0, /*seed=*/1);
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(*token, 17);
}

// Layers that are equal must be equal functions: they are compiled once.
TEST_P(TinyModels, EqualLayersAreOutlined) {
  auto model = open<Real>();
  ASSERT_TRUE(model);
  std::string text = model->program().print();
  EXPECT_NE(text.find("func.func private @forward.layers.0"),
            std::string::npos);
  EXPECT_NE(text.find("tn.variants"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    Files, TinyModels,
    ::testing::Values(Tiny{"tiny_qwen2", "model.gguf"},
                      Tiny{"tiny_qwen2", "model.safetensors"},
                      Tiny{"tiny_gpt2", "model.gguf"},
                      Tiny{"tiny_gpt2", "model.safetensors"},
                      Tiny{"tiny_llama", "model.gguf"},
                      Tiny{"tiny_llama", "model.safetensors"},
                      Tiny{"tiny_qwen3moe", "model.gguf"},
                      Tiny{"tiny_qwen3moe", "model.safetensors"},
                      Tiny{"tiny_gemma3", "model.gguf"},
                      Tiny{"tiny_gemma3", "model.safetensors"},
                      Tiny{"tiny_deepseek2", "model.gguf"},
                      Tiny{"tiny_deepseek2", "model.safetensors"},
                      Tiny{"tiny_deepseek3", "model.gguf"},
                      Tiny{"tiny_deepseek3", "model.safetensors"}),
    [](const auto &info) {
      std::string name = info.param.model + "_" + info.param.file;
      std::replace(name.begin(), name.end(), '.', '_');
      return name;
    });
} // namespace
} // namespace tenon::tests
