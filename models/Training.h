//===- Training.h - Entries that train a decoder ----------------*- C++ -*-===//
//
// The entries that `exec::Trainer` drives. A call takes some sequences of
// tokens side by side; rows are the tokens whose next token is learned.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_MODELS_TRAINING_H
#define TENON_MODELS_TRAINING_H

#include "frontend/dsl/Balance.h"
#include "frontend/dsl/Optimizers.h"
#include "models/Decoder.h"
#include "models/Objective.h"

#include <variant>

namespace tenon::models {

struct TrainingOptions {
  DecoderOptions decoder; ///< With adapters, those alone are trained.
  int64_t tokens = 256;   ///< Most of a call, of all its sequences.
  int64_t sequences = 4;  ///< Most of a call.
  /// A step is several calls, whose gradients are added.
  bool accumulates = false;
  Objective objective = Objective::Likelihood;
  bool hasValues = false; ///< Of Policy: a value head learns, too.
  bool scoresAll = false; ///< The entries scoreAll and scoreAllRows.
  BalanceOptions balance; ///< Of layers of experts.
  /// Generating notes each token's experts, and the other entries take them
  /// (RecordedRouting.h).
  bool recordsRouting = false;
  /// Of Likelihood, with `decoder.drafts`: the layer that predicts a further
  /// token learns, too.
  bool further = false;
  std::variant<AdamW::Options, Sgd::Options> optimizer = AdamW::Options();
  int64_t logitRows = 0; ///< Rows whose logits are there at once; 0: chosen.
  double clip = 1;       ///< Most of the gradient's global norm; infinity: any.
  std::string checkpoint;     ///< As TraceOptions'.
  DType compute = DType::f32; ///< As TraceOptions'.
  /// Names of weights with "*" for anything: those that stay as they are, and
  /// those that do not decay (none: those of one axis).
  std::vector<std::string> frozen, undecayed;
};

/// Traces a decoder's own entries and
///   train(tokens i32[T], batch, rows i32[M], targets i32[M], shares f32[M],
///         rate f32[], scale f32[]) -> loss f32[], norm f32[]
///   score(tokens i32[T], batch, rows i32[M], targets i32[M],
///         temperature f32[]) -> log f32[M]
///   norm() -> norm f32[], of all trained weights
/// where the gradient of scale * loss is taken, divided by scale again and
/// clipped, and log = log p(target) of each row. Objectives other than
/// Likelihood have arguments of their own in train (Objective.h). Policy's has
/// a further result log f32[M], before the step; with values, score has a
/// further result values f32[M]; and there is
///   scoreRows(logits f32[R, V], targets i32[R], temperature f32[R])
///       -> log f32[R]
/// of logits that `forward` made. With layers of experts, train has arguments
/// sequences i32[T], balance_rate f32[] (of the biases that are trained)
/// and capacity f32[] (where options say so), and a result load f32[L, E + 1]:
/// of each layer, how often an expert was chosen, and assignments beyond the
/// capacity. Where routing is recorded, all entries that take tokens to learn
/// have an argument experts i32[T, W], of all layers. With `further`, train has
/// arguments after i32[T], the token after each, further_targets i32[M] and
/// further_shares f32[M], of the token after a row's target, and further_weight
/// f32[]; and a result further f32[], the sum of -further_share log p(further
/// target), which is learned beside the loss, further_weight times. Where
/// options say so, there are in train's place
///   accumulate(... as train, but keeps f32[] for rate) -> loss f32[] (, log)
///   apply(rate f32[], scale f32[] (, balance_rate)) -> norm f32[]
/// and, to compare what rollouts and training compute,
///   scoreAll(tokens i32[T], batch, rows i32[M], temperature f32[])
///       -> log f32[M, V], by a training step's forward half
///   scoreAllRows(logits f32[R, V], temperature f32[]) -> log f32[R, V]
/// Errors: those of `trace`; INVALID_ARGUMENT (nothing is left to train; values
///         without Policy; `further` without Likelihood or the layer,
///         or with recorded routing; that without layers of experts).
absl::StatusOr<TracedProgram> traceTraining(const Decoder &decoder,
                                            const ModelFiles &files,
                                            const TrainingOptions &options);

} // namespace tenon::models
#endif // TENON_MODELS_TRAINING_H
