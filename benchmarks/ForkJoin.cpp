//===- ForkJoin.cpp - What a kernel's start and end cost ------------------===//
//
// Runs of two tiles for each thread, back to back, as kernels of a decoding
// step follow each other: workers spin and do not sleep between. A tile takes
// some microseconds, for of empty ones the caller takes all before another
// thread wakes.
//
// `overhead_ns`: what a run takes beyond its tiles' time, cut evenly.
// `shared`: the part of runs in which every thread took a tile.
//
//===----------------------------------------------------------------------===//

#include "runtime/hal/cpu/ThreadPool.h"

#include "benchmark/benchmark.h"

#include <algorithm>
#include <chrono>

namespace {
using namespace tenon;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::nanoseconds kTileTime(4000);
constexpr uint32_t kTilesPerThread = 2;

/// Which threads took a tile of a run; each on a cache line of its own.
struct alignas(64) Taker {
  bool took = false;
};

void spinThrough(void *context, uint32_t worker, hal::TileSource &tiles) {
  auto &taker = static_cast<Taker *>(context)[worker];
  for (auto range = tiles.take(worker); !range.empty();
       range = tiles.take(worker)) {
    taker.took = true;
    auto end = Clock::now() + (range.end - range.begin) * kTileTime;
    while (Clock::now() < end)
      continue;
  }
}

void forkJoin(benchmark::State &state) {
  hal::ThreadPool::Options options;
  options.threads = static_cast<uint32_t>(state.range(0));
  auto pool = hal::ThreadPool::create(options);
  if (!pool.ok())
    return state.SkipWithError(pool.status().toString().c_str());
  std::vector<Taker> takers(options.threads);
  int64_t sharedRuns = 0;
  auto start = Clock::now();
  for (auto _ : state) {
    std::ranges::fill(takers, Taker());
    (*pool)->run(kTilesPerThread * options.threads, spinThrough, takers.data());
    sharedRuns += std::ranges::all_of(takers, &Taker::took);
  }
  std::chrono::duration<double, std::nano> took = Clock::now() - start;
  auto runs = static_cast<double>(state.iterations());
  std::chrono::duration<double, std::nano> ideal = kTilesPerThread * kTileTime;
  state.counters["overhead_ns"] = took.count() / runs - ideal.count();
  state.counters["shared"] = static_cast<double>(sharedRuns) / runs;
}
BENCHMARK(forkJoin)->ArgName("threads")->Arg(1)->Arg(2)->UseRealTime();

} // namespace
