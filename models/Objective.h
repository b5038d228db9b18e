//===- Objective.h - What a step of training learns -------------*- C++ -*-===//
//
// Each token that is learned is a row: its logits, and numbers that the caller
// gives beside them, a column each. p is softmax(logits / temperature) of the
// row, of which the token's own is p(target).
//
//   Likelihood     -share log p(target)
//   Policy         share (penalty k - min(r A, clip(r, 1 - clip_low,
//                                               1 + clip_high) A))
//                  where r = p(target) / exp(old), A = advantage,
//                  k = exp(d) - d - 1 and d = reference - log p(target), whose
//                  mean is the divergence from the reference (Schulman's third
//                  estimator); "old" and "reference" are log-probabilities
//   Distillation   share temperature^2 KL(softmax(teacher / temperature) || p)
//
//===----------------------------------------------------------------------===//

#ifndef TENON_MODELS_OBJECTIVE_H
#define TENON_MODELS_OBJECTIVE_H

#include "frontend/dsl/Losses.h"
#include "frontend/dsl/Trace.h"

namespace tenon::models {

enum class Objective { Likelihood, Policy, Distillation };

/// An objective's arguments in an entry, and its loss of some rows. The probe
/// of `RowTerms` is log p(target).
struct ObjectiveRows {
  std::vector<Tensor> columns;
  RowLoss loss;
};

/// Declares, beside `targets` i32 [M] and `shares` f32 [M],
///   Policy        advantages, old, reference f32 [M];
///                 clip_low, clip_high, penalty, temperature f32 []
///   Distillation  teacher f32 [M, V], its logits; temperature f32 []
ObjectiveRows objectiveRows(Objective objective, Arguments &in,
                            const Tensor &targets, const Tensor &shares,
                            int64_t vocabulary);

/// A value for each row, of what is expected after it: x w + b, from zeros on.
class ValueHead : public Module {
public:
  ValueHead(Module *parent, int64_t width);

  /// Shapes: x [M, D]; result [M].
  Tensor operator()(const Tensor &x, Site site = Site::current()) const;
  std::vector<NamedTensor> weights() const;

private:
  Tensor weight, bias; // [1, D], [1]
};

/// Declares returns, old_values f32 [M] and value_weight, value_clip f32 [].
/// The loss is value_weight sum(share max((v - return)^2, (c - return)^2) / 2),
/// where c is v no further from old_values than value_clip.
class ValueRows {
public:
  ValueRows(Arguments &in, const Tensor &shares);
  Tensor loss(const Tensor &values, Site site = Site::current()) const;

private:
  Tensor returns, before, factor, range, shares;
};

/// log p(target) of each row. Shapes: logits [R, V], targets i32 [R],
/// temperature [R] or []; result [R].
Tensor logProbability(const Tensor &logits, const Tensor &targets,
                      const Tensor &temperature, Site site = Site::current());

} // namespace tenon::models
#endif // TENON_MODELS_OBJECTIVE_H
