//===- RandomGraph.h - Seeded random tn functions ---------------*- C++ -*-===//
//
//   RandomGraph graph = makeRandomGraph(context, /*seed=*/7);
//   interpret<Contract>(graph.func, ...);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TESTS_NUMERICS_RANDOMGRAPH_H
#define TENON_TESTS_NUMERICS_RANDOMGRAPH_H

#include "tests/support/CompiledFunction.h"

#include "mlir/IR/OwningOpRef.h"

namespace tenon::testing {

struct RandomGraph {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp func; // the only one
  std::vector<Argument> arguments;
};

/// Makes a function of 5 to 40 ops over its arguments, which returns every
/// value that nothing else uses. Equal seeds make equal graphs and arguments.
RandomGraph makeRandomGraph(mlir::MLIRContext &context, uint64_t seed);

} // namespace tenon::testing
#endif // TENON_TESTS_NUMERICS_RANDOMGRAPH_H
