//===- LoraStep.cpp - Steps of training adapters --------------------------===//
//
//   lora_step MODEL [--kind lora] [--rank 16] [--alpha 32]
//             [--targets layers.*.attention.query,layers.*.attention.value]
//             [--sequences 4] [--length 64] [--steps 5] [--threads 0]
//
// Prints as JSON what compiling, opening and each step took, each step's loss,
// what the session's memory is, and the most that the process has had resident
// by then. Every step has the same drawn tokens.
//
//===----------------------------------------------------------------------===//

#include "frontend/Tenon.h"
#include "models/Registry.h"
#include "models/Training.h"
#include "runtime/exec/AdapterSet.h"
#include "runtime/exec/Trainer.h"

#include "CLI/CLI.hpp"

#include <chrono>
#include <cstdio>

#include <sys/resource.h>

using namespace tenon;

namespace {

struct Options {
  std::string model, kind = "lora";
  AdapterOptions adapters = {
      .targets = {"layers.*.attention.query", "layers.*.attention.value"}};
  int64_t sequences = 4, length = 64, steps = 5;
  uint32_t threads = 0;
};

double secondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
      .count();
}

/// The most that was resident, in MiB.
double peakMib() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

double mib(int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

std::vector<std::vector<int32_t>> drawTexts(const Options &options,
                                            int64_t vocabulary) {
  std::vector<std::vector<int32_t>> texts(options.sequences);
  uint64_t state = 1;
  for (std::vector<int32_t> &text : texts)
    for (int64_t i = 0; i <= options.length; ++i) {
      state = state * 6364136223846793005 + 1442695040888963407; // Knuth's
      text.push_back(static_cast<int32_t>((state >> 33) % vocabulary));
    }
  return texts;
}

absl::StatusOr<std::unique_ptr<Session>> openSession(const ModelFiles &files,
                                                     const Options &options) {
  models::TrainingOptions training;
  training.tokens = options.sequences * options.length;
  training.sequences = options.sequences;
  training.decoder.adapters = options.adapters;
  auto start = std::chrono::steady_clock::now();
  auto decoder = models::buildModel(files, training.decoder);
  if (!decoder.ok())
    return decoder.status();
  auto program = models::traceTraining(*decoder, files, training);
  if (!program.ok())
    return program.status();
  SessionOptions limits;
  limits.threads = options.threads;
  limits.contextTokens = options.length;
  limits.sequences = options.sequences;
  auto session = Session::open(*program, Weights::of(files), limits);
  if (session.ok())
    std::printf("\"open_s\": %.1f, \"open_peak_mib\": %.0f,\n",
                secondsSince(start), peakMib());
  return session;
}

Status train(exec::Session &session, const Options &options,
             int64_t vocabulary) {
  exec::SessionStats stats = session.stats();
  std::printf("\"prepared_mib\": %.0f, \"state_mib\": %.0f, "
              "\"arena_mib\": %.0f,\n\"steps\": [",
              mib(stats.preparedBytes), mib(stats.stateBytes),
              mib(stats.arenaBytes));
  std::vector<std::vector<int32_t>> texts = drawTexts(options, vocabulary);
  std::vector<exec::TrainSequence> batch;
  for (const std::vector<int32_t> &text : texts)
    batch.push_back({text});
  TENON_ASSIGN_OR_RETURN(auto trainer, exec::Trainer::create(session));
  for (int64_t step = 0; step < options.steps; ++step) {
    auto start = std::chrono::steady_clock::now();
    TENON_ASSIGN_OR_RETURN(exec::StepResult made,
                           trainer->step(batch, {.rate = 1e-3f}));
    std::printf("%s\n  {\"loss\": %.7g, \"norm\": %.7g, \"ms\": %.1f, "
                "\"peak_mib\": %.0f}",
                step ? "," : "", made.loss, made.norm,
                1e3 * secondsSince(start), peakMib());
    std::fflush(stdout);
  }
  std::printf("\n]}\n");
  return Status();
}

absl::Status run(Options options) {
  for (AdapterKind kind : {AdapterKind::RsLoRa, AdapterKind::Bottleneck})
    if (nameOf(kind) == options.kind)
      options.adapters.kind = kind;
  auto files = ModelFiles::open(options.model);
  if (!files.ok())
    return files.status();
  std::printf("{");
  auto session = openSession(*files, options);
  if (!session.ok())
    return session.status();
  // The packed copy is what is read from here on.
  for (const io::TensorEntry &tensor : files->weights().tensors())
    files->weights().release(tensor);
  return toAbsl(train((*session)->runtime(), options, /*vocabulary=*/1000));
}
} // namespace

int main(int argc, char **argv) {
  Options options;
  CLI::App app("Steps of training adapters, and what they take, as JSON.");
  app.add_option("model", options.model)->required();
  app.add_option("--kind", options.kind)
      ->check(CLI::IsMember({"lora", "rslora", "bottleneck"}));
  app.add_option("--rank", options.adapters.rank)->check(CLI::PositiveNumber);
  app.add_option("--alpha", options.adapters.alpha);
  app.add_option("--targets", options.adapters.targets)->delimiter(',');
  app.add_option("--sequences", options.sequences)->check(CLI::PositiveNumber);
  app.add_option("--length", options.length, "tokens of a sequence")
      ->check(CLI::PositiveNumber);
  app.add_option("--steps", options.steps)->check(CLI::PositiveNumber);
  app.add_option("--threads", options.threads, "0: every CPU");
  CLI11_PARSE(app, argc, argv);
  absl::Status status = run(options);
  if (status.ok())
    return 0;
  std::fprintf(stderr, "lora_step: %s\n", status.ToString().c_str());
  return 1;
}
