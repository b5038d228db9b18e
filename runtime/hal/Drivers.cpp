//===- Drivers.cpp - The devices there are, one line each -----------------===//

#include "runtime/hal/Device.h"
#include "runtime/hal/cpu/CpuDevice.h"

namespace tenon::hal {
namespace {

struct Driver {
  std::string_view scheme;
  StatusOr<std::shared_ptr<Device>> (*open)(std::string_view ordinal,
                                            const DeviceOptions &options);
};

constexpr Driver kDrivers[] = {
    {"cpu", openCpuDevice},
};

} // namespace

StatusOr<std::shared_ptr<Device>> openDevice(std::string_view uri,
                                             const DeviceOptions &options) {
  size_t colon = uri.find(':');
  std::string_view scheme = uri.substr(0, colon);
  std::string_view ordinal =
      colon == uri.npos ? std::string_view() : uri.substr(colon + 1);
  if (scheme.empty() || (colon != uri.npos && ordinal.empty()))
    return invalidArgument("expects a device such as 'cpu', got '", uri, "'");
  std::string known;
  for (const Driver &driver : kDrivers) {
    if (driver.scheme == scheme)
      return driver.open(ordinal, options);
    known += known.empty() ? "" : ", ";
    known += driver.scheme;
  }
  return notFound("expects one of the devices ", known, ", got '", uri, "'");
}

} // namespace tenon::hal
