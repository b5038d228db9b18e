//===- GraphSteps.h - What can be added to a random graph -------*- C++ -*-===//
//
// One list for each family of ops; a new op is one row in its list. A step adds
// its op, and others where the op alone would have nothing to work on.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TESTS_NUMERICS_GRAPHSTEPS_H
#define TENON_TESTS_NUMERICS_GRAPHSTEPS_H

#include "tests/numerics/GraphBuilder.h"

namespace tenon::testing {

struct Step {
  const char *op;      // "tn.exp"
  const char *variant; // tells steps of one op apart; may be empty
  /// False where nothing in the graph fits the op.
  bool (*add)(GraphBuilder &graph, llvm::StringRef op);
};

llvm::ArrayRef<Step> elementSteps(); // ElementSteps.cpp
llvm::ArrayRef<Step> viewSteps();    // ViewSteps.cpp
llvm::ArrayRef<Step> rowSteps();     // RowSteps.cpp
llvm::ArrayRef<Step> productSteps(); // ProductSteps.cpp
llvm::ArrayRef<Step> moeSteps();     // MoeSteps.cpp
llvm::ArrayRef<Step> tokenSteps();   // TokenSteps.cpp
llvm::ArrayRef<Step> controlSteps(); // ControlSteps.cpp

/// Every step that a kernel runs: all but those of control flow.
std::vector<Step> kernelSteps();

} // namespace tenon::testing
#endif // TENON_TESTS_NUMERICS_GRAPHSTEPS_H
