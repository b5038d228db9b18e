//===- Limits.cpp - What this machine could do at most --------------------===//
//
// Roofs to compare kernels with: the rate of fused multiply-adds in f32, which
// bounds the prompt, and the bandwidth of reads, which bounds decoding.
//
//===----------------------------------------------------------------------===//

#include "benchmark/benchmark.h"

#include <cstdint>
#include <cstring>
#include <vector>

namespace {

using Floats8 = float __attribute__((vector_size(32)));
using Floats16 = float __attribute__((vector_size(64)));
using Words4 = uint64_t __attribute__((vector_size(32)));
using Words8 = uint64_t __attribute__((vector_size(64)));

bool hasAvx512() { return __builtin_cpu_supports("avx512f"); }

// Four cycles of latency on two ports keep eight chains busy; twelve are safe.
constexpr int kChains = 12;

/// Advances kChains independent chains by `steps`.
template <typename Lanes>
[[gnu::always_inline]] inline float chains(int64_t steps, float start) {
  Lanes sums[kChains];
  for (int i = 0; i < kChains; ++i)
    sums[i] = Lanes{} + (start + static_cast<float>(i));
  Lanes factor = Lanes{} + 0.999f, addend = Lanes{} + 0.001f;
  for (int64_t step = 0; step < steps; ++step)
    for (int i = 0; i < kChains; ++i)
      sums[i] = __builtin_elementwise_fma(sums[i], factor, addend);
  Lanes total = sums[0];
  for (int i = 1; i < kChains; ++i)
    total += sums[i];
  return total[0];
}

__attribute__((target("avx512f"))) float chains512(int64_t steps, float start) {
  return chains<Floats16>(steps, start);
}

__attribute__((target("avx2,fma"))) float chains256(int64_t steps,
                                                    float start) {
  return chains<Floats8>(steps, start);
}

/// Reads every byte; several sums hide the latency of adding.
template <typename Words>
[[gnu::always_inline]] inline uint64_t readAll(const char *data,
                                               size_t sizeBytes) {
  constexpr int kSums = 4;
  Words sums[kSums] = {};
  for (size_t at = 0; at < sizeBytes; at += kSums * sizeof(Words))
    for (int i = 0; i < kSums; ++i) {
      Words words;
      std::memcpy(&words, data + at + i * sizeof(Words), sizeof(Words));
      sums[i] += words;
    }
  Words total = sums[0] + sums[1] + sums[2] + sums[3];
  return total[0] + total[1];
}

__attribute__((target("avx512f"))) uint64_t readAll512(const char *data,
                                                       size_t sizeBytes) {
  return readAll<Words8>(data, sizeBytes);
}

__attribute__((target("avx2"))) uint64_t readAll256(const char *data,
                                                    size_t sizeBytes) {
  return readAll<Words4>(data, sizeBytes);
}

// Compute bound: items_per_second is floating-point operations, two a lane.
void fmaF32(benchmark::State &state) {
  constexpr int64_t kSteps = 1 << 16;
  bool wide = hasAvx512();
  float start = 1;
  benchmark::DoNotOptimize(start);
  for (auto _ : state)
    benchmark::DoNotOptimize(wide ? chains512(kSteps, start)
                                  : chains256(kSteps, start));
  int64_t lanes = wide ? 16 : 8;
  state.SetItemsProcessed(state.iterations() * kSteps * kChains * lanes * 2);
  state.SetLabel(wide ? "avx512f" : "avx2");
}
BENCHMARK(fmaF32)->Threads(1)->Threads(2)->UseRealTime();

// Memory bound: the buffers of all threads are far larger than any cache.
void readBandwidth(benchmark::State &state) {
  constexpr size_t kSizeBytes = size_t{1} << 29;
  bool wide = hasAvx512();
  // Written, since untouched pages are all the same page of zeros.
  std::vector<char> buffer(kSizeBytes, 1);
  for (auto _ : state)
    benchmark::DoNotOptimize(wide ? readAll512(buffer.data(), kSizeBytes)
                                  : readAll256(buffer.data(), kSizeBytes));
  state.SetBytesProcessed(state.iterations() *
                          static_cast<int64_t>(kSizeBytes));
}
BENCHMARK(readBandwidth)->Threads(1)->Threads(2)->UseRealTime();

} // namespace
