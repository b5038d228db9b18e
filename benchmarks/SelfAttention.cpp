//===- SelfAttention.cpp - Attention of a training step, both ways --------===//
//
// Sequences attend to themselves, by the whole compiler and runtime; then the
// gradients, one entry a gradient. `roof_fraction` is of multiply-adds over the
// pairs of a token and a key in its range, probed just before: two products a
// pair forward (scores, values), three for queries, four for keys and values.
//
//   self_attention --benchmark_filter=forward
//
//===----------------------------------------------------------------------===//

#include "benchmarks/CompiledEntry.h"
#include "benchmarks/Probes.h"

#include "benchmark/benchmark.h"

#include <algorithm>
#include <string>

namespace {
using namespace tenon;
using namespace tenon::benchmarks;

struct Shape {
  int64_t sequences, tokens, heads, keyHeads, width, window;
  std::string element;
};

/// What of a training step is timed.
enum class Part { Forward, GradQuery, GradKeys };

std::string textOf(const Shape &shape, Part part) {
  const char *forward = R"(
func.func @f(%q: !q, %k: !k, %v: !k, %b: !tn.batch) -> (!q, !n) {
  %y, %l = tn.self_attention %q, %k, %v, %b scale 0.1 window $N
      : !q, !k, !k -> !q, !n
  return %y, %l : !q, !n
})";
  const char *gradQuery = R"(
func.func @f(%q: !q, %k: !k, %v: !k, %dy: !q, %l: !n, %d: !n, %b: !tn.batch)
    -> !q {
  %dq = tn.self_attention_grad_query %q, %k, %v, %dy, %l, %d, %b scale 0.1
      window $N : !q, !k, !q, !n, !k
  return %dq : !q
})";
  const char *gradKeys = R"(
func.func @f(%q: !q, %k: !k, %v: !k, %dy: !q, %l: !n, %d: !n, %b: !tn.batch)
    -> (!k, !k) {
  %dk, %dv = tn.self_attention_grad_keys %q, %k, %v, %dy, %l, %d, %b scale 0.1
      window $N : !q, !k, !q, !n, !k -> !k, !k
  return %dk, %dv : !k, !k
})";
  std::string text = R"(
!q = tensor<$Tx$Hx$Wxf32>
!k = tensor<$Tx$Gx$Wx$E>
!n = tensor<$Tx$Hxf32>)";
  text += part == Part::Forward     ? forward
          : part == Part::GradQuery ? gradQuery
                                    : gradKeys;
  auto set = [&](const char *name, int64_t value) {
    text = replaced(text, name, std::to_string(value));
  };
  set("$T", shape.sequences * shape.tokens);
  set("$H", shape.heads);
  set("$G", shape.keyHeads);
  set("$W", shape.width);
  set("$N", shape.window);
  return replaced(text, "$E", shape.element);
}

double flopsOf(const Shape &shape, Part part) {
  double pairs = 0;
  for (int64_t t = 0; t < shape.tokens; ++t)
    pairs += static_cast<double>(shape.window ? std::min(t + 1, shape.window)
                                              : t + 1);
  double products = part == Part::Forward ? 2 : part == Part::GradQuery ? 3 : 4;
  return 2 * products * pairs *
         static_cast<double>(shape.sequences * shape.heads * shape.width);
}

void attend(benchmark::State &state, Shape shape, Part part) {
  auto threads = static_cast<uint32_t>(state.range(0));
  auto entry =
      CompiledEntry::compile(textOf(shape, part), {.threads = threads});
  if (!entry.ok())
    return state.SkipWithError(std::string(entry.status().message()).c_str());
  (*entry)->divide(shape.tokens);
  if (Status status = (*entry)->call(); !status.ok())
    return state.SkipWithError(std::string(status.message()).c_str());
  double flops = flopsOf(shape, part);
  double atLeast = flops / fmaPeak(threads);
  for (auto _ : state)
    benchmark::DoNotOptimize((*entry)->call().ok());
  using benchmark::Counter;
  state.counters["flops"] = Counter(flops, Counter::kIsIterationInvariantRate);
  state.counters["roof_fraction"] =
      Counter(atLeast, Counter::kIsIterationInvariantRate);
}

void onThreads(benchmark::internal::Benchmark *bench) {
  bench->ArgName("threads")->Arg(1)->Arg(2);
  bench->UseRealTime()->Unit(benchmark::kMicrosecond);
}

#define TN_STEP(name, ...)                                                     \
  BENCHMARK_CAPTURE(attend, name##_forward, Shape{__VA_ARGS__}, Part::Forward) \
      ->Apply(onThreads);                                                      \
  BENCHMARK_CAPTURE(attend, name##_grad_query, Shape{__VA_ARGS__},             \
                    Part::GradQuery)                                           \
      ->Apply(onThreads);                                                      \
  BENCHMARK_CAPTURE(attend, name##_grad_keys, Shape{__VA_ARGS__},              \
                    Part::GradKeys)                                            \
      ->Apply(onThreads)

TN_STEP(step_4096_width_128, 1, 4096, 1, 1, 128, 0, "f32");
TN_STEP(step_2048_width_64, 1, 2048, 1, 1, 64, 0, "f32");
TN_STEP(step_2048_width_128, 1, 2048, 1, 1, 128, 0, "f32");
TN_STEP(step_2048_grouped, 1, 2048, 8, 2, 64, 0, "f32");
TN_STEP(step_2048_width_128_bf16, 1, 2048, 1, 1, 128, 0, "bf16");
TN_STEP(step_4096_window_512, 1, 4096, 1, 1, 128, 512, "f32");
TN_STEP(step_4_by_64_heads_12, 4, 64, 12, 12, 64, 0, "f32");

#undef TN_STEP

} // namespace
