//===- PageTableTest.cpp - Pages that sequences share ---------------------===//

#include "runtime/exec/PageTable.h"
#include "tests/runtime/exec/Programs.h"

#include <numeric>

namespace tenon::exec {
namespace {

using testing::ElementsAre;

std::vector<int32_t> counted(int64_t tokens, int32_t first = 0) {
  std::vector<int32_t> all(tokens);
  std::iota(all.begin(), all.end(), first);
  return all;
}

/// Computes `tokens` of an empty sequence; returns how many were there.
int64_t compute(PageTable &table, int64_t sequence,
                std::span<const int32_t> tokens) {
  int64_t found = table.begin(sequence, tokens);
  EXPECT_TRUE(
      table.append(sequence, static_cast<int64_t>(tokens.size()) - found).ok());
  table.record(sequence, tokens.subspan(found));
  return found;
}

bool isCopy(const PageCopy &copy, int32_t from, int32_t to) {
  return copy.from == from && copy.to == to;
}

TEST(PageTable, GivesAndTakesBackPages) {
  PageTable table({5, 64, 2, 4});
  ASSERT_TRUE(table.append(0, 65).ok());
  ASSERT_TRUE(table.append(1, 64).ok());
  EXPECT_THAT(table.table(), ElementsAre(0, 1, -1, -1, 2, -1, -1, -1));
  EXPECT_EQ(table.freePages(), 2);
  table.truncate(0, 64);
  EXPECT_EQ(table.length(0), 64);
  EXPECT_THAT(table.table(), ElementsAre(0, -1, -1, -1, 2, -1, -1, -1));
  ASSERT_TRUE(table.append(1, 1).ok());
  table.release(0);
  EXPECT_EQ(table.freePages(), 3);
  EXPECT_THAT(table.append(0, 257),
              FailsWith(TENON_OUT_OF_RANGE, "at most 256 tokens"));
  EXPECT_THAT(table.append(0, 256),
              FailsWith(TENON_RESOURCE_EXHAUSTED, "3 of 5 are free"));
  EXPECT_EQ(table.length(0), 0);
}

TEST(PageTable, SharesWhatIsKnown) {
  PageTable table({8, 64, 3, 4});
  std::vector<int32_t> tokens = counted(150);
  EXPECT_EQ(compute(table, 0, tokens), 0);
  EXPECT_EQ(table.begin(1, tokens), 150);
  EXPECT_THAT(table.table(),
              ElementsAre(0, 1, 2, -1, 0, 1, 2, -1, -1, -1, -1, -1));
  EXPECT_EQ(table.freePages(), 5);
  // The first goes on in its page, the other one in a copy.
  ASSERT_TRUE(table.append(0, 1).ok());
  EXPECT_TRUE(table.takeCopies().empty());
  ASSERT_TRUE(table.append(1, 1).ok());
  auto copies = table.takeCopies();
  ASSERT_EQ(copies.size(), 1u);
  EXPECT_TRUE(isCopy(copies[0], 2, 3));
  EXPECT_TRUE(table.takeCopies().empty());
  // A beginning alone, into the middle of a page.
  EXPECT_EQ(table.begin(2, std::span(tokens).first(100)), 100);
  ASSERT_TRUE(table.append(2, 1).ok());
  copies = table.takeCopies();
  ASSERT_EQ(copies.size(), 1u);
  EXPECT_TRUE(isCopy(copies[0], 1, 4));
}

TEST(PageTable, KnowsWhatEndedUntilItsMemoryIsNeeded) {
  PageTable table({4, 64, 2, 4});
  std::vector<int32_t> first = counted(128), second = counted(128, 500);
  compute(table, 0, first);
  table.release(0);
  EXPECT_EQ(table.freePages(), 4);
  compute(table, 0, second);
  table.release(0);
  // Both are there; a third takes the ends first, then what is older.
  EXPECT_EQ(compute(table, 1, counted(64, 900)), 0);
  EXPECT_EQ(table.begin(0, first), 64);
  table.release(0);
  EXPECT_EQ(table.begin(0, second), 128);
  table.release(0);
  table.forget();
  EXPECT_EQ(table.freePages(), 4);
  EXPECT_EQ(table.begin(0, second), 0);
}

TEST(PageTable, WritesWhereItIsAloneIfThereIsNoPage) {
  PageTable table({2, 64, 1, 2});
  compute(table, 0, counted(128));
  table.truncate(0, 100);
  EXPECT_EQ(table.room(0), 28);
  ASSERT_TRUE(table.append(0, 1).ok());
  EXPECT_TRUE(table.takeCopies().empty());
  table.record(0, std::vector<int32_t>{7});
  table.release(0);
  std::vector<int32_t> changed = counted(101);
  changed.back() = 7;
  EXPECT_EQ(table.begin(0, changed), 101);
  table.release(0);
  EXPECT_EQ(table.begin(0, counted(128)), 100);
}

} // namespace
} // namespace tenon::exec
