//===- TokenDataTest.cpp - Data sets on disk ------------------------------===//

#include "training/TokenData.h"
#include "tests/support/TempFolder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace tenon::training {
namespace {
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TokenDataContents text(int64_t tokens) {
  TokenDataContents contents;
  contents.tokens.resize(tokens);
  std::iota(contents.tokens.begin(), contents.tokens.end(), 0);
  contents.vocabulary = tokens;
  return contents;
}

TokenDataContents documents() {
  TokenDataContents contents = text(10);
  contents.documents = {0, 3, 8, 10};
  contents.learned = {1, 4, 2};
  return contents;
}

class TokenDataTest : public ::testing::Test {
protected:
  StatusOr<TokenData> stored(const TokenDataContents &contents) {
    std::string path = folder.path("data.safetensors");
    Status status = writeTokenData(path, contents);
    EXPECT_TRUE(status.ok()) << status.message();
    return TokenData::open(path);
  }
  std::string errorOf(const TokenDataContents &contents) {
    StatusOr<TokenData> data = stored(contents);
    EXPECT_EQ(data.status().code(), TENON_DATA_LOSS);
    return data.status().message();
  }
  tests::TempFolder folder;
};

TEST_F(TokenDataTest, CutsATextWithoutOverlap) {
  StatusOr<TokenData> data = stored(text(10));
  ASSERT_TRUE(data.ok()) << data.status().message();
  EXPECT_EQ(data->vocabulary(), 10);
  EXPECT_EQ(data->sequences(4), 2); // 0..4 and 4..8; the 9 is left over
  EXPECT_THAT(data->sequence(0, 4).tokens, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(data->sequence(1, 4).tokens, ElementsAre(4, 5, 6, 7, 8));
  EXPECT_EQ(data->sequences(9), 1);
  EXPECT_EQ(data->sequences(10), 0);
}

TEST_F(TokenDataTest, KeepsDocuments) {
  StatusOr<TokenData> data = stored(documents());
  ASSERT_TRUE(data.ok()) << data.status().message();
  EXPECT_EQ(data->sequences(100), 3);
  exec::TrainSequence middle = data->sequence(1, 100);
  EXPECT_THAT(middle.tokens, ElementsAre(3, 4, 5, 6, 7));
  EXPECT_EQ(middle.from, 4);
  EXPECT_EQ(middle.learned(), 1);
  // Cut before what is learned.
  EXPECT_LE(data->sequence(1, 3).learned(), 0);
}

TEST_F(TokenDataTest, RefusesContradictions) {
  TokenDataContents contents = documents();
  contents.documents.back() = 9;
  EXPECT_THAT(errorOf(contents), HasSubstr("'documents' from 0 to 10"));
  contents = documents();
  contents.documents = {0, 8, 3, 10};
  EXPECT_THAT(errorOf(contents), HasSubstr("ascending"));
  contents = documents();
  contents.learned.pop_back();
  EXPECT_THAT(errorOf(contents), HasSubstr("'learned' of each of 3"));
  contents = documents();
  contents.learned[0] = 0;
  EXPECT_THAT(errorOf(contents), HasSubstr("at least 1"));
  contents = text(10);
  contents.vocabulary = 9;
  EXPECT_THAT(errorOf(contents), HasSubstr("tokens in [0, 9), got 9"));
}

TEST_F(TokenDataTest, RefusesOtherFiles) {
  folder.add("other.safetensors", "no tensors");
  EXPECT_FALSE(TokenData::open(folder.path("other.safetensors")).ok());
  EXPECT_EQ(TokenData::open(folder.path("none.safetensors")).status().code(),
            TENON_NOT_FOUND);
}

} // namespace
} // namespace tenon::training
