//===- LossesTest.cpp - Losses in chunks ----------------------------------===//

#include "frontend/dsl/Losses.h"
#include "frontend/Tenon.h"

#include <gtest/gtest.h>

#include <algorithm>

#include <cmath>

namespace tenon {
namespace {

constexpr int64_t kWidth = 6, kVocabulary = 11, kMost = 30, kChunk = 8;

/// A table that is the head, too, behind a layer.
struct Tied : Module {
  Tied()
      : Module(nullptr, "tied"), table(this, "table", kVocabulary, kWidth),
        layer(this, "layer", kWidth, kWidth) {}
  Embedding table;
  Linear layer;
};

/// The loss of `count` rows, and the gradients of all weights.
class Losses : public ::testing::TestWithParam<bool> {
protected:
  Results trained(Arguments &in, int64_t rows) {
    Dim M = Dim::symbol("M", 1, kMost);
    Tensor tokens = in.tensor("tokens", {M}, i32);
    Tensor targets = in.tensor("targets", {M}, i32);
    Tensor shares = in.tensor("shares", {M});
    Tensor weight = model.table.parameters()[0].tensor;
    Head head{[&](const Tensor &x) { return model.table.logits(x); }, {}, {}};
    (GetParam() ? head.trained : head.frozen).push_back(weight);
    auto rowLoss = [](const Tensor &logits,
                      const std::vector<Tensor> &columns) {
      Tensor lost = crossEntropy(logits, columns[0]);
      return RowTerms{lost * columns[1], -lost};
    };
    Tensor probe = fullLike(shares, 0, f32);
    std::vector<Tensor> of = tensorsOf(model.parameters());
    of.push_back(probe);
    LossAndGradients made = lossAndGradients(
        model,
        [&] {
          Tensor x = model.layer(model.table(tokens));
          return chunkedLoss(model, {x, {targets, shares}, probe}, head,
                             rowLoss, rows) *
                 3.0;
        },
        of);
    return {{"loss", made.loss},
            {"table", made.gradients[0]},
            {"layer", made.gradients[1]},
            {"probed", made.gradients[2]}};
  }
  /// -crossEntropy of each row, as `chunkedValues` computes it.
  Results scored(Arguments &in, int64_t rows) {
    Dim M = Dim::symbol("M", 1, kMost);
    Tensor tokens = in.tensor("tokens", {M}, i32);
    Tensor targets = in.tensor("targets", {M}, i32);
    in.tensor("shares", {M}); // as the others take it
    Head head{[&](const Tensor &x) { return model.table.logits(x); }, {}, {}};
    Tensor x = model.layer(model.table(tokens));
    return {{"log", chunkedValues(
                        {x, {targets}}, head,
                        [](const Tensor &logits, const auto &columns) {
                          return -crossEntropy(logits, columns[0]);
                        },
                        rows)}};
  }

  void SetUp() override {
    Entry whole{"whole", [&](Arguments &in) { return trained(in, kMost); }};
    Entry chunks{"chunks", [&](Arguments &in) { return trained(in, kChunk); }};
    Entry score{"score", [&](Arguments &in) { return scored(in, kMost); }};
    Entry scoreChunks{"scoreChunks",
                      [&](Arguments &in) { return scored(in, kChunk); }};
    TraceOptions options;
    options.trained = [](std::string_view) { return true; };
    auto program = trace(model, {whole, chunks, score, scoreChunks}, options);
    ASSERT_TRUE(program.ok()) << program.status();
    auto weights = Weights::random(*program, /*seed=*/3);
    auto opened = Session::open(*program, *weights);
    ASSERT_TRUE(opened.ok()) << opened.status();
    session = *std::move(opened);
  }

  Arrays call(const char *entry, int64_t count) {
    std::vector<int32_t> tokens, targets;
    std::vector<float> shares;
    for (int64_t i = 0; i < count; ++i) {
      tokens.push_back(static_cast<int32_t>(i * 7 % kVocabulary));
      targets.push_back(static_cast<int32_t>(i * i % kVocabulary));
      shares.push_back(0.1f + 0.01f * static_cast<float>(i));
    }
    auto results =
        session->call(entry, {{"tokens", Array::of(tokens, {count})},
                              {"targets", Array::of(targets, {count})},
                              {"shares", Array::of(shares, {count})}});
    EXPECT_TRUE(results.ok()) << results.status();
    return results.ok() ? *results : Arrays();
  }

  Tied model;
  std::unique_ptr<Session> session;
};

TEST_P(Losses, ChunksGiveWhatTheWholeGives) {
  for (int64_t count : {1, 7, 8, 9, 16, 29, 30}) {
    Arrays whole = call("whole", count), chunks = call("chunks", count);
    for (const char *name : {"loss", "layer", "table", "probed"}) {
      // Frozen, the table has no gradient as a head.
      if (name == std::string_view("table") && !GetParam())
        continue;
      auto expected = whole.at(name).values<float>();
      auto got = chunks.at(name).values<float>();
      ASSERT_EQ(expected.size(), got.size());
      for (size_t i = 0; i < got.size(); ++i)
        EXPECT_NEAR(expected[i], got[i], 1e-5f * (1 + std::abs(expected[i])))
            << name << " of " << count << " rows";
    }
  }
}

TEST_P(Losses, ChunksHaveTheRowsOfTheWhole) {
  for (int64_t count : {1, 8, 9, 30}) {
    Arrays whole = call("score", count), chunks = call("scoreChunks", count);
    auto expected = whole.at("log").values<float>();
    EXPECT_TRUE(std::ranges::equal(chunks.at("log").values<float>(), expected))
        << count << " rows";
    Arrays made = call("chunks", count);
    auto probed = made.at("probed").values<float>();
    ASSERT_EQ(probed.size(), expected.size());
    for (size_t i = 0; i < probed.size(); ++i) // of 3 times the loss
      EXPECT_EQ(probed[i], 3 * expected[i]) << "row " << i << " of " << count;
  }
}

INSTANTIATE_TEST_SUITE_P(Heads, Losses, ::testing::Bool(),
                         [](const auto &info) {
                           return info.param ? "trained" : "frozen";
                         });

} // namespace
} // namespace tenon
