//===- Device.cpp - tenon/device.h ----------------------------------------===//

#include "tenon/device.h"
#include "runtime/exec/capi/Handles.h"

using namespace tenon;

tenon_status_t tenon_device_open(const char *uri,
                                 const tenon_device_options_t *given,
                                 tenon_device_t **outDevice) {
  *outDevice = nullptr;
  tenon_device_options_t options =
      exec::readOptions(given, TENON_DEVICE_OPTIONS_INIT);
  hal::DeviceOptions deviceOptions;
  deviceOptions.threads = options.threads;
  if (options.cpus)
    deviceOptions.cpus.assign(options.cpus, options.cpus + options.cpu_count);
  auto device = hal::openDevice(uri, deviceOptions);
  if (!device.ok())
    return toC(device.status());
  *outDevice = new tenon_device{1, *std::move(device)};
  return nullptr;
}

uint32_t tenon_device_workers(const tenon_device_t *device) {
  return device->device->workers();
}

void tenon_device_retain(tenon_device_t *device) {
  device->references.fetch_add(1, std::memory_order_relaxed);
}

void tenon_device_release(tenon_device_t *device) { exec::release(device); }
