//===- CpuDevice.h - The host's cores as a device ---------------*- C++ -*-===//

#ifndef TENON_RUNTIME_HAL_CPU_CPUDEVICE_H
#define TENON_RUNTIME_HAL_CPU_CPUDEVICE_H

#include "runtime/hal/Device.h"

namespace tenon::hal {

/// Opens the cores of this process; `ordinal` must be empty or "0".
/// Errors: NOT_FOUND (another ordinal), RESOURCE_EXHAUSTED (threads).
StatusOr<std::shared_ptr<Device>> openCpuDevice(std::string_view ordinal,
                                                const DeviceOptions &options);

} // namespace tenon::hal
#endif // TENON_RUNTIME_HAL_CPU_CPUDEVICE_H
