//===- MemoryPlanTest.cpp - Temporaries share memory, never a moment ------===//

#include "tests/runtime/base/SamplePrograms.h"

#include <gtest/gtest.h>
#include <random>

namespace tenon::base {
namespace {

Buffer temporary(int64_t bytes, uint32_t firstUse, uint32_t lastUse) {
  Buffer buffer = sampleBuffer(BufferKind::Temporary, 0, number(bytes));
  buffer.firstUse = firstUse;
  buffer.lastUse = lastUse;
  return buffer;
}

TEST(MemoryPlan, SharesMemoryBetweenLifetimesThatDoNotMeet) {
  Variant variant;
  variant.buffers = {temporary(100, 0, 1), temporary(100, 1, 2),
                     temporary(100, 2, 3), temporary(0, 0, 3)};
  auto plan = planMemory(variant, {});
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->offsets, (std::vector<int64_t>{0, 128, 0, 0}));
  EXPECT_EQ(plan->arenaBytes, 256);
}

TEST(MemoryPlan, PlacesOnlyTemporaries) {
  Variant variant;
  variant.buffers = {sampleBuffer(BufferKind::State, 0, number(64)),
                     temporary(64, 0, 1)};
  auto plan = planMemory(variant, {});
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->offsets, (std::vector<int64_t>{-1, 0}));
}

TEST(MemoryPlan, FollowsTheSymbols) {
  Variant variant;
  variant.buffers = {temporary(0, 0, 1)};
  variant.buffers[0].sizeBytes =
      Expr::binary(Expr::Op::Mul, Expr::symbol(0), number(100));
  EXPECT_EQ(planMemory(variant, {1})->arenaBytes, 128);
  EXPECT_EQ(planMemory(variant, {512})->arenaBytes, 51200);
}

TEST(MemoryPlan, RefusesSizesThatAreNone) {
  for (int64_t bytes : {int64_t{-1}, INT64_MAX}) {
    Variant variant;
    variant.buffers = {temporary(bytes, 0, 1)};
    EXPECT_EQ(planMemory(variant, {}).status().code(), TENON_OUT_OF_RANGE);
  }
  Variant variant;
  int64_t half = (INT64_MAX / 2 + 1) / 64 * 64;
  variant.buffers = {temporary(half, 0, 1), temporary(half, 0, 1)};
  EXPECT_EQ(planMemory(variant, {}).status().code(), TENON_OUT_OF_RANGE);
}

TEST(MemoryPlan, NeverOverlapsWhatLivesTogether) {
  std::mt19937 random(3);
  for (int round = 0; round < 50; ++round) {
    Variant variant;
    int64_t sum = 0;
    for (int i = 0; i < 60; ++i) {
      uint32_t begin = random() % 40;
      variant.buffers.push_back(
          temporary(random() % 5000, begin, begin + random() % 10));
      sum += variant.buffers.back().sizeBytes.terms[0].value + 64;
    }
    auto plan = planMemory(variant, {});
    ASSERT_TRUE(plan.ok()) << plan.status();
    EXPECT_LT(plan->arenaBytes, sum / 2); // it does share
    for (size_t i = 0; i < 60; ++i)
      for (size_t j = 0; j < i; ++j) {
        const Buffer &a = variant.buffers[i], &b = variant.buffers[j];
        int64_t endA = plan->offsets[i] + a.sizeBytes.terms[0].value;
        int64_t endB = plan->offsets[j] + b.sizeBytes.terms[0].value;
        bool together = a.firstUse <= b.lastUse && b.firstUse <= a.lastUse;
        bool apart = endA <= plan->offsets[j] || endB <= plan->offsets[i];
        EXPECT_TRUE(!together || apart);
        EXPECT_EQ(plan->offsets[i] % 64, 0);
        EXPECT_LE(endA, plan->arenaBytes);
      }
  }
}

} // namespace
} // namespace tenon::base
