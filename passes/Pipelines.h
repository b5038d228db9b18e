//===- Pipelines.h - The order of the passes --------------------*- C++ -*-===//

#ifndef TENON_PASSES_PIPELINES_H
#define TENON_PASSES_PIPELINES_H

#include "passes/Passes.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"

namespace tenon::passes {

/// A range of an entry's symbols that gets code of its own.
struct VariantSpec {
  std::string name;                // "decode"
  std::vector<std::string> bounds; // "T=1..1"
};

/// The variants of a module: those its attribute `tn.variants` lists (an array
/// of {name = "decode", bounds = ["T=1..1"]}), narrowest first, the last
/// without bounds; without the attribute, one variant without bounds.
std::vector<VariantSpec> variantsOf(mlir::ModuleOp module);

/// What changes results, apart from the passes that must not: gradients become
/// functions, whose products are then computed in the module's `tn.compute`.
void buildPrecisionPipeline(mlir::OpPassManager &passes);

/// What is done once, for all variants: from a traced module to one with equal
/// layers merged and weights packed.
void buildCommonPipeline(mlir::OpPassManager &passes);

/// What is done for each variant: from a copy of the common module to kernels
/// with schedules.
void buildVariantPipeline(mlir::OpPassManager &passes,
                          const VariantSpec &variant, Scheduler scheduler);

} // namespace tenon::passes
#endif // TENON_PASSES_PIPELINES_H
