//===- Moe.cpp - Layers of experts beside their roof ----------------------===//
//
// A layer of experts, y = sum of w down(silu(gate x) * up x) over each token's
// experts, by the whole compiler and runtime, for experts that are chosen alike
// (`zipf:0`) or the n-th of them 1/n as often as the first (`zipf:1`).
//
// `roof_fraction` is the larger of two times over the layer's: that of dense
// products of as many rows as each expert has, whose weights are in cache, and
// that of reading the chosen experts' weights once. Both are measured just
// before.
//
//   moe --benchmark_filter=q4_0/experts:64/
//
//===----------------------------------------------------------------------===//

#include "benchmarks/CompiledEntry.h"
#include "benchmarks/Probes.h"

#include "benchmark/benchmark.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace {
using namespace tenon;
using namespace tenon::benchmarks;

constexpr int64_t kWidth = 1024, kHidden = 704;
constexpr int64_t kTokens[] = {1, 4, 16, 64, 256, 1024};
constexpr uint32_t kThreads = 2;

struct Format {
  const char *weight, *activation;
  double bytes; // of a weight
};
constexpr Format kBf16{"bf16", "bf16", 2};
constexpr Format kQ40{"!tn.block<q4_0>", "!tn.block<q8_0>", 18.0 / 32};

std::string type(const std::vector<int64_t> &shape,
                 const std::string &element) {
  std::string text = "tensor<";
  for (int64_t extent : shape)
    text += std::to_string(extent) + "x";
  return text + element + ">";
}

/// Of f32, in the format's own.
std::string converted(const Format &format, const std::string &name,
                      const std::vector<int64_t> &shape) {
  const char *op =
      std::string(format.activation) == "bf16" ? "cast" : "quantize";
  return "  %" + name + "q = tn." + op + " %" + name + " : " +
         type(shape, "f32") + " -> " + type(shape, format.activation) + "\n";
}

std::string parameter(const char *name, const std::string &of) {
  return std::string("tn.parameter @") + name + " : " + of + "\n";
}

std::string getParameter(const char *name, const std::string &of) {
  return std::string("  %") + name + " = tn.get_parameter @" + name + " : " +
         of + "\n";
}

/// A function for each number of tokens.
std::string layerText(const Format &format, int64_t experts, int64_t perToken) {
  std::string in = type({experts, kHidden, kWidth}, format.weight),
              out = type({experts, kWidth, kHidden}, format.weight),
              offsets = type({experts + 1}, "i32");
  std::string text =
      parameter("gate", in) + parameter("up", in) + parameter("down", out);
  for (int64_t tokens : kTokens) {
    std::string x = type({tokens, kWidth}, "f32"),
                chosen = type({tokens, perToken}, "i32"),
                weights = type({tokens, perToken}, "f32"),
                rows = type({tokens, perToken, kWidth}, "f32"),
                hidden = type({tokens, perToken, kHidden}, "f32");
    auto product = [&](const char *y, const char *a, const char *w, int64_t k,
                       int64_t n, const std::string &of) {
      return std::string("  %") + y + " = tn.grouped_matmul %" + a + "q, %" +
             w + ", %f {transpose_b} : " +
             type({tokens, perToken, k}, format.activation) + ", " + of + ", " +
             offsets + " -> " + type({tokens, perToken, n}, "f32") + "\n";
    };
    text +=
        "func.func @f" + std::to_string(tokens) + "(%x: " + x +
        ", %e: " + chosen + ", %r: " + weights + ") -> " + x + " {\n" +
        getParameter("gate", in) + getParameter("up", in) +
        getParameter("down", out) + "  %o, %p, %f = tn.moe_dispatch %e of " +
        std::to_string(experts) + " : " + chosen + " -> " + chosen + ", " +
        chosen + ", " + offsets +
        "\n  %g = tn.moe_gather %x, %o inverse %p : " + x + ", " + chosen +
        " -> " + rows + "\n" +
        converted(format, "g", {tokens, perToken, kWidth}) +
        product("a", "g", "gate", kWidth, kHidden, in) +
        product("b", "g", "up", kWidth, kHidden, in) +
        "  %s = tn.silu %a : " + hidden + "\n  %h = tn.mul %s, %b : " + hidden +
        "\n" + converted(format, "h", {tokens, perToken, kHidden}) +
        product("d", "h", "down", kHidden, kWidth, out) +
        "  %y = tn.moe_combine %d, %p, %r inverse %o : " + rows + ", " +
        chosen + ", " + weights + " -> " + x + "\n  return %y : " + x + "\n}\n";
  }
  return text;
}

/// The three products of an expert, dense, of 1, 2, 4 ... rows.
std::string denseText(const Format &format, int64_t most) {
  std::string in = type({kHidden, kWidth}, format.weight),
              out = type({kWidth, kHidden}, format.weight), text;
  text = parameter("gate", in) + parameter("down", out);
  for (int64_t rows = 1; rows <= most; rows *= 2)
    for (bool isDown : {false, true}) {
      std::string x = type({rows, isDown ? kHidden : kWidth},
                           format.activation),
                  y = type({rows, isDown ? kWidth : kHidden}, "f32"),
                  of = isDown ? out : in;
      text += "func.func @" + std::string(isDown ? "d" : "g") +
              std::to_string(rows) + "(%x: " + x + ") -> " + y + " {\n" +
              getParameter(isDown ? "down" : "gate", of) +
              "  %y = tn.matmul %x, %" + (isDown ? "down" : "gate") +
              " {transpose_b} : " + x + ", " + of + " -> " + y +
              "\n  return %y : " + y + "\n}\n";
    }
  return text;
}

double secondsOf(CompiledEntry &compiled, uint32_t entry) {
  using Clock = std::chrono::steady_clock;
  (void)compiled.call(entry);
  std::vector<double> took;
  for (double all = 0; took.size() < 7 || (all < 0.02 && took.size() < 999);) {
    Clock::time_point start = Clock::now();
    benchmark::DoNotOptimize(compiled.call(entry).ok());
    took.push_back(std::chrono::duration<double>(Clock::now() - start).count());
    all += took.back();
  }
  std::ranges::nth_element(took, took.begin() + took.size() / 2);
  return took[took.size() / 2];
}

/// Seconds of the dense products of an expert that has so many rows.
class DenseTimes {
public:
  static absl::StatusOr<DenseTimes> measure(const Format &format) {
    constexpr int64_t kMost = 1024;
    auto dense =
        CompiledEntry::compile(denseText(format, kMost), {.threads = kThreads});
    if (!dense.ok())
      return dense.status();
    DenseTimes made;
    uint32_t entry = 0;
    for (int64_t rows = 1; rows <= kMost; rows *= 2, entry += 2)
      made.known[rows] =
          2 * secondsOf(**dense, entry) + secondsOf(**dense, entry + 1);
    return made;
  }

  double of(int64_t rows) const {
    auto above = known.lower_bound(rows);
    if (above == known.end()) {
      auto last = std::prev(above);
      return last->second * static_cast<double>(rows) /
             static_cast<double>(last->first);
    }
    if (above->first == rows)
      return above->second;
    auto below = std::prev(above);
    double part = static_cast<double>(rows - below->first) /
                  static_cast<double>(above->first - below->first);
    return below->second + part * (above->second - below->second);
  }

private:
  std::map<int64_t, double> known;
};

/// Distinct experts for each token.
std::vector<int32_t> choose(int64_t tokens, int64_t perToken, int64_t experts,
                            bool isZipf) {
  std::mt19937 random(5);
  std::vector<int32_t> chosen;
  for (int64_t t = 0; t < tokens; ++t) {
    std::vector<double> weights(experts, 1);
    if (isZipf)
      for (int64_t e = 0; e < experts; ++e)
        weights[e] = 1.0 / static_cast<double>(e + 1);
    for (int64_t k = 0; k < perToken; ++k) {
      auto expert = static_cast<int32_t>(std::discrete_distribution<int>(
          weights.begin(), weights.end())(random));
      weights[expert] = 0;
      chosen.push_back(expert);
    }
  }
  return chosen;
}

/// Of one form at a time: a large one's weights take gigabytes.
struct Layer {
  const Format *format = nullptr;
  int64_t experts = 0, perToken = 0;
  std::unique_ptr<CompiledEntry> compiled;
  DenseTimes dense;
};

absl::Status prepare(Layer &layer, const Format &format, int64_t experts,
                     int64_t perToken) {
  if (layer.format == &format && layer.experts == experts &&
      layer.perToken == perToken)
    return absl::OkStatus();
  layer.compiled.reset();
  auto compiled = CompiledEntry::compile(layerText(format, experts, perToken),
                                         {.threads = kThreads});
  if (!compiled.ok())
    return compiled.status();
  auto dense = DenseTimes::measure(format);
  if (!dense.ok())
    return dense.status();
  layer = {&format, experts, perToken, *std::move(compiled), *std::move(dense)};
  return absl::OkStatus();
}

void moe(benchmark::State &state, const Format &format) {
  static Layer layer;
  int64_t experts = state.range(0), perToken = state.range(1),
          tokens = state.range(2);
  if (absl::Status made = prepare(layer, format, experts, perToken); !made.ok())
    return state.SkipWithError(std::string(made.message()).c_str());
  auto entry = static_cast<uint32_t>(std::ranges::find(kTokens, tokens) -
                                     std::begin(kTokens));
  std::vector<int32_t> chosen =
      choose(tokens, perToken, experts, state.range(3) != 0);
  layer.compiled->set(chosen, /*argument=*/1, entry);
  std::map<int32_t, int64_t> rows;
  for (int32_t expert : chosen)
    ++rows[expert];
  double computing = 0;
  for (auto [expert, count] : rows)
    computing += layer.dense.of(count);
  double bytes =
      3.0 * kWidth * kHidden * format.bytes * static_cast<double>(rows.size());
  auto whole = static_cast<size_t>(bytes) / 256 * 256;
  double reading = bytes / readPeak(kThreads, whole);
  if (Status status = layer.compiled->call(entry); !status.ok())
    return state.SkipWithError(std::string(status.message()).c_str());
  for (auto _ : state)
    benchmark::DoNotOptimize(layer.compiled->call(entry).ok());
  using benchmark::Counter;
  state.counters["roof_fraction"] =
      Counter(std::max(computing, reading), Counter::kIsIterationInvariantRate);
  state.counters["computing_us"] = computing * 1e6;
  state.counters["reading_us"] = reading * 1e6;
}

void layers(benchmark::internal::Benchmark *bench) {
  bench->ArgNames({"experts", "k", "tokens", "zipf"});
  bench->ArgsProduct({{8, 64, 256},
                      {1, 2, 8},
                      {std::begin(kTokens), std::end(kTokens)},
                      {0, 1}});
  bench->UseRealTime()->Unit(benchmark::kMicrosecond);
}

BENCHMARK_CAPTURE(moe, bf16, kBf16)->Apply(layers);
BENCHMARK_CAPTURE(moe, q4_0, kQ40)->Apply(layers);

} // namespace
