//===- Passes.h - Passes over the tn dialect --------------------*- C++ -*-===//
//
// One pass a file; `Passes.td` holds their contracts, `Pipelines.cpp` their
// order.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_PASSES_PASSES_H
#define TENON_PASSES_PASSES_H

#include "ir/tn/Tn.h"

#include "mlir/Pass/Pass.h"

#include <functional>
#include <memory>
#include <string>

namespace tenon::passes {

/// A target's choice of schedules, one for each nest of a kernel, given the
/// symbols of its function.
using Scheduler = std::function<llvm::SmallVector<ir::ScheduleAttr>(
    ir::KernelOp, llvm::ArrayRef<ir::SymbolAttr>)>;

std::unique_ptr<mlir::Pass> createAttachSchedules(Scheduler scheduler);

#define GEN_PASS_DECL
#include "passes/Passes.h.inc"

/// Registers every pass under its flag, for tenon-opt.
void registerPasses();

} // namespace tenon::passes
#endif // TENON_PASSES_PASSES_H
