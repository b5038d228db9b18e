//===- Pipelines.cpp - The order of the passes, and why -------------------===//

#include "passes/Pipelines.h"

#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::passes;

std::vector<VariantSpec> passes::variantsOf(ModuleOp module) {
  std::vector<VariantSpec> variants;
  auto declared = module->getAttrOfType<ArrayAttr>("tn.variants");
  if (!declared)
    return {{"any", {}}};
  for (auto entry : declared.getAsRange<DictionaryAttr>()) {
    VariantSpec variant;
    variant.name = entry.getAs<StringAttr>("name").str();
    for (auto bound : entry.getAs<ArrayAttr>("bounds").getAsRange<StringAttr>())
      variant.bounds.push_back(bound.str());
    variants.push_back(std::move(variant));
  }
  return variants;
}

void passes::buildPrecisionPipeline(OpPassManager &passes) {
  passes.addPass(createOutlineLayers());
  // Before, so that gradients are derivatives of the model as it is written.
  passes.addPass(createDifferentiate());
  passes.addPass(createNarrowProducts());
}

void passes::buildCommonPipeline(OpPassManager &passes) {
  // First, so that everything after works on each distinct layer once.
  passes.addPass(createOutlineLayers());
  // Each distinct layer is differentiated once.
  passes.addPass(createDifferentiate());
  // Before packing: fewer reads of parameters to follow.
  passes.addNestedPass<func::FuncOp>(createCanonicalizerPass());
  passes.addNestedPass<func::FuncOp>(createCSEPass());
  // For all variants at once: they share the packed weights.
  passes.addPass(createPackWeights());
  passes.addPass(createHoistPrepared());
}

void passes::buildVariantPipeline(OpPassManager &passes,
                                  const VariantSpec &variant,
                                  Scheduler scheduler) {
  // Before fusion: extents that became constants make views free.
  SpecializeOptions narrow;
  llvm::append_range(narrow.bounds, variant.bounds);
  passes.addPass(createSpecialize(narrow));
  passes.addNestedPass<func::FuncOp>(createCanonicalizerPass());
  passes.addNestedPass<func::FuncOp>(createCSEPass());
  // Before fusion, while products stand in their function; by its symbols.
  passes.addNestedPass<func::FuncOp>(createPlanExpertDispatch());
  passes.addNestedPass<func::FuncOp>(createFuse());
  // Last: a schedule is of a kernel, and nothing may change it afterwards.
  passes.addNestedPass<func::FuncOp>(
      createAttachSchedules(std::move(scheduler)));
}

namespace tenon::passes {
#define GEN_PASS_REGISTRATION
#include "passes/Passes.h.inc"

void registerPasses() { registerTenonPasses(); }
} // namespace tenon::passes
