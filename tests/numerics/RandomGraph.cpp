//===- RandomGraph.cpp - Seeded random tn functions -----------------------===//

#include "tests/numerics/RandomGraph.h"

#include "tests/numerics/GraphSteps.h"

namespace tenon::testing {

using namespace mlir;

std::vector<Step> kernelSteps() {
  std::vector<Step> steps;
  for (llvm::ArrayRef<Step> family : {elementSteps(), viewSteps(), rowSteps(),
                                      productSteps(), moeSteps(), tokenSteps()})
    llvm::append_range(steps, family);
  return steps;
}

// A weight among them: what is computed from it alone is computed once.
static void addFirstArguments(GraphBuilder &g) {
  constexpr int64_t T = ShapedType::kDynamic;
  g.argument(g.tensor({T, g.columns()}, g.floatType()));
  g.argument(g.tensor({g.rows(), g.columns()}, g.floatType()));
  if (g.below(2))
    g.weight(g.tensor({g.rows(), g.columns()}, g.floatType()));
  if (g.below(2))
    g.argument(g.tensor({T, 1 + g.below(3), g.columns()}, g.floatType()));
  if (g.below(2))
    g.argument(g.tensor({T, g.columns()}, g.valueType()));
}

RandomGraph makeRandomGraph(MLIRContext &context, uint64_t seed,
                            GraphHost host) {
  std::vector<Step> steps = kernelSteps();
  if (host == GraphHost::Program)
    llvm::append_range(steps, controlSteps());
  return makeRandomGraph(context, seed, host, steps, /*mostOps=*/36);
}

RandomGraph makeRandomGraph(MLIRContext &context, uint64_t seed, GraphHost host,
                            llvm::ArrayRef<Step> steps, int64_t mostOps) {
  GraphBuilder g(context, seed, host, /*alone=*/false);
  addFirstArguments(g);
  int64_t wanted = 5 + g.below(mostOps - 5);
  while (g.opCount < wanted) {
    Step step = steps[g.below(steps.size())];
    step.add(g, step.op);
  }
  return g.finish();
}

RandomGraph makeStepGraph(MLIRContext &context, uint64_t seed,
                          const Step &step) {
  GraphBuilder g(context, seed, GraphHost::Kernels, /*alone=*/true);
  addFirstArguments(g);
  g.argument(g.tensor({g.rows(), g.columns()}, g.builder.getI1Type()));
  while (!step.add(g, step.op))
    addFirstArguments(g);
  return g.finish();
}

} // namespace tenon::testing
