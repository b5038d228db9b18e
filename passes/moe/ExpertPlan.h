//===- ExpertPlan.h - What rows of experts cost -----------------*- C++ -*-===//
//
//   ExpertPlan plan = planExperts(product, /*rows=*/8);
//   plan.together; // 1: each row by itself
//
//===----------------------------------------------------------------------===//

#ifndef TENON_PASSES_MOE_EXPERTPLAN_H
#define TENON_PASSES_MOE_EXPERTPLAN_H

#include "ir/tn/Tn.h"

namespace tenon::passes {

struct ExpertPlan {
  int64_t together = 1; ///< rows of a group that share what is read of a weight
  double groups = 0;    ///< that have rows, to be expected
  double bytes = 0;     ///< of weights that are read
  double operations = 0; ///< multiply-adds, those that fill registers included
};

/// The cheapest way to multiply so many rows, if all groups are as probable and
/// those of a token (of the axis before the last, where there is one) differ.
/// Weights come from memory once for each group, or for each row where these
/// are alone; reading and multiplying add up, since the first tile of a group
/// waits for its weights.
ExpertPlan planExperts(ir::GroupedMatmulOp product, int64_t rows);

/// The most rows that a product has in its function, by its symbols.
int64_t mostRows(ir::GroupedMatmulOp product);

} // namespace tenon::passes
#endif // TENON_PASSES_MOE_EXPERTPLAN_H
