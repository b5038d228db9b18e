//===- GradientGraph.h - The gradients of a random graph --------*- C++ -*-===//
//
//   auto graph = makeGradientGraph(makeStepGraph(context, seed, step));
//   interpret<Real>(graph->gradient, graph->arguments, ...);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TESTS_NUMERICS_GRADIENTGRAPH_H
#define TENON_TESTS_NUMERICS_GRADIENTGRAPH_H

#include "tests/numerics/RandomGraph.h"

namespace tenon::testing {

/// A graph's float results, weighted and added up to a loss, and the gradients
/// of that.
struct GradientGraph {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp loss;     ///< arguments -> f32
  mlir::func::FuncOp gradient; ///< arguments -> f32, gradients; one function
  std::vector<Value> arguments;
  std::vector<unsigned> wrt; ///< the arguments whose gradients there are
};

/// Results that are not finite, by the oracle in double, are left out of the
/// loss. Nothing where the graph has no float result or argument; fails the
/// test where differentiating does.
std::optional<GradientGraph> makeGradientGraph(RandomGraph graph);

/// The same values in double.
std::vector<ir::ref::Value<ir::ref::Real>> inDouble(llvm::ArrayRef<Value> in);

} // namespace tenon::testing
#endif // TENON_TESTS_NUMERICS_GRADIENTGRAPH_H
