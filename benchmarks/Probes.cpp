//===- Probes.cpp - Loops that reach the machine's limits -----------------===//

#include "benchmarks/Probes.h"

#include "benchmarks/Lines.h"

#include <immintrin.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

namespace tenon::benchmarks {
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

__attribute__((target("avx512bf16"))) float chainsBf16(int64_t steps,
                                                       float start) {
  __m512 sums[kChains];
  for (int i = 0; i < kChains; ++i)
    sums[i] = _mm512_set1_ps(start + static_cast<float>(i));
  auto factor = (__m512bh)_mm512_set1_epi32(0x3f7f3f7f);
  auto other = (__m512bh)_mm512_set1_epi32(0x3a803a80);
  for (int64_t step = 0; step < steps; ++step)
    for (int i = 0; i < kChains; ++i)
      sums[i] = _mm512_dpbf16_ps(sums[i], factor, other);
  float total = 0;
  for (int i = 0; i < kChains; ++i)
    total += _mm512_cvtss_f32(sums[i]);
  return total;
}

__attribute__((target("avx512vnni"))) float chainsInt8(int64_t steps,
                                                       float start) {
  __m512i sums[kChains];
  for (int i = 0; i < kChains; ++i)
    sums[i] = _mm512_set1_epi32(static_cast<int>(start) + i);
  __m512i factor = _mm512_set1_epi32(0x03010203);
  __m512i other = _mm512_set1_epi32(0x01ff02fe);
  for (int64_t step = 0; step < steps; ++step)
    for (int i = 0; i < kChains; ++i) {
      sums[i] = _mm512_dpbusd_epi32(sums[i], factor, other);
      asm volatile("" : "+v"(sums[i])); // Sums of constants would fold.
    }
  int total = 0;
  for (int i = 0; i < kChains; ++i)
    total += _mm512_cvtsi512_si32(sums[i]);
  return static_cast<float>(total);
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

/// Copies past the caches; everything is a multiple of 64 bytes.
__attribute__((target("avx512f"))) void copyAll512(char *to, const char *from,
                                                   size_t sizeBytes) {
  for (size_t at = 0; at < sizeBytes; at += sizeof(__m512i))
    _mm512_stream_si512(reinterpret_cast<__m512i *>(to + at),
                        _mm512_loadu_si512(from + at));
  _mm_sfence();
}

__attribute__((target("avx2"))) void copyAll256(char *to, const char *from,
                                                size_t sizeBytes) {
  for (size_t at = 0; at < sizeBytes; at += sizeof(__m256i)) {
    const auto *words = reinterpret_cast<const __m256i *>(from + at);
    _mm256_stream_si256(reinterpret_cast<__m256i *>(to + at),
                        _mm256_loadu_si256(words));
  }
  _mm_sfence();
}

/// The best of several runs on `threads` threads, in units per second.
template <typename Run>
double best(int threads, double unitsPerRun, const Run &run) {
  double most = 0;
  for (int i = 0; i < 5; ++i) {
    auto start = std::chrono::steady_clock::now();
    std::vector<std::thread> others;
    for (int t = 1; t < threads; ++t)
      others.emplace_back(run, t);
    run(0);
    for (std::thread &other : others)
      other.join();
    std::chrono::duration<double> took =
        std::chrono::steady_clock::now() - start;
    most = std::max(most, unitsPerRun * threads / took.count());
  }
  return most;
}

volatile float floatSink;
volatile uint64_t wordSink;

} // namespace

const char *vectorSet() { return hasAvx512() ? "avx512f" : "avx2"; }

bool hasProducts(Products products) {
  if (products == Products::Bf16)
    return __builtin_cpu_supports("avx512bf16");
  if (products == Products::Int8)
    return __builtin_cpu_supports("avx512vnni");
  return true;
}

float productChains(Products products, int64_t steps, float start) {
  if (products == Products::Bf16 && hasProducts(products))
    return chainsBf16(steps, start);
  if (products == Products::Int8 && hasProducts(products))
    return chainsInt8(steps, start);
  return hasAvx512() ? chains512(steps, start) : chains256(steps, start);
}

int64_t operations(Products products, int64_t steps) {
  int64_t lanes = hasAvx512() ? 16 : 8, perLane = 1;
  if (hasProducts(products))
    perLane = products == Products::Int8   ? 4
              : products == Products::Bf16 ? 2
                                           : 1;
  return steps * kChains * lanes * perLane * 2;
}

uint64_t readBytes(const char *data, size_t sizeBytes) {
  return hasAvx512() ? readAll512(data, sizeBytes)
                     : readAll256(data, sizeBytes);
}

double productPeak(Products products, int threads) {
  constexpr int64_t kSteps = 1 << 19;
  return best(threads, static_cast<double>(operations(products, kSteps)),
              [=](int) { floatSink = productChains(products, kSteps, 1); });
}

double fmaPeak(int threads) { return productPeak(Products::F32, threads); }

double readPeak(int threads, size_t sizeBytes) {
  constexpr size_t kUnit = 256, kReadBytes = size_t{1} << 28;
  size_t each = std::max(sizeBytes / threads / kUnit, size_t{1}) * kUnit;
  size_t rounds = std::max(kReadBytes / each, size_t{1});
  // Written, since untouched pages are all the same page of zeros.
  std::vector<Lines> buffers(threads, Lines(each, 1));
  return best(threads, static_cast<double>(rounds * each), [&](int thread) {
    uint64_t sum = 0;
    for (size_t round = 0; round < rounds; ++round)
      sum += readBytes(buffers[thread].data(), each);
    wordSink = sum;
  });
}

double copyPeak(int threads, size_t sizeBytes) {
  constexpr size_t kUnit = 256;
  size_t each = std::max(sizeBytes / 2 / threads / kUnit, size_t{1}) * kUnit;
  std::vector<Lines> from(threads, Lines(each, 1)), to(from);
  return best(threads, static_cast<double>(2 * each), [&](int thread) {
    if (hasAvx512())
      return copyAll512(to[thread].data(), from[thread].data(), each);
    copyAll256(to[thread].data(), from[thread].data(), each);
  });
}

} // namespace tenon::benchmarks
