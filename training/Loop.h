//===- Loop.h - A run of training -------------------------------*- C++ -*-===//
//
//   TENON_ASSIGN_OR_RETURN(auto loop, Loop::create(recipe, parts));
//   TENON_RETURN_IF_ERROR(loop->run(events));
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TRAINING_LOOP_H
#define TENON_TRAINING_LOOP_H

#include "training/Checkpoint.h"
#include "training/Learner.h"
#include "training/Log.h"

namespace tenon::training {

struct StepReport {
  int64_t step = 0; // taken, with this one
  exec::StepResult made;
  float rate = 0;
  double seconds = 0;
  double epoch = 0;
  Figures figures;
  double tokensPerSecond() const {
    return seconds > 0 ? static_cast<double>(made.inputs) / seconds : 0;
  }
};

/// Told of what happens, in order; each may be empty.
struct LoopEvents {
  std::function<void(const StepReport &)> onStep;
  std::function<void(const Evaluation &)> onEvaluation;
  std::function<void(int64_t step, const std::string &text)> onSample;
  std::function<void(const std::string &path)> onCheckpoint;
  std::function<void(const std::string &text)> onNotice;
  /// Asked after each step: whether to write a checkpoint and end.
  std::function<bool()> shouldStop;
};

/// Threads: one at a time.
class Loop {
public:
  /// Continues from the output's newest checkpoint if `resumes`, else draws
  /// nothing and begins with the session's tensors as they are.
  /// Errors: NOT_FOUND (a checkpoint to resume), INVALID_ARGUMENT (one of
  ///         another recipe or model; an output that has some already; a data
  ///         set smaller than a batch, or with tokens beyond the model's
  ///         vocabulary), UNAVAILABLE (the disk).
  static StatusOr<std::unique_ptr<Loop>>
  create(const Recipe &recipe, const LoopParts &parts, bool resumes);

  /// Runs to the last step, or until `shouldStop`. A run from the beginning is
  /// evaluated before its first step, too.
  /// Errors: OUT_OF_RANGE (a loss or a gradient that is not finite: the step,
  ///         the first op and its weights, the checkpoint to go on from),
  ///         UNAVAILABLE (the disk), those of exec::Trainer.
  Status run(const LoopEvents &events);

  int64_t step() const { return done; }

private:
  Loop(const Recipe &how, const LoopParts &with)
      : recipe(how), parts(with), lossScale(how.lossScale) {}
  Status begin(bool resumes);
  Status resume(const std::string &path);
  Status takeStep(const LoopEvents &events);
  Status notFinite(const exec::StepResult &made, const Status &refusal,
                   const exec::StepOptions &options, const LoopEvents &events);
  Status afterStep(const LoopEvents &events, bool isLast);
  Status evaluate(const LoopEvents &events);
  Status sample(const LoopEvents &events);
  Status checkpoint(const LoopEvents &events);

  Recipe recipe;
  LoopParts parts;
  std::unique_ptr<exec::Trainer> trainer;
  std::unique_ptr<exec::Generator> generator;
  std::unique_ptr<Learner> learner;
  std::optional<Log> log;
  int64_t done = 0;       // steps, skipped ones too
  int64_t savedStep = -1; // of the newest checkpoint
  float lossScale;
};

} // namespace tenon::training
#endif // TENON_TRAINING_LOOP_H
