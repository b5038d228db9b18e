//===- Matmul.cpp - Products at the machine's limit -----------------------===//
//
// y[m, n] = x[m, k] * w[n, k]^T with packed weights of each format, by the
// whole compiler and runtime. `roof_fraction` is of what binds: multiply-adds
// in f32 (of pairs where both are bf16), or reading the packed weights once
// from the cache that holds them or from memory; both are probed just before.
//
//   matmul --benchmark_filter=f32/m:512
//
// `training` are the products of a training step, y = x W^T, dX = dY W and dW =
// dY^T X, whose weights W [n, k] are trained and so lie row by row; t is the
// number of tokens. `frozen` is dX through a weight that is not trained, from
// the panels that the forward product reads.
//
// `normed` is a product of normalised rows; its `roof_fraction` is the time of
// the product alone, called in turns with it, over its own.
//
//===----------------------------------------------------------------------===//

#include "benchmarks/CompiledEntry.h"
#include "benchmarks/Probes.h"

#include "benchmark/benchmark.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

namespace {
using namespace tenon;
using namespace tenon::benchmarks;

/// Element types of a product; activations that are not null are quantised to
/// that type first.
struct Types {
  const char *weight;
  const char *activation = nullptr;
  const char *argument = "f32", *result = "f32";
  Products products = Products::F32;
};

std::string tensor(int64_t rows, int64_t columns, const std::string &type) {
  return "tensor<" + std::to_string(rows) + "x" + std::to_string(columns) +
         "x" + type + ">";
}

std::string matmulText(int64_t m, int64_t n, int64_t k, const Types &types,
                       bool isNormed = false) {
  std::string x = tensor(m, k, types.argument), w = tensor(n, k, types.weight),
              y = tensor(m, n, types.result), a = "%x", q = x, before;
  std::string scale = "tensor<" + std::to_string(k) + "xf32>";
  if (isNormed) {
    before =
        "  %n = tn.rms_norm %x, %s eps 1.0e-6 : " + x + ", " + scale + "\n";
    a = "%n";
  }
  if (types.activation) {
    q = tensor(m, k, types.activation);
    before += "  %a = tn.quantize " + a + " : " + x + " -> " + q + "\n";
    a = "%a";
  }
  return "tn.parameter @w : " + w + "\nfunc.func @f(%x: " + x +
         (isNormed ? ", %s: " + scale : "") + ") -> " + y +
         " {\n  %w = tn.get_parameter @w : " + w + "\n" + before +
         "  %y = tn.matmul " + a + ", %w {transpose_b} : " + q + ", " + w +
         " -> " + y + "\n  return %y : " + y + "\n}\n";
}

/// `weightBytes` 0: those that the entry has prepared.
void run(benchmark::State &state, const std::string &text, int64_t products,
         Products kind, size_t weightBytes = 0) {
  auto threads = static_cast<uint32_t>(state.range(3));
  auto entry = CompiledEntry::compile(text, {.threads = threads});
  if (!entry.ok())
    return state.SkipWithError(std::string(entry.status().message()).c_str());
  double flops = 2.0 * static_cast<double>(products);
  size_t bytes = weightBytes ? weightBytes
                             : static_cast<size_t>((*entry)->preparedBytes());
  double atLeast =
      std::max(flops / productPeak(kind, threads),
               static_cast<double>(bytes) / readPeak(threads, bytes));
  if (Status status = (*entry)->call(); !status.ok()) // Warms up.
    return state.SkipWithError(std::string(status.message()).c_str());
  for (auto _ : state)
    benchmark::DoNotOptimize((*entry)->call().ok());
  using benchmark::Counter;
  state.counters["flops"] = Counter(flops, Counter::kIsIterationInvariantRate);
  state.counters["roof_fraction"] =
      Counter(atLeast, Counter::kIsIterationInvariantRate);
}

void matmul(benchmark::State &state, Types types) {
  int64_t m = state.range(0), n = state.range(1), k = state.range(2);
  run(state, matmulText(m, n, k, types), m * n * k, types.products);
}

/// Which of the three products of a step, all of t * n * k multiply-adds.
enum class Step { Forward, InputGradient, WeightGradient };

std::string stepText(int64_t t, int64_t n, int64_t k, Step step,
                     const std::string &type) {
  std::string x = tensor(t, k, type), w = tensor(n, k, type),
              dy = tensor(t, n, type);
  auto text = [](const std::string &a, const std::string &b,
                 const std::string &y, const std::string &flags) {
    return "func.func @f(%a: " + a + ", %b: " + b + ") -> " + y +
           " {\n  %y = tn.matmul %a, %b " + flags + " : " + a + ", " + b +
           " -> " + y + "\n  return %y : " + y + "\n}\n";
  };
  if (step == Step::Forward)
    return text(x, w, tensor(t, n, "f32"), "{transpose_b}");
  if (step == Step::InputGradient)
    return text(dy, w, tensor(t, k, "f32"), "");
  return text(dy, x, tensor(n, k, "f32"), "{transpose_a}");
}

void training(benchmark::State &state, Step step, const char *type) {
  int64_t t = state.range(0), n = state.range(1), k = state.range(2);
  bool isF32 = std::string(type) == "f32";
  run(state, stepText(t, n, k, step, type), t * n * k,
      isF32 ? Products::F32 : Products::Bf16,
      static_cast<size_t>(n * k) * (isF32 ? sizeof(float) : sizeof(uint16_t)));
}

double median(std::vector<double> times) {
  auto middle = times.begin() + static_cast<ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

void normed(benchmark::State &state, Types types) {
  int64_t m = state.range(0), n = state.range(1), k = state.range(2);
  auto threads = static_cast<uint32_t>(state.range(3));
  std::vector<std::unique_ptr<CompiledEntry>> entries; // alone, normed
  for (bool isNormed : {false, true}) {
    auto entry = CompiledEntry::compile(matmulText(m, n, k, types, isNormed),
                                        {.threads = threads});
    if (!entry.ok())
      return state.SkipWithError(std::string(entry.status().message()).c_str());
    entries.push_back(*std::move(entry));
    if (Status status = entries.back()->call(); !status.ok()) // Warms up.
      return state.SkipWithError(std::string(status.message()).c_str());
  }
  std::vector<double> seconds[2];
  for (auto _ : state) {
    for (size_t i = 0; i < 2; ++i) {
      auto start = std::chrono::steady_clock::now();
      benchmark::DoNotOptimize(entries[i]->call().ok());
      std::chrono::duration<double> took =
          std::chrono::steady_clock::now() - start;
      seconds[i].push_back(took.count());
    }
    state.SetIterationTime(seconds[1].back());
  }
  state.counters["roof_fraction"] = median(seconds[0]) / median(seconds[1]);
}

void squares(benchmark::internal::Benchmark *bench) {
  bench->ArgNames({"m", "n", "k", "threads"});
  for (int64_t size : {512, 1024, 2048, 4096})
    for (int64_t threads : {1, 2})
      bench->Args({size, size, size, threads});
  for (int64_t m : {1, 16, 128, 512})
    for (int64_t n : {4096, 2816})
      for (int64_t threads : {1, 2})
        bench->Args({m, n, 1024, threads});
  bench->UseRealTime()->Unit(benchmark::kMicrosecond);
}

void largeProducts(benchmark::internal::Benchmark *bench) {
  bench->ArgNames({"m", "n", "k", "threads"});
  for (int64_t size : {512, 1024, 2048, 4096})
    for (int64_t threads : {1, 2})
      bench->Args({size, size, size, threads});
  for (int64_t m : {128, 512})
    for (int64_t n : {4096, 2816})
      for (int64_t threads : {1, 2})
        bench->Args({m, n, 1024, threads});
  bench->UseRealTime()->Unit(benchmark::kMicrosecond);
}

void products(benchmark::internal::Benchmark *bench) {
  bench->ArgNames({"m", "n", "k", "threads"});
  for (int64_t m : {1, 16, 128, 512})
    for (int64_t threads : {1, 2})
      bench->Args({m, 4096, 1024, threads});
  for (int64_t m : {1, 512}) // of a model of 1.1B parameters
    for (int64_t threads : {1, 2})
      bench->Args({m, 5632, 2048, threads});
  bench->UseRealTime()->Unit(benchmark::kMicrosecond);
}

void prologues(benchmark::internal::Benchmark *bench) {
  bench->ArgNames({"m", "n", "k", "threads"});
  for (int64_t m : {1, 16, 512})
    for (int64_t threads : {1, 2})
      bench->Args({m, 4096, 2048, threads});
  bench->UseManualTime()->Unit(benchmark::kMicrosecond);
}

/// dX = dY W through a weight that is frozen and packed.
void frozen(benchmark::State &state, const char *format) {
  int64_t t = state.range(0), n = state.range(1), k = state.range(2);
  std::string dy = tensor(t, n, "f32"), dx = tensor(t, k, "f32"),
              w = tensor(n, k, format), x = dx, y = dy;
  // The forward product is why the weight is packed.
  std::string text = "tn.parameter @w : " + w + "\nfunc.func @f(%dy: " + dy +
                     ") -> " + dx + " {\n  %w = tn.get_parameter @w : " + w +
                     "\n  %dx = tn.matmul %dy, %w : " + dy + ", " + w + " -> " +
                     dx + "\n  return %dx : " + dx +
                     "\n}\nfunc.func @forward(%x: " + x + ") -> " + y +
                     " {\n  %w = tn.get_parameter @w : " + w +
                     "\n  %y = tn.matmul %x, %w {transpose_b} : " + x + ", " +
                     w + " -> " + y + "\n  return %y : " + y + "\n}\n";
  run(state, text, t * n * k, Products::F32);
}

/// Layers of models of 0.1 to 1.5B parameters.
void frozenLayers(benchmark::internal::Benchmark *bench) {
  constexpr int64_t kLayers[][2] = {{2304, 768}, {4096, 1024}, {1536, 8960}};
  bench->ArgNames({"t", "n", "k", "threads"});
  for (int64_t t : {256, 512})
    for (auto [n, k] : kLayers)
      for (int64_t threads : {1, 2})
        bench->Args({t, n, k, threads});
  bench->UseRealTime()->Unit(benchmark::kMicrosecond);
}

/// The layers of GPT-2, one token and a batch, and its output head.
void steps(benchmark::internal::Benchmark *bench) {
  constexpr int64_t kLayers[][2] = {
      {2304, 768}, {768, 768}, {3072, 768}, {768, 3072}, {50257, 768}};
  bench->ArgNames({"t", "n", "k", "threads"});
  for (int64_t t : {256, 1})
    for (auto [n, k] : kLayers)
      for (int64_t threads : {1, 2})
        bench->Args({t, n, k, threads});
  bench->UseRealTime()->Unit(benchmark::kMicrosecond);
}

/// A weight of `format` by activations of `activations`.
Types quantised(const char *format,
                const char *activations = "!tn.block<q8_0>") {
  return {format, activations, "f32", "f32", Products::Int8};
}

BENCHMARK_CAPTURE(training, forward_f32, Step::Forward, "f32")->Apply(steps);
BENCHMARK_CAPTURE(training, input_gradient_f32, Step::InputGradient, "f32")
    ->Apply(steps);
BENCHMARK_CAPTURE(training, weight_gradient_f32, Step::WeightGradient, "f32")
    ->Apply(steps);
BENCHMARK_CAPTURE(training, forward_bf16, Step::Forward, "bf16")->Apply(steps);
BENCHMARK_CAPTURE(training, input_gradient_bf16, Step::InputGradient, "bf16")
    ->Apply(steps);
BENCHMARK_CAPTURE(training, weight_gradient_bf16, Step::WeightGradient, "bf16")
    ->Apply(steps);
BENCHMARK_CAPTURE(frozen, q8_0, "!tn.block<q8_0>")->Apply(frozenLayers);
BENCHMARK_CAPTURE(frozen, q4_0, "!tn.block<q4_0>")->Apply(frozenLayers);
BENCHMARK_CAPTURE(frozen, int4_g128, "!tn.block<int4_g128>")
    ->Apply(frozenLayers);
BENCHMARK_CAPTURE(frozen, q4_k, "!tn.block<q4_k>")->Apply(frozenLayers);
BENCHMARK_CAPTURE(frozen, q6_k, "!tn.block<q6_k>")->Apply(frozenLayers);
BENCHMARK_CAPTURE(normed, f32, Types{"f32"})->Apply(prologues);
BENCHMARK_CAPTURE(normed, q4_k_by_q8_0, quantised("!tn.block<q4_k>"))
    ->Apply(prologues);
BENCHMARK_CAPTURE(matmul, f32, Types{"f32"})->Apply(squares);
BENCHMARK_CAPTURE(matmul, bf16, Types{"bf16"})->Apply(products);
BENCHMARK_CAPTURE(matmul, bf16_by_bf16,
                  Types{"bf16", nullptr, "bf16", "f32", Products::Bf16})
    ->Apply(largeProducts);
BENCHMARK_CAPTURE(matmul, i8_by_i8,
                  Types{"i8", nullptr, "i8", "i32", Products::Int8})
    ->Apply(largeProducts);
BENCHMARK_CAPTURE(matmul, q8_0, Types{"!tn.block<q8_0>"})->Apply(products);
BENCHMARK_CAPTURE(matmul, q4_0, Types{"!tn.block<q4_0>"})->Apply(products);
BENCHMARK_CAPTURE(matmul, int4_g64, Types{"!tn.block<int4_g64>"})
    ->Apply(products);
BENCHMARK_CAPTURE(matmul, int4_g128, Types{"!tn.block<int4_g128>"})
    ->Apply(products);
BENCHMARK_CAPTURE(matmul, q4_k, Types{"!tn.block<q4_k>"})->Apply(products);
BENCHMARK_CAPTURE(matmul, q6_k, Types{"!tn.block<q6_k>"})->Apply(products);
BENCHMARK_CAPTURE(matmul, q8_0_by_q8_0, quantised("!tn.block<q8_0>"))
    ->Apply(products);
BENCHMARK_CAPTURE(matmul, q4_0_by_q8_0, quantised("!tn.block<q4_0>"))
    ->Apply(products);
BENCHMARK_CAPTURE(matmul, int4_g64_by_q8_0, quantised("!tn.block<int4_g64>"))
    ->Apply(products);
BENCHMARK_CAPTURE(matmul, int4_g128_by_q8_0, quantised("!tn.block<int4_g128>"))
    ->Apply(products);
BENCHMARK_CAPTURE(matmul, q4_k_by_q8_0, quantised("!tn.block<q4_k>"))
    ->Apply(products);
BENCHMARK_CAPTURE(matmul, q6_k_by_q8_0, quantised("!tn.block<q6_k>"))
    ->Apply(products);
BENCHMARK_CAPTURE(matmul, q4_k_by_q8_k,
                  quantised("!tn.block<q4_k>", "!tn.block<q8_k>"))
    ->Apply(products);
BENCHMARK_CAPTURE(matmul, q6_k_by_q8_k,
                  quantised("!tn.block<q6_k>", "!tn.block<q8_k>"))
    ->Apply(products);

} // namespace
