//===- Target.h - What the compiler asks of a target ------------*- C++ -*-===//
//
// A target is a folder below codegen/ and one line in Targets.cpp.
//
//   std::unique_ptr<Target> target = makeTarget("cpu", description);
//   ir::ScheduleAttr schedule = target->schedule(kernel, nest, ranges);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_TARGET_H
#define TENON_CODEGEN_TARGET_H

#include "ir/tn/Tn.h"
#include "runtime/base/Container.h"
#include "runtime/base/TargetDescription.h"

#include "llvm/ADT/StringMap.h"

#include <memory>

namespace tenon::codegen {

/// The range of every symbol that a kernel's types name, by name. A variant of
/// an entry narrows them (T is 1; T is at most 16).
using SymbolRanges = llvm::StringMap<ir::SymbolAttr>;

/// Threads: any; a target does not change.
class Target {
public:
  virtual ~Target() = default;

  /// How nest number `nest` of `kernel` is to be cut, from its types, the
  /// ranges of its symbols and the machine alone: the same for equal kernels.
  /// Schedules never change a result. One pass attaches it; everything later
  /// reads it.
  virtual ir::ScheduleAttr schedule(ir::KernelOp kernel, unsigned nest,
                                    const SymbolRanges &ranges) const = 0;

  /// Schedules a step away from `from`, for a search to try; none for a nest
  /// that is not worth one. `set` is the feature set that is searched for.
  virtual llvm::SmallVector<ir::ScheduleAttr>
  neighbours(ir::KernelOp kernel, unsigned nest, ir::ScheduleAttr from,
             const SymbolRanges &ranges, base::CpuFeatures set) const = 0;

  /// Whether the nest can be emitted with `schedule`, which anybody may have
  /// written.
  virtual bool admits(ir::KernelOp kernel, unsigned nest,
                      ir::ScheduleAttr schedule,
                      const SymbolRanges &ranges) const = 0;
};

/// The target of that name ("cpu"), for a machine; null when there is none.
std::unique_ptr<Target> makeTarget(llvm::StringRef name,
                                   const base::TargetDescription &description);

} // namespace tenon::codegen
#endif // TENON_CODEGEN_TARGET_H
