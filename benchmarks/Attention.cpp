//===- Attention.cpp - Attention over a filled cache ----------------------===//
//
// The last tokens of a context attend to all of it, by the whole compiler and
// runtime; the keys and values lie in the cache already. `roof_fraction` is of
// what binds: multiply-adds of the keys in range (2 a key and element of the
// width, for scores and for values) or reading their part of the cache, both
// probed just before.
//
//   attention --benchmark_filter=prefill
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

constexpr int64_t kFillTokens = 512;
constexpr const char *kQuants = "!tn.block<q8_0>";

struct Shape {
  int64_t tokens, context, heads, cacheHeads, width, window;
  std::string element;
};

// Entry 0 attends; entry 1 fills the caches, some tokens a call.
std::string attentionText(const Shape &shape) {
  std::string text = R"(
!k = !tn.cache<keys, $G x $W x $E>
!v = !tn.cache<values, $G x $W x $E>
tn.state @k : !k
tn.state @v : !v
func.func @attend(%q: tensor<$Tx$Hx$Wxf32>, %b: !tn.batch, %k: !k, %v: !v)
    -> (tensor<$Tx$Hx$Wxf32>, !k, !v) {
  %y = tn.attention %q, %k, %v, %b scale 0.1 window $N
      : tensor<$Tx$Hx$Wxf32>, !k, !v -> tensor<$Tx$Hx$Wxf32>
  return %y, %k, %v : tensor<$Tx$Hx$Wxf32>, !k, !v
}
func.func @fill(%x: tensor<$Fx$Gx$Wx$R>, %y: tensor<$Fx$Gx$Wx$R>,
                %b: !tn.batch, %k: !k, %v: !v) -> (!k, !v) {
  %k1 = tn.cache_append %k, %x, %b : !k, tensor<$Fx$Gx$Wx$R>
  %v1 = tn.cache_append %v, %y, %b : !v, tensor<$Fx$Gx$Wx$R>
  return %k1, %v1 : !k, !v
})";
  auto set = [&](const char *name, int64_t value) {
    text = replaced(text, name, std::to_string(value));
  };
  set("$T", shape.tokens);
  set("$H", shape.heads);
  set("$G", shape.cacheHeads);
  set("$W", shape.width);
  set("$N", shape.window);
  set("$F", kFillTokens);
  text = replaced(text, "$R", shape.element == kQuants ? "f32" : shape.element);
  return replaced(text, "$E", shape.element);
}

double elementBytes(const Shape &shape) {
  if (shape.element == kQuants)
    return 34.0 / 32;
  return shape.element == "f32" ? 4 : 2;
}

struct Work {
  double flops = 0, bytes = 0;
};

Work workOf(const Shape &shape) {
  auto inRange = [&](int64_t position) {
    int64_t keys = position + 1;
    return shape.window ? std::min(keys, shape.window) : keys;
  };
  int64_t first = shape.context - shape.tokens;
  double pairs = 0;
  for (int64_t t = 0; t < shape.tokens; ++t)
    pairs += static_cast<double>(inRange(first + t));
  auto read = static_cast<double>(
      std::min(shape.context, inRange(first) + shape.tokens - 1));
  return {4.0 * pairs * static_cast<double>(shape.heads * shape.width),
          2 * read * static_cast<double>(shape.cacheHeads * shape.width) *
              elementBytes(shape)};
}

Status prepare(CompiledEntry &entry, const Shape &shape) {
  for (int64_t at = 0; at < shape.context; at += kFillTokens) {
    entry.place(at, 1);
    if (Status status = entry.call(1); !status.ok())
      return status;
  }
  entry.place(shape.context - shape.tokens);
  return entry.call(); // Warms up.
}

void attend(benchmark::State &state, Shape shape) {
  auto threads = static_cast<uint32_t>(state.range(0));
  auto entry = CompiledEntry::compile(
      attentionText(shape), {.threads = threads, .context = shape.context});
  if (!entry.ok())
    return state.SkipWithError(std::string(entry.status().message()).c_str());
  if (Status status = prepare(**entry, shape); !status.ok())
    return state.SkipWithError(std::string(status.message()).c_str());
  Work work = workOf(shape);
  double atLeast =
      std::max(work.flops / fmaPeak(threads),
               work.bytes / readPeak(threads, static_cast<size_t>(work.bytes)));
  for (auto _ : state)
    benchmark::DoNotOptimize((*entry)->call().ok());
  using benchmark::Counter;
  state.counters["flops"] =
      Counter(work.flops, Counter::kIsIterationInvariantRate);
  state.counters["bytes"] =
      Counter(work.bytes, Counter::kIsIterationInvariantRate);
  state.counters["roof_fraction"] =
      Counter(atLeast, Counter::kIsIterationInvariantRate);
}

void onThreads(benchmark::internal::Benchmark *bench) {
  bench->ArgName("threads")->Arg(1)->Arg(2);
  bench->UseRealTime()->Unit(benchmark::kMicrosecond);
}

Shape decode(int64_t context, const char *element) {
  return {1, context, 32, 4, 64, 0, element};
}

BENCHMARK_CAPTURE(attend, prefill_4096, Shape{4096, 4096, 1, 1, 128, 0, "f32"})
    ->Apply(onThreads);
BENCHMARK_CAPTURE(attend, prefill_4096_heads_8,
                  Shape{4096, 4096, 8, 2, 128, 0, "f32"})
    ->Apply(onThreads);
BENCHMARK_CAPTURE(attend, prefill_4096_bf16,
                  Shape{4096, 4096, 1, 1, 128, 0, "bf16"})
    ->Apply(onThreads);
BENCHMARK_CAPTURE(attend, prefill_4096_q8_0,
                  Shape{4096, 4096, 1, 1, 128, 0, kQuants})
    ->Apply(onThreads);
BENCHMARK_CAPTURE(attend, prefill_512_grouped,
                  Shape{512, 512, 32, 4, 64, 0, "f32"})
    ->Apply(onThreads);
BENCHMARK_CAPTURE(attend, prefill_4096_window_512,
                  Shape{4096, 4096, 4, 1, 256, 512, "f32"})
    ->Apply(onThreads);
BENCHMARK_CAPTURE(attend, decode_512_f32, decode(512, "f32"))->Apply(onThreads);
BENCHMARK_CAPTURE(attend, decode_4096_f32, decode(4096, "f32"))
    ->Apply(onThreads);
BENCHMARK_CAPTURE(attend, decode_32768_f32, decode(32768, "f32"))
    ->Apply(onThreads);
BENCHMARK_CAPTURE(attend, decode_4096_f16, decode(4096, "f16"))
    ->Apply(onThreads);
BENCHMARK_CAPTURE(attend, decode_32768_f16, decode(32768, "f16"))
    ->Apply(onThreads);
BENCHMARK_CAPTURE(attend, decode_4096_bf16, decode(4096, "bf16"))
    ->Apply(onThreads);
BENCHMARK_CAPTURE(attend, decode_32768_bf16, decode(32768, "bf16"))
    ->Apply(onThreads);
BENCHMARK_CAPTURE(attend, decode_4096_q8_0, decode(4096, kQuants))
    ->Apply(onThreads);
BENCHMARK_CAPTURE(attend, decode_32768_q8_0, decode(32768, kQuants))
    ->Apply(onThreads);

} // namespace
