//===- ThreadPoolTest.cpp - Every tile once, whoever runs it --------------===//

#include "runtime/hal/cpu/ThreadPool.h"

#include <array>
#include <atomic>
#include <gtest/gtest.h>
#include <limits>
#include <sched.h>
#include <thread>

namespace tenon::hal {
namespace {

std::unique_ptr<ThreadPool> makePool(uint32_t threads) {
  ThreadPool::Options options;
  options.threads = threads;
  auto pool = ThreadPool::create(options);
  EXPECT_TRUE(pool.ok()) << pool.status();
  return *std::move(pool);
}

void countTiles(void *context, uint32_t worker, TileSource &tiles) {
  auto &counts = *static_cast<std::vector<int> *>(context);
  for (auto range = tiles.take(worker); !range.empty();
       range = tiles.take(worker))
    for (uint32_t tile = range.begin; tile < range.end; ++tile)
      ++counts[tile]; // plain: each tile is one worker's
}

class ThreadPoolOf : public testing::TestWithParam<uint32_t> {};

TEST_P(ThreadPoolOf, RunsEveryTileOnce) {
  auto pool = makePool(GetParam());
  for (uint32_t count : {0u, 1u, 2u, 7u, 64u, 1000u}) {
    std::vector<int> counts(count);
    pool->run(count, countTiles, &counts);
    EXPECT_EQ(counts, std::vector<int>(count, 1));
  }
}

TEST_P(ThreadPoolOf, PublishesTheWorkOfOneRunToTheNext) {
  auto pool = makePool(GetParam());
  std::vector<int> counts(97);
  constexpr int kRuns = 5000;
  for (int run = 0; run < kRuns; ++run)
    pool->run(counts.size(), countTiles, &counts);
  EXPECT_EQ(counts, std::vector<int>(97, kRuns));
}

TEST_P(ThreadPoolOf, WakesWorkersThatSleep) {
  auto pool = makePool(GetParam());
  for (int run = 0; run < 5; ++run) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    std::vector<int> counts(33);
    pool->run(counts.size(), countTiles, &counts);
    EXPECT_EQ(counts, std::vector<int>(33, 1));
  }
}

TEST_P(ThreadPoolOf, LetsConcurrentRunsTakeTurns) {
  auto pool = makePool(GetParam());
  std::vector<std::vector<int>> counts(3, std::vector<int>(50));
  std::vector<std::thread> callers;
  for (auto &mine : counts)
    callers.emplace_back([&] {
      for (int run = 0; run < 300; ++run)
        pool->run(mine.size(), countTiles, &mine);
    });
  for (std::thread &caller : callers)
    caller.join();
  for (auto &mine : counts)
    EXPECT_EQ(mine, std::vector<int>(50, 300));
}

void halveSmallest(void *context, uint32_t worker, TileSource &tiles) {
  auto &results = *static_cast<std::vector<float> *>(context);
  for (auto range = tiles.take(worker); !range.empty();
       range = tiles.take(worker))
    for (uint32_t tile = range.begin; tile < range.end; ++tile) {
      volatile float smallest = std::numeric_limits<float>::min();
      results[tile] = smallest / 2;
    }
}

TEST_P(ThreadPoolOf, FlushesSubnormalsOnEveryWorkerAndRestoresTheCallers) {
  auto pool = makePool(GetParam());
  std::vector<float> results(256, 1.0f);
  pool->run(results.size(), halveSmallest, &results);
  EXPECT_EQ(results, std::vector<float>(256, 0.0f));
  volatile float smallest = std::numeric_limits<float>::min();
  EXPECT_NE(smallest / 2, 0.0f);
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolOf, testing::Values(1, 2, 4));

TEST(ThreadPool, RefusesImpossibleOptions) {
  ThreadPool::Options options;
  options.threads = 100000;
  EXPECT_EQ(ThreadPool::create(options).status().code(),
            TENON_INVALID_ARGUMENT);
  options.threads = 2;
  options.cpus = {-1};
  EXPECT_EQ(ThreadPool::create(options).status().code(),
            TENON_INVALID_ARGUMENT);
}

/// Who runs, and on how many CPUs it may.
struct Seen {
  std::atomic<int> workers = 0; // that are not the caller
  int cpus = 0;                 // of the last of those
};

void lookAround(void *context, uint32_t worker, TileSource &tiles) {
  auto &seen = *static_cast<Seen *>(context);
  if (worker != 0) {
    cpu_set_t set;
    sched_getaffinity(0, sizeof(set), &set);
    seen.cpus = CPU_COUNT(&set);
    ++seen.workers;
  }
  // The caller's tiles take a while, so that the others have time to wake.
  for (auto range = tiles.take(worker); !range.empty();
       range = tiles.take(worker))
    std::this_thread::sleep_for(std::chrono::microseconds(worker ? 0 : 500));
}

TEST(ThreadPool, BindsWorkersToTheCpusGiven) {
  ThreadPool::Options options;
  options.threads = 2;
  options.cpus = {0, 0};
  auto pool = ThreadPool::create(options);
  ASSERT_TRUE(pool.ok()) << pool.status();
  Seen seen;
  for (int run = 0; run < 1000 && seen.workers == 0; ++run)
    (*pool)->run(10, lookAround, &seen);
  EXPECT_GT(seen.workers, 0);
  EXPECT_EQ(seen.cpus, 1);
}

/// The first tile of each of two workers; -1 if it took none.
struct Firsts {
  std::array<int64_t, 2> tiles = {-1, -1};
};

void noteFirst(void *context, uint32_t worker, TileSource &tiles) {
  auto &first = static_cast<Firsts *>(context)->tiles[worker];
  for (auto range = tiles.take(worker); !range.empty();
       range = tiles.take(worker)) {
    if (first < 0)
      first = range.begin;
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
}

TEST(ThreadPool, WorkersBeginWithTheirShares) {
  auto pool = makePool(2);
  Firsts firsts;
  auto apart = [&] { return firsts.tiles[0] == 0 && firsts.tiles[1] == 50; };
  // Until neither was so late that the other had taken from its share.
  for (int run = 0; run < 1000 && !apart(); ++run) {
    firsts = {};
    pool->run(100, noteFirst, &firsts);
  }
  EXPECT_EQ(firsts.tiles[0], 0);
  EXPECT_EQ(firsts.tiles[1], 50);
}

TEST(ThreadPool, WakesNobodyForOneTile) {
  auto pool = makePool(2);
  Seen seen;
  for (int run = 0; run < 100; ++run)
    pool->run(1, lookAround, &seen);
  EXPECT_EQ(seen.workers, 0);
}

} // namespace
} // namespace tenon::hal
