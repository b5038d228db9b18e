//===- Rows.cpp - Norms, softmax, gates, rotations, sampling --------------===//
//
// `roof_fraction` is of reading and writing every byte once at the bandwidth
// that reading as many bytes again and again reaches, probed just before: that
// of memory for rows of 64 MiB, that of a cache for one row. Kernels of large
// rows that write as much as they read also report `copy_fraction`, of a copy
// past the caches: memory takes writes and reads at once.
//
//===----------------------------------------------------------------------===//

#include "benchmarks/CompiledEntry.h"
#include "benchmarks/Probes.h"

#include "benchmark/benchmark.h"

#include <string>

namespace {
using namespace tenon::benchmarks;

struct Kernel {
  const char *arguments; // R and C stand for the extents, F for half of C
  const char *body;      // makes %y of %x
  double tensors;        // of R x C f32, read or written; one is written
  const char *result = "tensor<RxCxf32>";
};

constexpr Kernel kRmsNorm = {
    "%x: tensor<RxCxf32>, %w: tensor<Cxf32>",
    "%y = tn.rms_norm %x, %w eps 1.0e-6 : tensor<RxCxf32>, tensor<Cxf32>", 2};
constexpr Kernel kLayerNorm = {
    "%x: tensor<RxCxf32>, %w: tensor<Cxf32>, %b: tensor<Cxf32>",
    "%y = tn.layer_norm %x, %w, %b eps 1.0e-6 : tensor<RxCxf32>, "
    "tensor<Cxf32>, tensor<Cxf32>",
    2};
constexpr Kernel kSoftmax = {"%x: tensor<RxCxf32>",
                             "%y = tn.softmax %x : tensor<RxCxf32>", 2};
constexpr Kernel kGate = {"%x: tensor<RxCxf32>, %u: tensor<RxCxf32>",
                          "%g = tn.silu %x : tensor<RxCxf32>\n"
                          "%y = tn.mul %g, %u : tensor<RxCxf32>",
                          3};
// Eight heads of width C a token.
constexpr Kernel kRope = {
    "%x: tensor<Rx8xCxf32>, %b: !tn.batch, %f: tensor<Fxf32>",
    "%y = tn.rope half %x, %b, %f : tensor<Rx8xCxf32>, tensor<Fxf32>", 16,
    "tensor<Rx8xCxf32>"};
constexpr Kernel kArgmax = {
    "%x: tensor<RxCxf32>",
    "%y = tn.argmax %x : tensor<RxCxf32> -> tensor<Rxi32>", 1, "tensor<Rxi32>"};
constexpr Kernel kSample = {
    "%x: tensor<RxCxf32>",
    "%t = tn.constant dense<0.8> : tensor<Rxf32>\n"
    "%k = tn.constant dense<64> : tensor<Rxi32>\n"
    "%p = tn.constant dense<0.95> : tensor<Rxf32>\n"
    "%m = tn.constant dense<0.0> : tensor<Rxf32>\n"
    "%s = tn.constant dense<7> : tensor<Rxi64>\n"
    "%y = tn.sample %x, %t, %k, %p, %m, %s, %k : tensor<RxCxf32>, "
    "tensor<Rxf32>, tensor<Rxi32>, tensor<Rxf32>, tensor<Rxf32>, "
    "tensor<Rxi64>, tensor<Rxi32> -> tensor<Rxi32>",
    1, "tensor<Rxi32>"};

void rows(benchmark::State &state, const Kernel &kernel) {
  int64_t count = state.range(0), columns = state.range(1);
  auto threads = static_cast<uint32_t>(state.range(2));
  std::string text = std::string("func.func @f(") + kernel.arguments + ") -> " +
                     kernel.result + " {\n" + kernel.body +
                     "\nreturn %y : " + kernel.result + "\n}\n";
  text = replaced(text, "<Rx", "<" + std::to_string(count) + "x");
  text = replaced(text, "xCx", "x" + std::to_string(columns) + "x");
  text = replaced(text, "<Cx", "<" + std::to_string(columns) + "x");
  text = replaced(text, "<Fx", "<" + std::to_string(columns / 2) + "x");
  auto entry = CompiledEntry::compile(text, {.threads = threads});
  if (!entry.ok())
    return state.SkipWithError(std::string(entry.status().message()).c_str());
  double bytes = 4.0 * static_cast<double>(count * columns) * kernel.tensors;
  double atLeast = bytes / readPeak(threads, static_cast<size_t>(bytes));
  if (tenon::Status status = (*entry)->call(); !status.ok()) // Warms up.
    return state.SkipWithError(std::string(status.message()).c_str());
  for (auto _ : state)
    benchmark::DoNotOptimize((*entry)->call().ok());
  using benchmark::Counter;
  state.counters["bytes"] = Counter(bytes, Counter::kIsIterationInvariantRate);
  state.counters["roof_fraction"] =
      Counter(atLeast, Counter::kIsIterationInvariantRate);
  constexpr double kLarge = 1 << 26;
  if (kernel.tensors == 2 && bytes > kLarge)
    state.counters["copy_fraction"] =
        Counter(bytes / copyPeak(threads, static_cast<size_t>(bytes)),
                Counter::kIsIterationInvariantRate);
}

void shapes(benchmark::internal::Benchmark *bench) {
  bench->ArgNames({"rows", "columns", "threads"});
  for (int64_t threads : {1, 2})
    bench->Args({8192, 2048, threads});
  for (int64_t columns : {2048, 7168})
    bench->Args({1, columns, 1});
  bench->UseRealTime()->Unit(benchmark::kMicrosecond);
}

void vocabulary(benchmark::internal::Benchmark *bench) {
  bench->ArgNames({"rows", "columns", "threads"})->Args({1, 262144, 1});
  bench->UseRealTime()->Unit(benchmark::kMicrosecond);
}

void tokens(benchmark::internal::Benchmark *bench) {
  bench->ArgNames({"rows", "columns", "threads"});
  for (int64_t threads : {1, 2})
    bench->Args({4096, 128, threads});
  bench->Args({1, 128, 1});
  bench->UseRealTime()->Unit(benchmark::kMicrosecond);
}

BENCHMARK_CAPTURE(rows, rms_norm, kRmsNorm)->Apply(shapes);
BENCHMARK_CAPTURE(rows, layer_norm, kLayerNorm)->Apply(shapes);
BENCHMARK_CAPTURE(rows, softmax, kSoftmax)->Apply(shapes);
BENCHMARK_CAPTURE(rows, gate, kGate)->Apply(shapes);
BENCHMARK_CAPTURE(rows, rope, kRope)->Apply(tokens);
BENCHMARK_CAPTURE(rows, argmax, kArgmax)->Apply(vocabulary);
BENCHMARK_CAPTURE(rows, sample, kSample)->Apply(vocabulary);

} // namespace
