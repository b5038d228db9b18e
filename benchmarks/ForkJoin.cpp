//===- ForkJoin.cpp - What a kernel's start and end cost ------------------===//
//
// A run of two empty tiles for each thread, back to back, as kernels of a
// decoding step follow each other: workers spin and do not sleep between.
//
//===----------------------------------------------------------------------===//

#include "runtime/hal/cpu/ThreadPool.h"

#include "benchmark/benchmark.h"

namespace {
using namespace tenon;

void takeAll(void *, uint32_t, hal::TileSource &tiles) {
  while (!tiles.take().empty())
    continue;
}

void forkJoin(benchmark::State &state) {
  hal::ThreadPool::Options options;
  options.threads = static_cast<uint32_t>(state.range(0));
  auto pool = hal::ThreadPool::create(options);
  if (!pool.ok())
    return state.SkipWithError(pool.status().toString().c_str());
  for (auto _ : state)
    (*pool)->run(2 * options.threads, takeAll, nullptr);
}
BENCHMARK(forkJoin)->ArgName("threads")->Arg(1)->Arg(2)->UseRealTime();

} // namespace
