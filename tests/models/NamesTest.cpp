//===- NamesTest.cpp - Weights' names in files ----------------------------===//

#include "models/gemma/Model.h"
#include "models/llama/Model.h"

#include "gtest/gtest.h"

namespace tenon::tests {
namespace {

TEST(Names, LayersKeepTheirNumber) {
  auto names = models::gemma::weightNames();
  EXPECT_EQ(models::nameInFile(names, "layers.17.attention.query.weight", true),
            "blk.17.attn_q.weight");
  EXPECT_EQ(
      models::nameInFile(names, "layers.17.attention.query.weight", false),
      "model.layers.17.self_attn.q_proj.weight");
}

TEST(Names, UnknownNamesStay) {
  EXPECT_EQ(models::nameInFile(models::llama::weightNames(),
                               "layers.x.attention.query.weight", true),
            "layers.x.attention.query.weight");
}

TEST(Names, AfterAttentionIsNotTheAttentionsNorm) {
  auto names = models::gemma::weightNames();
  EXPECT_EQ(models::nameInFile(names, "layers.0.attention_norm.weight", true),
            "blk.0.attn_norm.weight");
  EXPECT_EQ(models::nameInFile(names, "layers.0.after_attention.weight", true),
            "blk.0.post_attention_norm.weight");
}
} // namespace
} // namespace tenon::tests
