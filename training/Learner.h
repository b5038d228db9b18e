//===- Learner.h - What the steps of a run learn ----------------*- C++ -*-===//
//
// `Loop` counts steps, logs, evaluates and writes checkpoints; a learner does
// what a step is. Everything follows from the recipe and the step's number.
//
//   TextLearner          texts and completions of a data set
//   DistillationLearner  the same, from a teacher's distributions
//   PreferenceLearner    DPO: which of two completions is better
//   PolicyLearner        GRPO and PPO: rewards of what the model generates
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TRAINING_LEARNER_H
#define TENON_TRAINING_LEARNER_H

#include "runtime/exec/Generator.h"
#include "runtime/exec/Trainer.h"
#include "runtime/io/Tokenizer.h"
#include "training/Recipe.h"
#include "training/TokenData.h"

#include <memory>
#include <utility>

namespace tenon::training {

/// What a run works with; all of it outlives the loop.
struct LoopParts {
  exec::Session *session = nullptr;
  const TokenData *data = nullptr;
  const TokenData *validation = nullptr;    // null: there is none
  const io::Tokenizer *tokenizer = nullptr; // null: no samples
  /// Of the same program, with the weights the run began with: what DPO and a
  /// penalty compare with. Null: there is none.
  exec::Session *reference = nullptr;
  exec::Session *teacher = nullptr;    // a program to train, or a decoder
  std::vector<std::string> modelFiles; // copied into checkpoints
};

/// A step's options with further numbers of the objective's, which `held`
/// keeps.
exec::StepOptions withNumbers(const exec::StepOptions &options,
                              std::span<const exec::NamedNumber> numbers,
                              std::vector<exec::NamedNumber> &held);

/// Further numbers for the log, in order.
using Figures = std::vector<std::pair<std::string, double>>;

struct LearnedStep {
  exec::StepResult made;
  double epoch = 0; // before the step
  Figures figures;
};

/// On what is held out.
struct Evaluation {
  int64_t step = 0;
  double loss = NAN;                  // NaN: it has none
  int64_t matches = 0, generated = 0; // right completions, of all
  Figures figures;
};

/// Threads: one at a time.
class Learner {
public:
  virtual ~Learner() = default;

  /// Whether `step` can be taken with what the run has.
  /// Errors: INVALID_ARGUMENT, naming the file, what it expects and got.
  virtual Status check(int64_t step) = 0;

  /// Takes a step, counted from 0, of the recipe.
  /// Errors: those of exec::Trainer and exec::Generator; OUT_OF_RANGE: a loss
  ///         or gradient that is no finite number, no weight has changed.
  virtual StatusOr<LearnedStep> step(int64_t step,
                                     const exec::StepOptions &options) = 0;

  /// After a step that was not taken: what made a number that is not finite.
  /// Errors: OUT_OF_RANGE (that), OK where all are finite.
  virtual Status findNonFinite(const exec::StepOptions &options) = 0;

  virtual StatusOr<Evaluation> evaluate(int64_t step) = 0;
};

/// Who learns as the recipe says.
/// Errors: INVALID_ARGUMENT, NOT_FOUND, DATA_LOSS (what its method reads).
StatusOr<std::unique_ptr<Learner>> makeLearner(const Recipe &recipe,
                                               const LoopParts &parts,
                                               exec::Trainer &trainer,
                                               exec::Generator &generator);

} // namespace tenon::training
#endif // TENON_TRAINING_LEARNER_H
