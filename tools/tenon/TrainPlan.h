//===- TrainPlan.h - How a step is computed within a budget -----*- C++ -*-===//

#ifndef TENON_TOOLS_TRAINPLAN_H
#define TENON_TOOLS_TRAINPLAN_H

#include "runtime/exec/Generator.h"
#include "tools/tenon/Programs.h"
#include "training/Recipe.h"

namespace tenon::tools {

/// A compiled step, and how it is run.
struct TrainPlan {
  ReadyProgram ready;
  std::string recompute;   // none, selective or layer
  int64_t atOnce = 0;      // sequences; 0: not even one has room
  int64_t neededBytes = 0; // of that many, or of one
};

/// The first way to compute that has room for enough sequences at once; failing
/// that, the one that has room for most. Compiles each that it looks at.
/// Errors: RESOURCE_EXHAUSTED (no room for one: how much that takes), those of
///         `prepareProgram`.
StatusOr<TrainPlan> choosePlan(const training::Recipe &recipe, bool skipsCache,
                               Progress &progress);

/// What samples and generated completions take.
exec::DecoderLimits decoderLimits(const training::Recipe &recipe,
                                  const base::Program &program);

/// Bytes of a tensor that lives across calls; 0 for caches.
int64_t tensorBytes(const base::State &state);

} // namespace tenon::tools
#endif // TENON_TOOLS_TRAINPLAN_H
