//===- Probes.h - Loops that reach the machine's limits ---------*- C++ -*-===//
//
// Roofs for benchmarks, measured in the same process: the machine changes from
// one minute to the next.
//
//   state.counters["roof_fraction"] = flopsPerSecond / fmaPeak(threads);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_BENCHMARKS_PROBES_H
#define TENON_BENCHMARKS_PROBES_H

#include <cstddef>
#include <cstdint>

namespace tenon::benchmarks {

/// The instructions that probes use: "avx512f" or "avx2".
const char *vectorSet();

/// What is multiplied: f32 by fused multiply-adds, pairs of bf16 by vdpbf16ps,
/// quads of bytes by vpdpbusd.
enum class Products { F32, Bf16, Int8 };

/// Whether this machine has the instruction.
bool hasProducts(Products products);

/// Advances independent chains of sums of products: `operations(products,
/// steps)` multiplications and additions in all.
float productChains(Products products, int64_t steps, float start);
int64_t operations(Products products, int64_t steps);

/// Reads every byte; `sizeBytes` is a multiple of 256.
uint64_t readBytes(const char *data, size_t sizeBytes);

/// Operations per second that `threads` threads reach now: a multiplication and
/// an addition are two. Where the machine lacks the instruction that is the
/// peak of f32. Takes some 0.1 s.
double productPeak(Products products, int threads);
double fmaPeak(int threads);

/// Bytes per second that `threads` threads together read now, again and again,
/// of `sizeBytes` cut among them: of the cache that holds them, or of memory.
/// Takes some 0.1 s.
double readPeak(int threads, size_t sizeBytes);

/// Bytes per second that `threads` threads together read and write now when
/// they copy half of `sizeBytes`, far more than caches hold, to the other half
/// by stores past the caches. Takes some 0.1 s.
double copyPeak(int threads, size_t sizeBytes);

} // namespace tenon::benchmarks
#endif // TENON_BENCHMARKS_PROBES_H
