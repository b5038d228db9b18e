//===- RecipeTest.cpp - Options of a run, and its schedules ---------------===//

#include "training/Recipe.h"
#include "training/Schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tenon::training {
namespace {
using ::testing::HasSubstr;

TEST(Recipe, ReadsSizes) {
  EXPECT_EQ(*parseBytes("512"), 512);
  EXPECT_EQ(*parseBytes("2GiB"), int64_t{2} << 30);
  EXPECT_EQ(*parseBytes("1.5MiB"), 3 << 19);
  EXPECT_EQ(*parseBytes("2GB"), 2'000'000'000);
  for (const char *text : {"", "GiB", "2 GiB", "-1MiB", "2XiB", "nan", "1e30"})
    EXPECT_FALSE(parseBytes(text).ok()) << text;
}

TEST(Recipe, NamesTheOption) {
  auto messageOf = [](auto change) {
    Recipe recipe;
    change(recipe);
    return recipe.complete().message();
  };
  EXPECT_THAT(messageOf([](Recipe &r) { r.steps = 0; }), HasSubstr("steps"));
  EXPECT_THAT(messageOf([](Recipe &r) { r.optimizer = "adam"; }),
              HasSubstr("adamw or sgd, got adam"));
  EXPECT_THAT(messageOf([](Recipe &r) { r.compute = "f16"; }),
              HasSubstr("f32 or bf16, got f16"));
  EXPECT_THAT(messageOf([](Recipe &r) { r.rate = NAN; }), HasSubstr("rate"));
  EXPECT_THAT(messageOf([](Recipe &r) { r.memoryBudget = "much"; }),
              HasSubstr("memory-budget"));
  EXPECT_THAT(messageOf([](Recipe &r) { r.curriculum = {"8"}; }),
              HasSubstr("STEP:LENGTH"));
  EXPECT_THAT(messageOf([](Recipe &r) { r.curriculum = {"5:8", "5:9"}; }),
              HasSubstr("ascending"));
  EXPECT_THAT(messageOf([](Recipe &r) { r.curriculum = {"0:4096"}; }),
              HasSubstr("at most 128"));
}

TEST(Schedule, WarmsUpAndFalls) {
  Recipe recipe;
  recipe.steps = 101;
  recipe.warmup = 10;
  recipe.rate = 1;
  recipe.finalRate = 0.1;
  EXPECT_FLOAT_EQ(rateAt(recipe, 0), 0.1f);
  EXPECT_FLOAT_EQ(rateAt(recipe, 9), 1);
  EXPECT_FLOAT_EQ(rateAt(recipe, 10), 1);
  EXPECT_FLOAT_EQ(rateAt(recipe, 55), 0.55f); // half of the cosine
  EXPECT_FLOAT_EQ(rateAt(recipe, 100), 0.1f);
  EXPECT_FLOAT_EQ(rateAt(recipe, 1000), 0.1f);
  recipe.schedule = "linear";
  EXPECT_FLOAT_EQ(rateAt(recipe, 55), 0.55f);
  recipe.schedule = "constant";
  EXPECT_FLOAT_EQ(rateAt(recipe, 100), 1);
  recipe.steps = 1;
  recipe.warmup = 0;
  recipe.schedule = "cosine";
  EXPECT_FLOAT_EQ(rateAt(recipe, 0), 1);
}

TEST(Schedule, StagesBeginAtTheirSteps) {
  Recipe recipe;
  recipe.curriculum = {"2:8", "5:16"};
  ASSERT_TRUE(recipe.complete().ok());
  EXPECT_EQ(stageAt(recipe, 1).length, 128);
  EXPECT_EQ(stageAt(recipe, 2).length, 8);
  EXPECT_EQ(stageAt(recipe, 4).firstStep, 2);
  EXPECT_EQ(stageAt(recipe, 5).length, 16);
  EXPECT_EQ(stageAt(recipe, 500).number, 2);
}

} // namespace
} // namespace tenon::training
