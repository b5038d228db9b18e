//===- TrainStep.cpp - Steps of training a GPT-2 --------------------------===//
//
//   train_step [--steps 40] [--layers 12] [--width 768] [--heads 12]
//              [--vocabulary 50257] [--sequences 4] [--length 64] [--threads 0]
//              [--compute f32|bf16]
//
// Prints what compiling and each step took, and each step's loss, as JSON. The
// weights and tokens are made of numbers that scripts/train-reference makes as
// well; every step has the same tokens.
//
//===----------------------------------------------------------------------===//

#include "frontend/Tenon.h"
#include "models/gpt2/Model.h"

#include "CLI/CLI.hpp"

#include <chrono>
#include <cmath>
#include <cstdio>

using namespace tenon;

namespace {

struct Options {
  models::gpt2::Config model;
  int64_t steps = 40, sequences = 4, length = 64;
  uint32_t threads = 0;
  DType compute = DType::f32;
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
  std::printf("\n]}\n");
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
  CLI11_PARSE(app, argc, argv);
  absl::Status status = run(options);
  if (status.ok())
    return 0;
  std::fprintf(stderr, "train_step: %s\n", status.ToString().c_str());
  return 1;
}
