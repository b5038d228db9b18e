//===- TrainStep.cpp - Steps of training a GPT-2 --------------------------===//
//
//   train_step [--steps 40] [--layers 12] [--width 768] [--heads 12]
//              [--vocabulary 50257] [--sequences 4] [--length 64] [--threads 0]
//              [--compute f32|bf16] [--kernels]
//
// Prints what compiling and each step took, and each step's loss, as JSON. The
// weights and tokens are made of numbers that scripts/train-reference makes as
// well; every step has the same tokens. --kernels adds what a step's kernels
// took, the longest first, and what AdamW's moved beside what a copy does.
//
//===----------------------------------------------------------------------===//

#include "benchmarks/Probes.h"
#include "frontend/Tenon.h"
#include "models/gpt2/Model.h"
#include "runtime/exec/Session.h"

#include "CLI/CLI.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <thread>

using namespace tenon;

namespace {

struct Options {
  models::gpt2::Config model;
  int64_t steps = 40, sequences = 4, length = 64;
  uint32_t threads = 0;
  DType compute = DType::f32;
  bool kernels = false;
  int64_t tokens() const { return sequences * length; }
};

/// SplitMix64, of a stream by name. Source: Steele, Lea and Flood 2014, fig. 5.
class Numbers {
public:
  explicit Numbers(std::string_view name) : state(0) {
    for (char c : name)
      state = (state ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  uint64_t next() {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

private:
  uint64_t state;
};

/// Matrices of deviation 0.02, ones for the norms' weights, zeros for biases.
Array initial(const NamedTensor &weight) {
  std::vector<int64_t> shape;
  int64_t count = 1;
  for (const Dim &dim : weight.tensor.shape()) {
    shape.push_back(dim.extent());
    count *= dim.extent();
  }
  std::vector<float> values(count, weight.name.ends_with("bias") ? 0.0f : 1.0f);
  Numbers numbers(weight.name);
  if (shape.size() > 1)
    for (float &value : values)
      value = 0.02f * std::sqrt(3.0f) *
              (static_cast<float>(numbers.next() >> 40) * 0x1p-23f - 1);
  return Array::of(values, shape);
}

Arrays argumentsOf(const Options &options) {
  int64_t count = options.tokens();
  std::vector<int32_t> tokens, targets, sequence, position;
  Numbers numbers("tokens");
  for (int64_t s = 0; s < options.sequences; ++s) {
    std::vector<int32_t> text;
    for (int64_t i = 0; i <= options.length; ++i)
      text.push_back(
          static_cast<int32_t>(numbers.next() % options.model.vocabulary));
    for (int64_t i = 0; i < options.length; ++i) {
      tokens.push_back(text[i]);
      targets.push_back(text[i + 1]);
      sequence.push_back(static_cast<int32_t>(s));
      position.push_back(static_cast<int32_t>(i));
    }
  }
  std::vector<float> shares(count, 1.0f / static_cast<float>(count));
  std::vector<int32_t> pages(options.sequences, -1); // no cache is read
  return {{"tokens", Array::of(tokens, {count})},
          {"targets", Array::of(targets, {count})},
          {"batch.sequence", Array::of(sequence, {count})},
          {"batch.position", Array::of(position, {count})},
          {"batch.pages", Array::of(pages, {options.sequences, 1})},
          {"shares", Array::of(shares, {count})},
          {"rate", Array::of(std::vector<float>{3e-4f}, {})}};
}

Entry stepOf(const models::gpt2::Model &model, AdamW &optimizer,
             const Options &options) {
  return {"train", [&, options](Arguments &in) -> Results {
            Dim T = Dim::symbol("T", 1, options.tokens());
            Dim S = Dim::symbol("S", 1, options.sequences);
            Tensor tokens = in.tensor("tokens", {T}, i32);
            Tensor targets = in.tensor("targets", {T}, i32);
            Batch batch = in.batch("batch", T, S, Dim::symbol("P", 1, 1));
            Tensor shares = in.tensor("shares", {T});
            Tensor rate = in.tensor("rate", {});
            auto loss = [&] {
              Tensor logits = model(tokens, batch);
              Tensor each = crossEntropy(logits, targets) * shares;
              return squeeze(sum(each, 0), 0);
            };
            LossAndGradients made =
                lossAndGradients(model, loss, tensorsOf(model.parameters()));
            Tensor norm = globalNorm(model, made.gradients);
            optimizer.step(made.gradients, rate, clipScale(norm, 1.0));
            return {{"loss", made.loss}, {"norm", norm}};
          }};
}

double secondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
      .count();
}

/// The milliseconds of a step by kernels of one label, the longest first.
std::vector<std::pair<std::string, double>>
kernelTimes(const exec::Session &session, int64_t steps) {
  std::map<std::string, double> byLabel;
  const auto &kernels = session.program().program().kernels;
  for (size_t i = 0; i < kernels.size(); ++i)
    byLabel[kernels[i].label] +=
        static_cast<double>(session.kernelTimes()[i].timeNs / steps) / 1e6;
  std::vector<std::pair<std::string, double>> sorted(byLabel.begin(),
                                                     byLabel.end());
  std::ranges::sort(sorted, std::greater(),
                    &std::pair<std::string, double>::second);
  return sorted;
}

double countOf(const std::vector<NamedTensor> &weights) {
  double all = 0;
  for (const NamedTensor &weight : weights) {
    double count = 1;
    for (const Dim &dim : weight.tensor.shape())
      count *= static_cast<double>(dim.extent());
    all += count;
  }
  return all;
}

/// AdamW reads a gradient, a weight and two moments, and writes three of them.
void printKernels(const exec::Session &session, const Options &options,
                  double weights) {
  constexpr double kBytesOfAWeight = 28;
  double optimizer = 0;
  std::printf(",\n \"kernels_ms\": {");
  const char *between = "";
  for (const auto &[label, ms] : kernelTimes(session, options.steps)) {
    bool isOptimizer = label.find("overwrite") != std::string::npos;
    optimizer += isOptimizer ? ms : 0;
    std::printf("%s\n  \"%s\": %.3f", between, label.c_str(), ms);
    between = ",";
  }
  uint32_t threads =
      options.threads ? options.threads : std::thread::hardware_concurrency();
  double copy = benchmarks::copyPeak(static_cast<int>(threads), 1 << 30);
  std::printf("},\n \"optimizer_ms\": %.2f, \"optimizer_gb_per_s\": %.1f, "
              "\"copy_gb_per_s\": %.1f",
              optimizer, kBytesOfAWeight * weights / optimizer / 1e6,
              copy / 1e9);
}

absl::Status run(const Options &options) {
  models::gpt2::Model model(options.model);
  AdamW optimizer(&model, "adamw", model.parameters(),
                  {.beta2 = 0.95, .decay = 0.1});
  TraceOptions tracing;
  tracing.trained = [](std::string_view) { return true; };
  tracing.compute = options.compute;
  auto start = std::chrono::steady_clock::now();
  auto program = trace(model, {stepOf(model, optimizer, options)}, tracing);
  if (!program.ok())
    return program.status();
  double traced = secondsSince(start);
  auto weights = Weights::random(*program, /*seed=*/1);
  if (!weights.ok())
    return weights.status();
  SessionOptions limits;
  limits.threads = options.threads;
  start = std::chrono::steady_clock::now();
  auto session = Session::open(*program, *weights, limits);
  if (!session.ok())
    return session.status();
  std::printf("{\"trace_s\": %.3f, \"open_s\": %.3f, \"steps\": [", traced,
              secondsSince(start));
  for (const NamedTensor &weight : model.parameters())
    if (absl::Status status = (*session)->write(weight.name, initial(weight));
        !status.ok())
      return status;
  Arrays arguments = argumentsOf(options);
  (*session)->runtime().timeKernels(options.kernels);
  for (int64_t step = 0; step < options.steps; ++step) {
    start = std::chrono::steady_clock::now();
    auto results = (*session)->call("train", arguments);
    if (!results.ok())
      return results.status();
    std::printf("%s\n  {\"loss\": %.7g, \"norm\": %.7g, \"ms\": %.1f}",
                step ? "," : "", results->at("loss").values<float>()[0],
                results->at("norm").values<float>()[0],
                1e3 * secondsSince(start));
    std::fflush(stdout);
  }
  std::printf("\n]");
  if (options.kernels)
    printKernels((*session)->runtime(), options, countOf(model.parameters()));
  std::printf("}\n");
  return absl::OkStatus();
}
} // namespace

int main(int argc, char **argv) {
  Options options;
  CLI::App app("Steps of training a GPT-2, and what they take, as JSON.");
  app.add_option("--steps", options.steps)->check(CLI::PositiveNumber);
  app.add_option("--layers", options.model.layers)->check(CLI::PositiveNumber);
  app.add_option("--width", options.model.width)->check(CLI::PositiveNumber);
  app.add_option("--heads", options.model.heads)->check(CLI::PositiveNumber);
  app.add_option("--vocabulary", options.model.vocabulary)
      ->check(CLI::PositiveNumber);
  app.add_option("--sequences", options.sequences)->check(CLI::PositiveNumber);
  app.add_option("--length", options.length, "tokens of a sequence")
      ->check(CLI::Range(1, 1024));
  app.add_option("--threads", options.threads, "0: every CPU");
  app.add_option("--compute", options.compute, "of products: f32 or bf16")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, DType>{{"f32", f32}, {"bf16", bf16}}));
  app.add_flag("--kernels", options.kernels, "what kernels took");
  CLI11_PARSE(app, argc, argv);
  absl::Status status = run(options);
  if (status.ok())
    return 0;
  std::fprintf(stderr, "train_step: %s\n", status.ToString().c_str());
  return 1;
}
