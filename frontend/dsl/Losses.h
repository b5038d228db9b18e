//===- Losses.h - Losses that are computed in chunks ------------*- C++ -*-===//

#ifndef TENON_FRONTEND_DSL_LOSSES_H
#define TENON_FRONTEND_DSL_LOSSES_H

#include "frontend/dsl/Module.h"

namespace tenon {

/// Rows of a model, and what is learned of them.
struct LearnedRows {
  Tensor x;       ///< [M, D]
  Tensor targets; ///< i32 [M]
  Tensor shares;  ///< f32 [M], of the loss
};

/// What makes logits of a model's last rows, and its weights that live across
/// calls.
struct Head {
  std::function<Tensor(const Tensor &x)> logits; ///< [R, D] to [R, V]
  std::vector<Tensor> trained;                   ///< get gradients
  std::vector<Tensor> frozen;                    ///< get zeros for theirs
};

/// sum(shares * crossEntropy(head.logits(x), targets)), f32 of rank 0, of at
/// most `rows` rows at once: all logits [M, V] are never there together. Where
/// its gradients are asked, those of a chunk are computed while its logits are
/// there, and kept: [M, D] and the trained weights' sizes. Shares get zeros for
/// theirs.
/// Errors: noted for `trace`: a head that reads other tensors.
Tensor chunkedCrossEntropy(const Module &module, const LearnedRows &all,
                           const Head &head, int64_t rows,
                           Site site = Site::current());

} // namespace tenon
#endif // TENON_FRONTEND_DSL_LOSSES_H
