//===- RandomGraph.h - Seeded random tn functions ---------------*- C++ -*-===//
//
//   RandomGraph graph = makeRandomGraph(context, /*seed=*/7,
//   GraphHost::Kernels); interpret<Contract>(graph.func, ...);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TESTS_NUMERICS_RANDOMGRAPH_H
#define TENON_TESTS_NUMERICS_RANDOMGRAPH_H

#include "ir/reference/Interpreter.h"
#include "tests/support/CompiledFunction.h"

#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/StringMap.h"

namespace tenon::testing {

/// Who is to run a graph.
enum class GraphHost {
  Kernels, ///< `CompiledFunction`: weights and caches are arguments.
  Program, ///< `CompiledProgram`: also parameters, states, branches and loops.
};

struct RandomGraph {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp func; // the only one
  std::vector<Value> arguments;
  ir::ref::Parameters<ir::ref::Contract> parameters;
};

struct Step;

/// Makes a function of 5 to 40 ops over its arguments, which returns every
/// value that nothing else uses. Equal seeds make equal graphs and arguments.
RandomGraph makeRandomGraph(mlir::MLIRContext &context, uint64_t seed,
                            GraphHost host);
/// The same, of at least 5 and fewer than `mostOps` of these steps.
RandomGraph makeRandomGraph(mlir::MLIRContext &context, uint64_t seed,
                            GraphHost host, llvm::ArrayRef<Step> steps,
                            int64_t mostOps);

/// Makes a function of one step, and of no op that it does not need.
RandomGraph makeStepGraph(mlir::MLIRContext &context, uint64_t seed,
                          const Step &step);

} // namespace tenon::testing
#endif // TENON_TESTS_NUMERICS_RANDOMGRAPH_H
