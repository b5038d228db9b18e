//===- Trainer.h - Steps of training a decoder ------------------*- C++ -*-===//
//
// Drives a program with the entries of models/Training.h:
//
//   train(tokens i32[T], batch.sequence i32[T], batch.position i32[T],
//         batch.pages i32[S, 1], rows i32[M], targets i32[M], shares f32[M],
//         rate f32[], scale f32[], ...) -> loss f32[], norm f32[], ...
//   score(tokens ... targets, temperature f32[]) -> log f32[M], ...
//   norm() -> norm f32[]
//
// or, for steps larger than a call, accumulate (as train, but `keeps` for
// `rate`; no norm) and apply(rate, scale) -> norm in train's place. What an
// objective reads beside these are columns, f32 with a row for each token that
// is learned, and numbers, f32 of rank 0. Where a layer learns to predict a
// further token, train takes after i32[T], further_targets i32[M] and
// further_shares f32[M], too; where routing is recorded, all that take tokens
// take experts i32[T, W].
//
//   TENON_ASSIGN_OR_RETURN(auto trainer, Trainer::create(*session));
//   TENON_ASSIGN_OR_RETURN(StepResult made, trainer->step(batch, {3e-4f}));
//
//===----------------------------------------------------------------------===//

#ifndef TENON_RUNTIME_EXEC_TRAINER_H
#define TENON_RUNTIME_EXEC_TRAINER_H

#include "runtime/exec/Session.h"

#include <cmath>
#include <string_view>

namespace tenon::exec {

/// Numbers beside each token that a text learns, in the order of the tokens.
struct TokenColumn {
  std::string_view name;         // the argument's
  std::span<const float> values; // [learned], or [learned, V]
};

/// A text to learn: each token from number `from` on, at least 1, given those
/// before it. Owns nothing.
struct TrainSequence {
  std::span<const int32_t> tokens;
  int64_t from = 1;
  /// "shares" of the loss among them, or all tokens of a step weigh alike.
  std::span<const TokenColumn> columns = {};
  /// Of each of the inputs, [inputs, experts of all layers], where the program
  /// takes recorded routing.
  std::span<const int32_t> experts = {};

  int64_t inputs() const { return static_cast<int64_t>(tokens.size()) - 1; }
  int64_t learned() const { return inputs() - from + 1; }
};

/// An argument of rank 0.
struct NamedNumber {
  std::string_view name;
  float value;
};

struct StepOptions {
  float rate = 0;
  float scale = 1; // of the loss while it is differentiated
  std::span<const NamedNumber> numbers = {}; // what the objective reads
};

struct StepResult {
  float loss = 0; // before the step; of plain texts the mean of -log p
  float norm = 0; // of the gradients, before they are clipped
  /// The loss of further tokens, where the program learns them; not in `loss`.
  float further = 0;
  int64_t inputs = 0, learned = 0; // tokens computed, and learned of them
  int64_t calls = 0;               // that made the gradients
  /// log p of each learned token, before the step, in the batch's order; empty
  /// where the program does not tell.
  std::vector<float> log;
  /// Of a model with layers of experts: [layers, E + 1], how often each expert
  /// was chosen, and how many choices were beyond the capacity.
  std::vector<float> load;
  int64_t layers = 0;

  /// Whether the step was taken; otherwise nothing has changed.
  bool isFinite() const { return std::isfinite(loss) && std::isfinite(norm); }
};

/// Of each learned token, in the batch's order.
struct Scores {
  std::vector<float> log;    // log p
  std::vector<float> values; // empty: there is no value head
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

  /// Takes a step on all sequences.
  /// Errors: INVALID_ARGUMENT (no sequence; one that has nothing to learn or is
  ///         longer than a call; more than a call takes, where the program does
  ///         not accumulate; a column, number or experts that are missing or of
  ///         another size), those of `Session::call`.
  StatusOr<StepResult> step(std::span<const TrainSequence> batch,
                            const StepOptions &options);

  /// What the model gives to the tokens that would be learned, softmax of
  /// logits / temperature. Errors: as `step`.
  StatusOr<Scores> score(std::span<const TrainSequence> batch,
                         float temperature = 1);

  /// The same of all tokens of the vocabulary: [learned, V].
  /// Errors: as `step`; NOT_FOUND (the program has no such entry).
  StatusOr<std::vector<float>> scoreAll(std::span<const TrainSequence> batch,
                                        float temperature = 1);

  /// The mean of -log p over the tokens that would be learned.
  /// Errors: as `step`.
  StatusOr<double> evaluate(std::span<const TrainSequence> batch);

  /// The norm of all trained weights.
  StatusOr<float> weightNorm();

  /// After a step that was not taken: computes its gradients again, and fails
  /// with the first kernel that makes a value that is no finite number: its
  /// ops, their place in the model's source, and the weights it read.
  /// Errors: OUT_OF_RANGE (that value), as `step`; OK where all are finite.
  Status findNonFinite(std::span<const TrainSequence> batch,
                       const StepOptions &options);

  int64_t callTokens() const { return mostTokens; }
  int64_t callSequences() const { return mostSequences; }
  bool accumulates() const { return hasSums; }

private:
  /// Sequences that one call computes.
  using Part = std::span<const TrainSequence>;

  explicit Trainer(Session &owner) : session(owner) {}
  Status resolve();
  StatusOr<std::vector<Part>> cut(std::span<const TrainSequence> batch) const;
  /// What a call of an entry takes beside the program's own: numbers that
  /// the step gives, and columns that its sequences give.
  struct Extra {
    std::string_view name;
    int64_t width = 0;         // of a row of a column; 0: a number
    std::vector<float> values; // what `fill` left
  };
  Status fill(Part part, int64_t learned);
  void fillFurther(Part part);
  Status fillColumns(Part part);
  Status fillExperts(Part part);
  Status setNumbers(std::span<const NamedNumber> numbers);
  struct Output {
    std::string_view name;
    std::span<float> values;
    size_t rank = 0;
    int64_t width = 1; // of a row
  };
  /// Calls an entry on what `fill` left; `outputs` are its results, in any
  /// order.
  Status call(uint32_t entry, std::span<const NamedNumber> numbers,
              std::span<const Output> outputs);
  /// Makes the gradients of a part that `fill` left, and steps where the
  /// program does not accumulate.
  Status differentiate(const StepOptions &options, bool isFirst,
                       StepResult &made);

  Session &session;
  bool hasSums = false, hasLog = false, hasValues = false, hasFurther = false;
  int64_t loadLayers = 0, loadWidth = 0; // 0: there are no experts
  int64_t expertsWidth = 0;              // 0: the program chooses them
  uint32_t trainEntry = 0, applyEntry = 0, scoreEntry = 0, normEntry = 0;
  int64_t mostTokens = 0, mostSequences = 0;
  std::vector<int32_t> tokens, sequence, position, pages, rows, targets;
  std::vector<int32_t> after, furtherTargets, experts;
  std::vector<float> shares, furtherShares;
  std::vector<Extra> extras; // of `train`
};

} // namespace tenon::exec
#endif // TENON_RUNTIME_EXEC_TRAINER_H
