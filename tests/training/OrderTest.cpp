//===- OrderTest.cpp - Permutations by a seed -----------------------------===//

#include "training/Order.h"

#include <gtest/gtest.h>

#include <set>

namespace tenon::training {
namespace {

TEST(Order, IsAPermutation) {
  for (uint64_t count : {1, 2, 3, 4, 5, 16, 17, 1000, 4097})
    for (uint64_t seed : {0, 1, 77}) {
      std::set<uint64_t> seen;
      for (uint64_t i = 0; i < count; ++i) {
        uint64_t place = permute(i, count, seed);
        EXPECT_LT(place, count);
        seen.insert(place);
      }
      EXPECT_EQ(seen.size(), count) << "of seed " << seed;
    }
}

TEST(Order, DependsOnTheSeed) {
  int same = 0;
  for (uint64_t i = 0; i < 1000; ++i)
    same += permute(i, 1000, 1) == permute(i, 1000, 2);
  EXPECT_LT(same, 20);
}

// Neighbours must not stay neighbours: a batch would be one passage.
TEST(Order, SpreadsNeighbours) {
  int near = 0;
  for (uint64_t i = 0; i + 1 < 1000; ++i) {
    auto a = static_cast<int64_t>(permute(i, 1000, 3));
    auto b = static_cast<int64_t>(permute(i + 1, 1000, 3));
    near += std::abs(a - b) < 10;
  }
  EXPECT_LT(near, 60); // 20 are expected of chance
}

} // namespace
} // namespace tenon::training
