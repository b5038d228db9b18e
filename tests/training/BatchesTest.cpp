//===- BatchesTest.cpp - Which sequences a step learns --------------------===//

#include "training/Batches.h"
#include "tests/support/TempFolder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <set>

namespace tenon::training {
namespace {

class Batches : public ::testing::Test {
protected:
  void SetUp() override {
    TokenDataContents contents;
    contents.tokens.resize(101);
    std::iota(contents.tokens.begin(), contents.tokens.end(), 0);
    contents.vocabulary = 101;
    std::string path = folder.path("data.safetensors");
    ASSERT_TRUE(writeTokenData(path, contents).ok());
    StatusOr<TokenData> opened = TokenData::open(path);
    ASSERT_TRUE(opened.ok());
    data.emplace(*std::move(opened));
    recipe.batch = 5;
    recipe.length = 10;
  }
  /// The first tokens of a step's sequences.
  std::vector<int32_t> firsts(int64_t step) {
    auto batch = batchAt(recipe, *data, step);
    EXPECT_TRUE(batch.ok());
    std::vector<int32_t> tokens;
    for (const exec::TrainSequence &sequence : *batch)
      tokens.push_back(sequence.tokens[0]);
    return tokens;
  }
  tests::TempFolder folder;
  std::optional<TokenData> data;
  Recipe recipe;
};

TEST_F(Batches, GoThroughAllOnceEachTime) {
  std::vector<std::vector<int32_t>> orders;
  for (int64_t epoch = 0; epoch < 2; ++epoch) {
    std::vector<int32_t> order = firsts(2 * epoch);
    std::vector<int32_t> rest = firsts(2 * epoch + 1);
    order.insert(order.end(), rest.begin(), rest.end());
    EXPECT_EQ(std::set(order.begin(), order.end()).size(), 10u);
    orders.push_back(order);
  }
  EXPECT_NE(orders[0], orders[1]);
  EXPECT_EQ(epochAt(recipe, *data, 3), 1.5);
}

TEST_F(Batches, FollowFromTheSeed) {
  std::vector<int32_t> one = firsts(7);
  EXPECT_EQ(firsts(7), one);
  recipe.seed = 2;
  EXPECT_NE(firsts(7), one);
}

TEST_F(Batches, ShorterSequencesAreMore) {
  recipe.curriculum = {"0:5"};
  ASSERT_TRUE(recipe.complete().ok());
  EXPECT_EQ(firsts(0).size(), 10u);
  EXPECT_EQ(firsts(0), firsts(0));
}

TEST_F(Batches, AreRefusedWhereTheSetIsSmaller) {
  recipe.batch = 11;
  Status status = batchAt(recipe, *data, 0).status();
  EXPECT_EQ(status.code(), TENON_INVALID_ARGUMENT);
  EXPECT_THAT(status.message(),
              ::testing::HasSubstr("at least 11 sequences of 10 tokens"));
  recipe.length = 200;
  EXPECT_FALSE(firstSequences(recipe, *data, 4).ok());
}

} // namespace
} // namespace tenon::training
