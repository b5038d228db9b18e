//===- DescribeCpu.h - The machine that this is -----------------*- C++ -*-===//

#ifndef TENON_RUNTIME_HAL_CPU_DESCRIBECPU_H
#define TENON_RUNTIME_HAL_CPU_DESCRIBECPU_H

#include "runtime/base/TargetDescription.h"

namespace tenon::hal {

/// Describes the CPUs that this process may run on, by the first one's caches.
/// What the system does not tell is the generic machine's.
/// Threads: any.
base::TargetDescription describeCpu();

} // namespace tenon::hal
#endif // TENON_RUNTIME_HAL_CPU_DESCRIBECPU_H
