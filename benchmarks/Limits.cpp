//===- Limits.cpp - What this machine could do at most --------------------===//
//
// Roofs to compare kernels with: the rate of fused multiply-adds in f32, which
// bounds the prompt, and the bandwidth of reads, which bounds decoding.
//
//===----------------------------------------------------------------------===//

#include "benchmarks/Lines.h"
#include "benchmarks/Probes.h"

#include "benchmark/benchmark.h"

#include <vector>

namespace {
using namespace tenon::benchmarks;

// Compute bound: items_per_second is operations.
void products(benchmark::State &state, Products kind) {
  constexpr int64_t kSteps = 1 << 16;
  if (!hasProducts(kind))
    return state.SkipWithError("this machine lacks the instruction");
  float start = 1;
  benchmark::DoNotOptimize(start);
  for (auto _ : state)
    benchmark::DoNotOptimize(productChains(kind, kSteps, start));
  state.SetItemsProcessed(state.iterations() * operations(kind, kSteps));
  state.SetLabel(vectorSet());
}

void fmaF32(benchmark::State &state) { products(state, Products::F32); }
void dotBf16(benchmark::State &state) { products(state, Products::Bf16); }
void dotInt8(benchmark::State &state) { products(state, Products::Int8); }
BENCHMARK(fmaF32)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK(dotBf16)->Threads(1)->Threads(2)->UseRealTime();
BENCHMARK(dotInt8)->Threads(1)->Threads(2)->UseRealTime();

// Memory bound: the buffers of all threads are far larger than any cache.
void readBandwidth(benchmark::State &state) {
  constexpr size_t kSizeBytes = size_t{1} << 29;
  // Written, since untouched pages are all the same page of zeros.
  Lines buffer(kSizeBytes, 1);
  for (auto _ : state)
    benchmark::DoNotOptimize(readBytes(buffer.data(), kSizeBytes));
  state.SetBytesProcessed(state.iterations() *
                          static_cast<int64_t>(kSizeBytes));
}
BENCHMARK(readBandwidth)->Threads(1)->Threads(2)->UseRealTime();

} // namespace
