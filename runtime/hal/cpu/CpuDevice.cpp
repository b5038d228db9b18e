//===- CpuDevice.cpp - The host's cores as a device -----------------------===//

#include "runtime/hal/cpu/CpuDevice.h"
#include "runtime/hal/cpu/ThreadPool.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <sys/mman.h>

namespace tenon::hal {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kPage = 4096;

size_t roundUp(size_t value, size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

void unmap(void *data, size_t sizeBytes) { munmap(data, sizeBytes); }

/// Maps `size` zeroed bytes aligned to `alignment`: maps more, returns the
/// rest.
void *mapAligned(size_t size, size_t alignment) {
  size_t whole = size + alignment - kPage;
  void *mapped = mmap(nullptr, whole, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED)
    return nullptr;
  auto begin = reinterpret_cast<uintptr_t>(mapped);
  uintptr_t aligned = roundUp(begin, alignment);
  if (aligned > begin)
    munmap(mapped, aligned - begin);
  size_t after = begin + whole - (aligned + size);
  if (after)
    munmap(reinterpret_cast<void *>(aligned + size), after);
  return reinterpret_cast<void *>(aligned);
}

int64_t nowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

class CpuDevice final : public Device {
public:
  explicit CpuDevice(std::unique_ptr<ThreadPool> threads)
      : pool(std::move(threads)), scratch(pool->size()) {}

  std::string name() const override {
    return concat("cpu (", pool->size(), " threads)");
  }
  uint32_t workers() const override { return pool->size(); }

  StatusOr<Memory> allocate(size_t sizeBytes) override {
    bool huge = sizeBytes >= kHugePage;
    if (sizeBytes > SIZE_MAX / 2)
      return resourceExhausted("expects memory for ", sizeBytes, " bytes");
    size_t size = std::max(roundUp(sizeBytes, kPage), kPage);
    void *data = mapAligned(size, huge ? kHugePage : kPage);
    if (!data)
      return resourceExhausted("expects memory for ", sizeBytes,
                               " bytes, the system refused it");
    if (huge) // Refused where huge pages are off; then small ones do.
      (void)madvise(data, size, MADV_HUGEPAGE);
    return Memory(data, size, unmap);
  }

  Status reserveScratch(size_t sizeBytes) override {
    std::lock_guard lock(turn);
    for (Memory &memory : scratch) {
      if (memory.sizeBytes() >= sizeBytes)
        continue;
      TENON_ASSIGN_OR_RETURN(memory, allocate(sizeBytes));
    }
    return Status();
  }

  void launch(const Launch &launch) override {
    std::lock_guard lock(turn); // scratch has one user at a time
    Job job = {this, &launch};
    pool->run(launch.tiles, runTiles, &job);
  }

  void copy(void *to, const void *from, size_t sizeBytes) override {
    std::memmove(to, from, sizeBytes);
  }

private:
  struct Job {
    CpuDevice *device;
    const Launch *launch;
  };

  static void runTiles(void *context, uint32_t worker, TileSource &tiles) {
    const Job &job = *static_cast<Job *>(context);
    const Launch &launch = *job.launch;
    tenon_frame frame = {launch.buffers, launch.dims,
                         job.device->scratch[worker].data(), launch.failure};
    TileSource::Range range = tiles.take(worker);
    if (range.empty())
      return;
    WorkerSpan span;
    if (launch.spans)
      span.beginNs = nowNs();
    for (; !range.empty(); range = tiles.take(worker)) {
      for (uint32_t tile = range.begin; tile < range.end; ++tile)
        launch.kernel(&frame, tile);
      span.tiles += range.end - range.begin;
    }
    if (!launch.spans)
      return;
    span.endNs = nowNs();
    launch.spans[worker] = span;
  }

  std::unique_ptr<ThreadPool> pool;
  std::mutex turn;
  std::vector<Memory> scratch; // by worker
};

} // namespace

StatusOr<std::shared_ptr<Device>> openCpuDevice(std::string_view ordinal,
                                                const DeviceOptions &options) {
  if (!ordinal.empty() && ordinal != "0")
    return notFound("expects cpu or cpu:0, got cpu:", ordinal);
  ThreadPool::Options poolOptions;
  poolOptions.threads = options.threads;
  poolOptions.cpus = options.cpus;
  TENON_ASSIGN_OR_RETURN(std::unique_ptr<ThreadPool> pool,
                         ThreadPool::create(poolOptions));
  return std::shared_ptr<Device>(std::make_shared<CpuDevice>(std::move(pool)));
}

} // namespace tenon::hal
