//===- Device.h - What the executor asks of a device ------------*- C++ -*-===//
//
// A device owns workers and memory and runs launches. The executor above it
// orders them; kernels below it compute. `Drivers.cpp` lists the devices.
//
//   TENON_ASSIGN_OR_RETURN(auto device, openDevice("cpu", {.threads = 2}));
//   TENON_ASSIGN_OR_RETURN(Memory arena, device->allocate(1 << 20));
//
//===----------------------------------------------------------------------===//

#ifndef TENON_RUNTIME_HAL_DEVICE_H
#define TENON_RUNTIME_HAL_DEVICE_H

#include "runtime/base/Status.h"
#include "tenon/abi.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tenon::hal {

/// Bytes of a device, freed with the object.
/// Threads: a value; the bytes are the owner's to share.
class Memory {
public:
  using Release = void (*)(void *data, size_t sizeBytes);

  Memory() = default;
  Memory(void *data, size_t sizeBytes, Release release)
      : bytes(data), size(sizeBytes), release(release) {}
  Memory(Memory &&other) noexcept { swap(other); }
  Memory &operator=(Memory &&other) noexcept {
    Memory taken(std::move(other));
    swap(taken);
    return *this;
  }
  ~Memory() {
    if (bytes)
      release(bytes, size);
  }

  void *data() const { return bytes; }
  size_t sizeBytes() const { return size; }

private:
  void swap(Memory &other) {
    std::swap(bytes, other.bytes);
    std::swap(size, other.size);
    std::swap(release, other.release);
  }

  void *bytes = nullptr;
  size_t size = 0;
  Release release = nullptr;
};

/// When one worker was busy with one launch, for traces.
struct WorkerSpan {
  int64_t beginNs = 0; // std::chrono::steady_clock
  int64_t endNs = 0;
  uint32_t tiles = 0; // 0: the worker had no part in it
};

/// One run of a kernel over its tile space.
struct Launch {
  tenon_kernel_fn kernel = nullptr;
  void *const *buffers = nullptr;
  const int64_t *dims = nullptr;
  uint32_t tiles = 0;
  tenon_failure *failure = nullptr;
  WorkerSpan *spans = nullptr; // one per worker, written where not null
};

/// The interface of a device.
/// Threads: any, but for what a method says; sessions may share a device, whose
/// launches then take turns.
class Device {
public:
  virtual ~Device() = default;

  /// Names the device for people: "cpu (2 threads)".
  virtual std::string name() const = 0;

  /// How many workers a launch may use.
  virtual uint32_t workers() const = 0;

  /// Gives zeroed bytes, 64-byte aligned; from 2 MiB on, aligned to 2 MiB and
  /// on huge pages where the system has them.
  /// Errors: RESOURCE_EXHAUSTED, naming the size.
  virtual StatusOr<Memory> allocate(size_t sizeBytes) = 0;

  /// Makes at least `sizeBytes` of scratch ready for each worker, so that no
  /// launch has to.
  /// Errors: RESOURCE_EXHAUSTED.
  virtual Status reserveScratch(size_t sizeBytes) = 0;

  /// Runs every tile once and returns when all are done. Allocates nothing.
  virtual void launch(const Launch &launch) = 0;

  /// Copies between buffers that may overlap; done on return.
  virtual void copy(void *to, const void *from, size_t sizeBytes) = 0;
};

struct DeviceOptions {
  uint32_t threads = 0;  // 0: every CPU this process may run on
  std::vector<int> cpus; // worker i is bound to cpus[i]; empty: unbound
};

/// Opens the device `uri` names: "cpu".
/// Errors: INVALID_ARGUMENT (malformed), NOT_FOUND (no such device; lists those
///         there are), RESOURCE_EXHAUSTED (threads).
StatusOr<std::shared_ptr<Device>> openDevice(std::string_view uri,
                                             const DeviceOptions &options = {});

} // namespace tenon::hal
#endif // TENON_RUNTIME_HAL_DEVICE_H
