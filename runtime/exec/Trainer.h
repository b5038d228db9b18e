//===- Trainer.h - Steps of training a decoder ------------------*- C++ -*-===//
//
// Drives a program with the entries of models/Training.h:
//
//   train(tokens i32[T], batch.sequence i32[T], batch.position i32[T],
//         batch.pages i32[S, 1], rows i32[M], targets i32[M], shares f32[M],
//         rate f32[], scale f32[]) -> loss f32[], norm f32[]
//   evaluate(tokens ... shares) -> loss f32[]
//   norm() -> norm f32[]
//
// or, for steps larger than a call, accumulate (as train, but `keeps` for
// `rate`; a loss alone) and apply(rate, scale) -> norm in train's place.
//
//   TENON_ASSIGN_OR_RETURN(auto trainer, Trainer::create(*session));
//   TENON_ASSIGN_OR_RETURN(StepResult made, trainer->step(batch, 3e-4f));
//
//===----------------------------------------------------------------------===//

#ifndef TENON_RUNTIME_EXEC_TRAINER_H
#define TENON_RUNTIME_EXEC_TRAINER_H

#include "runtime/exec/Session.h"

#include <cmath>

namespace tenon::exec {

/// A text to learn: each token from number `from` on, at least 1, given those
/// before it. Owns nothing.
struct TrainSequence {
  std::span<const int32_t> tokens;
  int64_t from = 1;

  int64_t inputs() const { return static_cast<int64_t>(tokens.size()) - 1; }
  int64_t learned() const { return inputs() - from + 1; }
};

struct StepResult {
  float loss = 0; // mean of -log p over the tokens learned, before the step
  float norm = 0; // of the gradients, before they are clipped
  int64_t inputs = 0, learned = 0; // tokens computed, and learned of them
  int64_t calls = 0;               // that made the gradients

  /// Whether the step was taken; otherwise nothing has changed.
  bool isFinite() const { return std::isfinite(loss) && std::isfinite(norm); }
};

/// Limits the symbols of the entries that train, in a session's options, to at
/// most so many tokens and sequences of a call; 0: the program's own. Nothing
/// where there are no such entries.
void addTrainingLimits(const base::Program &program, SessionOptions &options,
                       int64_t tokens = 0, int64_t sequences = 0);

/// Bytes that a step's temporaries take, of calls of at most so many tokens and
/// sequences; as the session plans them.
/// Errors: NOT_FOUND (not a program to train), OUT_OF_RANGE.
StatusOr<int64_t> stepArenaBytes(const base::Program &program, int64_t tokens,
                                 int64_t sequences);

/// Threads: one at a time.
class Trainer {
public:
  /// `session` must outlive the result.
  /// Errors: NOT_FOUND (no such entries), INVALID_ARGUMENT (of another form).
  static StatusOr<std::unique_ptr<Trainer>> create(Session &session);

  /// Takes a step on all sequences, whose tokens weigh alike. `scale` is what
  /// the loss is multiplied by while it is differentiated.
  /// Errors: INVALID_ARGUMENT (no sequence; one that has nothing to learn or is
  ///         longer than a call; more than a call takes, where the program does
  ///         not accumulate), those of `Session::call`.
  StatusOr<StepResult> step(std::span<const TrainSequence> batch, float rate,
                            float scale = 1);

  /// The mean of -log p over the tokens that would be learned.
  /// Errors: as `step`.
  StatusOr<double> evaluate(std::span<const TrainSequence> batch);

  /// The norm of all trained weights.
  StatusOr<float> weightNorm();

  /// After a step that was not taken: computes its gradients again, and fails
  /// with the first kernel that makes a value that is no finite number: its
  /// ops, their place in the model's source, and the weights it read.
  /// Errors: OUT_OF_RANGE (that value), as `step`; OK where all are finite.
  Status findNonFinite(std::span<const TrainSequence> batch, float scale = 1);

  int64_t callTokens() const { return mostTokens; }
  int64_t callSequences() const { return mostSequences; }
  bool accumulates() const { return hasSums; }

private:
  /// Sequences that one call computes.
  using Part = std::span<const TrainSequence>;

  explicit Trainer(Session &owner) : session(owner) {}
  Status resolve();
  StatusOr<std::vector<Part>> cut(std::span<const TrainSequence> batch) const;
  void fill(Part part, int64_t learned);
  struct Scalar {
    std::string_view name;
    float value;
  };
  /// Calls an entry on what `fill` left; results in the entry's order.
  Status call(uint32_t entry, std::span<const Scalar> scalars,
              std::span<float> results);

  Session &session;
  bool hasSums = false;
  uint32_t trainEntry = 0, applyEntry = 0, evaluateEntry = 0, normEntry = 0;
  int64_t mostTokens = 0, mostSequences = 0;
  std::vector<int32_t> tokens, sequence, position, pages, rows, targets;
  std::vector<float> shares;
};

} // namespace tenon::exec
#endif // TENON_RUNTIME_EXEC_TRAINER_H
