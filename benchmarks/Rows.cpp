//===- Rows.cpp - Norms, softmax and gates at the memory's bandwidth ------===//
//
// `roof_fraction` is of reading and writing every byte once at the bandwidth
// that reading as many bytes again and again reaches, probed just before: that
// of memory for rows of 64 MiB, that of a cache for one row.
//
//===----------------------------------------------------------------------===//

#include "benchmarks/CompiledEntry.h"
#include "benchmarks/Probes.h"

#include "benchmark/benchmark.h"

#include <string>

namespace {
using namespace tenon::benchmarks;

struct Kernel {
  const char *arguments; // after %x; R and C stand for the extents
  const char *body;      // makes %y of %x
  int tensors;           // of the rows' size, read or written
};

constexpr Kernel kRmsNorm = {
    ", %w: tensor<Cxf32>",
    "%y = tn.rms_norm %x, %w eps 1.0e-6 : tensor<RxCxf32>, tensor<Cxf32>", 2};
constexpr Kernel kSoftmax = {"", "%y = tn.softmax %x : tensor<RxCxf32>", 2};
constexpr Kernel kGate = {", %u: tensor<RxCxf32>",
                          "%g = tn.silu %x : tensor<RxCxf32>\n"
                          "%y = tn.mul %g, %u : tensor<RxCxf32>",
                          3};

std::string replaced(std::string text, const std::string &from,
                     const std::string &to) {
  for (size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

void rows(benchmark::State &state, const Kernel &kernel) {
  int64_t count = state.range(0), columns = state.range(1);
  auto threads = static_cast<uint32_t>(state.range(2));
  std::string text = std::string("func.func @f(%x: tensor<RxCxf32>") +
                     kernel.arguments + ") -> tensor<RxCxf32> {\n" +
                     kernel.body + "\nreturn %y : tensor<RxCxf32>\n}\n";
  text = replaced(text, "<Rx", "<" + std::to_string(count) + "x");
  text = replaced(text, "xCx", "x" + std::to_string(columns) + "x");
  text = replaced(text, "<Cx", "<" + std::to_string(columns) + "x");
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
}

void shapes(benchmark::internal::Benchmark *bench) {
  bench->ArgNames({"rows", "columns", "threads"});
  for (int64_t threads : {1, 2})
    bench->Args({8192, 2048, threads});
  for (int64_t columns : {2048, 7168})
    bench->Args({1, columns, 1});
  bench->UseRealTime()->Unit(benchmark::kMicrosecond);
}

BENCHMARK_CAPTURE(rows, rms_norm, kRmsNorm)->Apply(shapes);
BENCHMARK_CAPTURE(rows, softmax, kSoftmax)->Apply(shapes);
BENCHMARK_CAPTURE(rows, gate, kGate)->Apply(shapes);

} // namespace
