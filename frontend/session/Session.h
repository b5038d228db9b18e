//===- Session.h - Compile, load, call --------------------------*- C++ -*-===//
//
//   absl::StatusOr<TracedProgram> program = trace(model, {forward});
//   auto weights = Weights::random(*program, /*seed=*/7);
//   auto session = Session::open(*program, *weights);
//   auto results = (*session)->call("forward", {{"x", x}});
//   for (float y : results->at("y").values<float>())
//
//===----------------------------------------------------------------------===//

#ifndef TENON_FRONTEND_SESSION_SESSION_H
#define TENON_FRONTEND_SESSION_SESSION_H

#include "frontend/session/Array.h"
#include "frontend/session/Weights.h"

#include <memory>

namespace tenon::exec {
class Session;
}

namespace tenon {

struct SessionOptions {
  uint32_t threads = 0; ///< 0: every CPU this process may run on.
  /// Limits of symbols, by name; those not given are the program's own.
  std::map<std::string, int64_t> limits;
  int64_t contextTokens = 0; ///< Of a decoder's sequence; 0: up to 4096.
  int64_t sequences = 1;     ///< Of a decoder, that run together.
  int64_t pages = 1;         ///< Of caches, of 256 tokens; of other programs.
  std::string dumpFolder;    ///< Where to write the IR of each stage.
};

/// How a token is drawn; temperature 0 takes the likeliest.
struct SamplingOptions {
  float temperature = 0;
  int32_t topK = 0;
  float topP = 1;
  float minP = 0;
  int64_t seed = 0;
  int64_t maxTokens = 256;
  std::vector<int32_t> stopTokens;
};

/// What a step of training did.
struct TrainStepResult {
  float loss = 0; ///< Mean of -log p over the tokens learned, before the step.
  float norm = 0; ///< Of the gradients, before they are clipped.
  bool isTaken = false; ///< Not where one of both is no finite number.
};

/// A compiled program with its weights, caches and memory.
/// Owns: all of it; the weights' files must outlive it.
/// Threads: one call at a time.
class Session {
public:
  /// Compiles for this machine, binds the weights and places all memory.
  /// Errors: INTERNAL (the compiler's diagnostics), NOT_FOUND (a weight, by
  ///         name), RESOURCE_EXHAUSTED (memory), INVALID_ARGUMENT (limits).
  static absl::StatusOr<std::unique_ptr<Session>>
  open(const TracedProgram &program, const Weights &weights,
       const SessionOptions &options = {});
  ~Session();

  /// Runs an entry. A batch is three i32 arguments: "batch.sequence",
  /// "batch.position" and "batch.pages".
  /// Errors: NOT_FOUND (the entry, an argument), INVALID_ARGUMENT (a type or a
  ///         shape), and what a kernel notes: op, source line, row.
  absl::StatusOr<Arrays> call(std::string_view entry, const Arrays &arguments);

  /// Copies a tensor that lives across calls, a trained weight or a variable,
  /// by its name in the model. Errors: NOT_FOUND, INVALID_ARGUMENT (another
  /// type or shape).
  absl::StatusOr<Array> read(std::string_view name) const;
  absl::Status write(std::string_view name, const Array &value);

  /// Generates from a prompt, for programs with the entries of
  /// `models::decoderEntries`. `onToken` returns whether to stop.
  /// Errors: NOT_FOUND (the program is no decoder), INVALID_ARGUMENT (the
  ///         prompt is empty or longer than the context).
  absl::StatusOr<std::vector<int32_t>>
  generate(std::span<const int32_t> prompt, const SamplingOptions &options = {},
           const std::function<bool(int32_t token)> &onToken = {});

  /// Takes a step on texts of at least two tokens, each predicted from those
  /// before it, for programs of `models::traceTraining` that learn likelihood
  /// without a capacity of experts, whose biases change by `balanceRate`.
  /// Errors: NOT_FOUND (the program is not one to train), INVALID_ARGUMENT (a
  ///         text too short, or more than a step takes).
  absl::StatusOr<TrainStepResult>
  trainStep(std::span<const std::vector<int32_t>> texts, float rate,
            float balanceRate = 1e-3f);

  /// The runtime's session, for what has no method here: `exec::AdapterSet`.
  exec::Session &runtime();

private:
  struct Impl;
  explicit Session(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl;
};

} // namespace tenon
#endif // TENON_FRONTEND_SESSION_SESSION_H
