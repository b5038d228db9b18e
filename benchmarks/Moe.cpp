//===- Moe.cpp - Layers of experts beside their roof ----------------------===//
//
// A layer of experts, y = sum of w down(silu(gate x) * up x) over each token's
// experts, by the whole compiler and runtime, for experts that are chosen alike
// (`zipf:0`) or the n-th of them 1/n as often as the first (`zipf:1`).
//
// `roof_fraction` is the larger of two times over the layer's: that of dense
// products of as many rows as each expert has, whose weights are in cache, and
// that of reading the chosen experts' weights once. The first are measured
// once a format, reading before each case.
//
//   moe --benchmark_filter='q4_0/.*experts:64$'
//
//===----------------------------------------------------------------------===//

#include "benchmarks/CompiledEntry.h"
#include "benchmarks/Probes.h"

#include "benchmark/benchmark.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <memory>
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

/// The first product alone, of rows that are sorted: a function for each number
/// of tokens.
std::string groupedText(const Format &format, int64_t experts,
                        int64_t perToken) {
  std::string of = type({experts, kHidden, kWidth}, format.weight),
              offsets = type({experts + 1}, "i32"),
              text = parameter("gate", of);
  for (int64_t tokens : kTokens) {
    std::string x = type({tokens, perToken, kWidth}, format.activation),
                y = type({tokens, perToken, kHidden}, "f32");
    text +=
        "func.func @f" + std::to_string(tokens) + "(%x: " + x +
        ", %f: " + offsets + ") -> " + y + " {\n" + getParameter("gate", of) +
        "  %y = tn.grouped_matmul %x, %gate, %f {transpose_b} : " + x + ", " +
        of + ", " + offsets + " -> " + y + "\n  return %y : " + y + "\n}\n";
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

/// A call's, the median; an error of the first call.
absl::StatusOr<double> secondsOf(CompiledEntry &compiled, uint32_t entry) {
  using Clock = std::chrono::steady_clock;
  if (Status status = compiled.call(entry); !status.ok())
    return absl::InternalError(status.message());
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

/// Seconds of an expert that has so many rows, by dense products.
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
    for (int64_t rows = 1; rows <= kMost; rows *= 2, entry += 2) {
      auto gate = secondsOf(**dense, entry),
           down = secondsOf(**dense, entry + 1);
      if (!gate.ok() || !down.ok())
        return (gate.ok() ? down : gate).status();
      made.known[rows] = {*gate, *down};
    }
    return made;
  }

  /// Of gate, up and down.
  double ofAll(int64_t rows) const { return 2 * at(rows, 0) + at(rows, 1); }
  double ofGate(int64_t rows) const { return at(rows, 0); }

private:
  double at(int64_t rows, size_t product) const {
    auto above = known.lower_bound(rows);
    if (above == known.end()) {
      auto last = std::prev(above);
      return last->second[product] * static_cast<double>(rows) /
             static_cast<double>(last->first);
    }
    if (above->first == rows)
      return above->second[product];
    auto below = std::prev(above);
    double part = static_cast<double>(rows - below->first) /
                  static_cast<double>(above->first - below->first);
    return below->second[product] +
           part * (above->second[product] - below->second[product]);
  }

  std::map<int64_t, std::array<double, 2>> known; // of gate and of down
};

/// Measured when they are first asked for.
absl::StatusOr<const DenseTimes *> denseTimes(const Format &format) {
  static std::map<const Format *, DenseTimes> all;
  auto found = all.find(&format);
  if (found == all.end()) {
    auto made = DenseTimes::measure(format);
    if (!made.ok())
      return made.status();
    found = all.emplace(&format, *std::move(made)).first;
  }
  return &found->second;
}

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
struct Compiled {
  std::string text;
  std::unique_ptr<CompiledEntry> entries;

  absl::Status become(std::string wanted) {
    if (text == wanted)
      return absl::OkStatus();
    entries.reset();
    auto made = CompiledEntry::compile(wanted, {.threads = kThreads});
    if (!made.ok())
      return made.status();
    *this = {std::move(wanted), *std::move(made)};
    return absl::OkStatus();
  }
};

/// What a case asks for, and the rows of each expert that has any.
struct Case {
  bool isZipf;
  int64_t tokens, perToken, experts;
  uint32_t entry;
  std::vector<int32_t> chosen;
  std::map<int32_t, int64_t> rows;

  explicit Case(const benchmark::State &state)
      : isZipf(state.range(0) != 0), tokens(state.range(1)),
        perToken(state.range(2)), experts(state.range(3)),
        entry(static_cast<uint32_t>(std::ranges::find(kTokens, tokens) -
                                    std::begin(kTokens))),
        chosen(choose(tokens, perToken, experts, isZipf)) {
    for (int32_t expert : chosen)
      ++rows[expert];
  }

  /// Of reading `matrices` of each expert that has rows.
  double secondsOfReading(const Format &format, int matrices) const {
    double bytes = matrices * kWidth * kHidden * format.bytes *
                   static_cast<double>(rows.size());
    auto whole = static_cast<size_t>(bytes) / 256 * 256;
    return bytes / readPeak(kThreads, whole);
  }
};

/// Runs a compiled case and reports it beside its roof.
void measure(benchmark::State &state, Compiled &compiled, const Case &of,
             double computing, double reading) {
  if (Status status = compiled.entries->call(of.entry); !status.ok())
    return state.SkipWithError(std::string(status.message()).c_str());
  for (auto _ : state)
    benchmark::DoNotOptimize(compiled.entries->call(of.entry).ok());
  using benchmark::Counter;
  state.counters["roof_fraction"] =
      Counter(std::max(computing, reading), Counter::kIsIterationInvariantRate);
  state.counters["computing_us"] = computing * 1e6;
  state.counters["reading_us"] = reading * 1e6;
}

void moe(benchmark::State &state, const Format &format) {
  static Compiled compiled;
  Case of(state);
  absl::Status made =
      compiled.become(layerText(format, of.experts, of.perToken));
  auto dense = denseTimes(format);
  if (made.Update(dense.status()); !made.ok())
    return state.SkipWithError(std::string(made.message()).c_str());
  compiled.entries->set(of.chosen, /*argument=*/1, of.entry);
  double computing = 0;
  for (auto [expert, count] : of.rows)
    computing += (*dense)->ofAll(count);
  measure(state, compiled, of, computing, of.secondsOfReading(format, 3));
}

/// One product of sorted rows.
void grouped(benchmark::State &state, const Format &format) {
  static Compiled compiled;
  Case of(state);
  absl::Status made =
      compiled.become(groupedText(format, of.experts, of.perToken));
  auto dense = denseTimes(format);
  if (made.Update(dense.status()); !made.ok())
    return state.SkipWithError(std::string(made.message()).c_str());
  std::vector<int32_t> offsets(of.experts + 1);
  for (int64_t e = 0; e < of.experts; ++e)
    offsets[e + 1] = offsets[e] + static_cast<int32_t>(of.rows[e]);
  compiled.entries->set(offsets, /*argument=*/1, of.entry);
  double computing = 0;
  for (auto [expert, count] : of.rows)
    computing += (*dense)->ofGate(count);
  measure(state, compiled, of, computing, of.secondsOfReading(format, 1));
}

/// The first argument varies fastest, and the last two are compiled for.
void layers(benchmark::internal::Benchmark *bench) {
  bench->ArgNames({"zipf", "tokens", "k", "experts"});
  bench->ArgsProduct({{0, 1},
                      {std::begin(kTokens), std::end(kTokens)},
                      {1, 2, 8},
                      {8, 64, 256}});
  bench->UseRealTime()->Unit(benchmark::kMicrosecond);
}

/// Of 64 rows and more for each expert.
void manyRows(benchmark::internal::Benchmark *bench) {
  bench->ArgNames({"zipf", "tokens", "k", "experts"});
  for (auto [perToken, experts] : {std::pair{1, 8}, {2, 8}, {8, 64}})
    for (int64_t tokens : kTokens)
      if (tokens * perToken >= 64 * experts)
        bench->Args({0, tokens, perToken, experts});
  bench->UseRealTime()->Unit(benchmark::kMicrosecond);
}

BENCHMARK_CAPTURE(moe, bf16, kBf16)->Apply(layers);
BENCHMARK_CAPTURE(moe, q4_0, kQ40)->Apply(layers);
BENCHMARK_CAPTURE(grouped, bf16, kBf16)->Apply(manyRows);
BENCHMARK_CAPTURE(grouped, q4_0, kQ40)->Apply(manyRows);

} // namespace
