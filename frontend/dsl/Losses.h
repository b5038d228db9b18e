//===- Losses.h - Losses that are computed in chunks ------------*- C++ -*-===//
//
// Logits of all rows [M, V] are never there together where they are many: the
// loss of some rows is computed, with its gradients where they are asked, and
// then that of the next ones.
//
//   Tensor loss = chunkedLoss(model, {x, {targets, shares}}, head,
//                             [](const Tensor &logits, const auto &columns) {
//                               return RowTerms{
//                                   crossEntropy(logits, columns[0]) *
//                                   columns[1]};
//                             }, /*atOnce=*/256);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_FRONTEND_DSL_LOSSES_H
#define TENON_FRONTEND_DSL_LOSSES_H

#include "frontend/dsl/Module.h"

namespace tenon {

/// Rows of a model, and what is learned of them.
struct LearnedRows {
  Tensor x; ///< [M, D]
  /// Of as many rows; the first of rank 1. They get no gradients.
  std::vector<Tensor> columns;
  /// f32 [M], or absent: `RowTerms::probed` is its gradient.
  Tensor probe = {};
};

/// What makes logits of a model's last rows, and its weights that live across
/// calls.
struct Head {
  std::function<Tensor(const Tensor &x)> logits; ///< [R, D] to [R, V]
  std::vector<Tensor> trained;                   ///< get gradients
  std::vector<Tensor> frozen;                    ///< get zeros for theirs
};

/// What some rows add to the loss.
struct RowTerms {
  Tensor loss;        ///< f32 [R]
  Tensor probed = {}; ///< f32 [R], multiplied by the probe; absent: nothing
};
/// From their logits [R, V] and columns.
using RowLoss = std::function<RowTerms(const Tensor &logits,
                                       const std::vector<Tensor> &columns)>;

/// The sum of all rows' losses, f32 of rank 0, of at most `atOnce` rows at
/// once. Where its gradients are asked, those of a chunk are computed while its
/// logits are there, and kept: [M, D] and the trained weights' sizes.
/// Errors: noted for `trace`: a head or a loss that reads other tensors.
Tensor chunkedLoss(const Module &module, const LearnedRows &all,
                   const Head &head, const RowLoss &loss, int64_t atOnce,
                   Site site = Site::current());

/// `values` of each row, f32 [M], of its logits and columns; computed in the
/// same way. It has no gradients.
Tensor chunkedValues(
    const LearnedRows &all, const Head &head,
    const std::function<Tensor(const Tensor &logits,
                               const std::vector<Tensor> &columns)> &values,
    int64_t atOnce, Site site = Site::current());

} // namespace tenon
#endif // TENON_FRONTEND_DSL_LOSSES_H
