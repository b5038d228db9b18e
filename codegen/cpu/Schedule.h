//===- Schedule.h - How nests are cut on a CPU ------------------*- C++ -*-===//
//
// An analytic model: tiles large enough to amortise a launch and fill the
// registers, small enough that caches hold them and every thread has some. It
// reads the machine's description; what holds for every machine stands at the
// top of Schedule.cpp.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_CPU_SCHEDULE_H
#define TENON_CODEGEN_CPU_SCHEDULE_H

#include "codegen/Target.h"
#include "codegen/cpu/MatmulTile.h"

namespace tenon::codegen::cpu {

/// The CPU as a target.
std::unique_ptr<Target> makeTarget(const base::TargetDescription &description);

/// `Target::schedule` of the CPU.
ir::ScheduleAttr scheduleNest(ir::KernelOp kernel, unsigned nest,
                              const SymbolRanges &ranges,
                              const base::TargetDescription &machine = {});

/// The largest extent of an axis within `ranges`.
int64_t mostOf(mlir::RankedTensorType type, int64_t axis,
               const SymbolRanges &ranges);

/// The bytes that a tensor has at most within `ranges`: 0 for a blocked one.
int64_t mostBytes(mlir::RankedTensorType type, const SymbolRanges &ranges);

/// The register tile of a matmul nest: the schedule's rows, and as many panels
/// beside each other as keep the multiply-adders busy without spilling.
/// Products of integers have sums of integers beside those of f32.
RegisterTile registerTile(ir::ScheduleAttr schedule, base::CpuFeatures features,
                          bool isInteger);

} // namespace tenon::codegen::cpu
#endif // TENON_CODEGEN_CPU_SCHEDULE_H
