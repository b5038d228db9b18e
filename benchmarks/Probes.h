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

/// Advances independent chains of fused multiply-adds, `fmaFlops(steps)`
/// operations in all.
float fmaChains(int64_t steps, float start);
int64_t fmaFlops(int64_t steps);

/// Reads every byte; `sizeBytes` is a multiple of 256.
uint64_t readBytes(const char *data, size_t sizeBytes);

/// f32 operations per second that `threads` threads reach now, two a lane of a
/// fused multiply-add. Takes some 0.1 s.
double fmaPeak(int threads);

/// Bytes per second that `threads` threads together read now, again and again,
/// of `sizeBytes` cut among them: of the cache that holds them, or of memory.
/// Takes some 0.1 s.
double readPeak(int threads, size_t sizeBytes);

} // namespace tenon::benchmarks
#endif // TENON_BENCHMARKS_PROBES_H
