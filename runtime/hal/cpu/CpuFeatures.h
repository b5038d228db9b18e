//===- CpuFeatures.h - Which compiled code this machine runs ----*- C++ -*-===//

#ifndef TENON_RUNTIME_HAL_CPU_CPUFEATURES_H
#define TENON_RUNTIME_HAL_CPU_CPUFEATURES_H

#include "runtime/base/Container.h"

namespace tenon::hal {

/// Finds the largest feature set that both the processor has and the system
/// saves the registers of.
/// Threads: any.
/// Errors: UNAVAILABLE (older than x86-64-v3; names what is missing).
StatusOr<base::CpuFeatures> detectCpuFeatures();

} // namespace tenon::hal
#endif // TENON_RUNTIME_HAL_CPU_CPUFEATURES_H
