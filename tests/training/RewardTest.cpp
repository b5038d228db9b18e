//===- RewardTest.cpp - Answers that are verified -------------------------===//

#include "training/Reward.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tenon::training {
namespace {
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<double> rewardsOf(const char *name, const Task &task,
                              const std::vector<Completion> &completions) {
  std::string text = name;
  StatusOr<std::vector<Reward>> rewards = parseRewards({&text, 1});
  EXPECT_TRUE(rewards.ok());
  return (*rewards)[0].function(task, completions);
}

TEST(Reward, ReadsTheLastNumber) {
  EXPECT_EQ(lastNumber("x = 5"), (Fraction{5, 1}));
  EXPECT_EQ(lastNumber("from 3 to -12."), (Fraction{-12, 1}));
  EXPECT_EQ(lastNumber("2.50"), (Fraction{5, 2}));
  EXPECT_EQ(lastNumber("It is -6/4!"), (Fraction{-3, 2}));
  EXPECT_EQ(lastNumber("none"), std::nullopt);
  EXPECT_EQ(lastNumber("1/0"), std::nullopt);
  EXPECT_EQ(lastNumber("12345678901234567890"), std::nullopt);
  EXPECT_EQ(lastNumber(""), std::nullopt);
}

TEST(Reward, AnswersAreComparedAsNumbers) {
  Task task{.prompt = "", .answer = "5/2", .tokens = {}};
  EXPECT_TRUE(isRight(task, "<think>7</think>2.5"));
  EXPECT_TRUE(isRight(task, "The answer is 10/4."));
  EXPECT_FALSE(isRight(task, "<think>2.5</think>"));
  EXPECT_FALSE(isRight(task, "2.5 or 3"));
  Task word{.prompt = "", .answer = "no solution", .tokens = {}};
  EXPECT_TRUE(isRight(word, "<think>0 = 1</think> no solution "));
  EXPECT_FALSE(isRight(word, "no"));
}

TEST(Reward, Format) {
  std::vector<Completion> completions = {{"<think>a</think>5", true},
                                         {"<think>a</think>5", false},
                                         {"<think></think>5", true},
                                         {"<think>a</think>", true},
                                         {"<think>a</think>5</think>6", true},
                                         {"a</think>5", true},
                                         {"5", true}};
  EXPECT_THAT(rewardsOf("format", {"2 + 3?", "5", {}}, completions),
              ElementsAre(1, 0, 0, 0, 0, 0, 0));
  // Where the prompt opens the thoughts, the completion does not.
  EXPECT_THAT(rewardsOf("format", {"2 + 3? <think>", "5", {}}, completions),
              ElementsAre(0, 0, 0, 0, 0, 1, 0));
}

TEST(Reward, ArithmeticCountsTrueStatements) {
  EXPECT_THAT(rewardsOf("arithmetic", {},
                        {{"2 + 3 = 5, 15 - 5 = 9", true},
                         {"2x = 10 so x = 10 / 2 = 5", true},
                         {"1 + 2 + 3 = 6", true}, // of two terms alone
                         {"7 * -2 = -14; 1/0 = 3", true},
                         {"nothing", true}}),
              ElementsAre(0.5, 1, 1, 0.5, 1));
}

TEST(Reward, DiversityIsOfTheGroup) {
  EXPECT_THAT(rewardsOf("diversity", {},
                        {{"a b c d", true}, {"a b c e", true}, {"", true}}),
              ElementsAre(DoubleNear(0.75, 1e-12), DoubleNear(0.75, 1e-12), 0));
  EXPECT_THAT(rewardsOf("diversity", {}, {{"a b c", true}}), ElementsAre(0));
}

TEST(Reward, NamesAreChecked) {
  auto messageOf = [](std::string text) {
    return parseRewards({&text, 1}).status().message();
  };
  EXPECT_THAT(messageOf("luck"), HasSubstr("accuracy, arithmetic"));
  EXPECT_THAT(messageOf("format=much"), HasSubstr("NAME=WEIGHT"));
  EXPECT_THAT(messageOf("format="), HasSubstr("NAME=WEIGHT"));
  addReward("own", [](const Task &, std::span<const Completion> completions) {
    return std::vector<double>(completions.size(), 2);
  });
  std::string text = "own=0.5";
  StatusOr<std::vector<Reward>> rewards = parseRewards({&text, 1});
  ASSERT_TRUE(rewards.ok());
  EXPECT_EQ((*rewards)[0].weight, 0.5);
}

} // namespace
} // namespace tenon::training
