//===- ThreadPool.cpp - Fork and join over tiles --------------------------===//
//
// One run: the caller writes the job, opens the gate and advances the epoch.
// A worker that sees a new epoch joins by counting itself into the open gate;
// the caller closes the gate when no tiles are left and waits for the count to
// fall to 0. A job is only written while the gate is closed and empty, so a
// worker inside the gate never sees half of one.
//
//===----------------------------------------------------------------------===//

#include "runtime/hal/cpu/ThreadPool.h"

#include <algorithm>
#include <cstdio>
#include <immintrin.h>
#include <sched.h>

namespace tenon::hal {
namespace {

// About 100 us of pauses: longer than the gaps between the launches of a step,
// short enough not to be felt when the machine has other work.
constexpr int kSpins = 3000;
constexpr uint32_t kMaxThreads = 1024;
// Flush to zero, denormals are zero, all exceptions masked, round to nearest.
constexpr uint32_t kContractMxcsr = 0x9fc0;

uint32_t usableCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0)
    return 1;
  return std::max(1, CPU_COUNT(&set));
}

void bindThread(pthread_t thread, int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  // A CPU that has gone is no reason to fail: binding is only a hint.
  (void)pthread_setaffinity_np(thread, sizeof(set), &set);
}

} // namespace

FloatScope::FloatScope() : saved(_mm_getcsr()) { _mm_setcsr(kContractMxcsr); }
FloatScope::~FloatScope() { _mm_setcsr(saved); }

StatusOr<std::unique_ptr<ThreadPool>>
ThreadPool::create(const Options &options) {
  uint32_t count = options.threads ? options.threads : usableCpus();
  if (count > kMaxThreads)
    return invalidArgument("expects at most ", kMaxThreads, " threads, got ",
                           count);
  for (int cpu : options.cpus)
    if (cpu < 0 || cpu >= CPU_SETSIZE)
      return invalidArgument("expects CPUs in [0, ", CPU_SETSIZE, "), got ",
                             cpu);
  std::unique_ptr<ThreadPool> pool(new ThreadPool());
  pool->threadCount = count;
  pool->tiles.shares = std::make_unique<TileSource::Share[]>(count);
  pool->tiles.shareCount = count;
  pool->starts.resize(count);
  for (uint32_t worker = 1; worker < count; ++worker) {
    pool->starts[worker] = {pool.get(), worker};
    pthread_t thread;
    if (pthread_create(&thread, nullptr, threadMain, &pool->starts[worker]))
      return resourceExhausted("expects ", count, " threads, the system gave ",
                               worker);
    pool->threads.push_back(thread);
    char name[16]; // the system's limit
    std::snprintf(name, sizeof(name), "tenon-%u", worker);
    pthread_setname_np(thread, name);
    if (!options.cpus.empty())
      bindThread(thread, options.cpus[worker % options.cpus.size()]);
  }
  return pool;
}

ThreadPool::~ThreadPool() {
  stopping.store(true, std::memory_order_relaxed);
  epoch.fetch_add(1, std::memory_order_release);
  epoch.notify_all();
  for (pthread_t thread : threads)
    pthread_join(thread, nullptr);
}

void *ThreadPool::threadMain(void *start) {
  auto [pool, worker] = *static_cast<Start *>(start);
  pool->work(worker);
  return nullptr;
}

/// Returns the first epoch other than `seen`.
int ThreadPool::awaitRun(int seen) {
  for (int spin = 0; spin < kSpins; ++spin) {
    int now = epoch.load(std::memory_order_acquire);
    if (now != seen)
      return now;
    _mm_pause();
  }
  epoch.wait(seen, std::memory_order_acquire);
  return epoch.load(std::memory_order_acquire);
}

void TileSource::reset(uint32_t count, uint64_t stepOfTake) {
  step = std::max<uint64_t>(stepOfTake, 1);
  for (uint64_t i = 0; i < shareCount; ++i) {
    shares[i].next.store(count * i / shareCount, std::memory_order_relaxed);
    shares[i].end = count * (i + 1) / shareCount;
  }
}

/// Enters the gate unless it is closed.
bool ThreadPool::join() {
  uint32_t state = gate.load(std::memory_order_relaxed);
  while (state & kOpen)
    if (gate.compare_exchange_weak(state, state + 1, std::memory_order_acquire,
                                   std::memory_order_relaxed))
      return true;
  return false;
}

void ThreadPool::work(uint32_t worker) {
  FloatScope scope;
  int seen = 0;
  while (true) {
    seen = awaitRun(seen);
    if (stopping.load(std::memory_order_relaxed))
      return;
    if (!join())
      continue;
    body(context, worker, tiles);
    gate.fetch_sub(1, std::memory_order_release);
  }
}

void ThreadPool::run(uint32_t count, Body runBody, void *runContext) {
  std::lock_guard lock(turn);
  FloatScope scope;
  // A few takes per worker balance the load; more only contend.
  bool isAlone = threadCount == 1 || count <= 1;
  tiles.reset(count, isAlone ? count : count / (threadCount * 16));
  if (isAlone) {
    runBody(runContext, 0, tiles);
    return;
  }
  body = runBody;
  context = runContext;
  gate.store(kOpen, std::memory_order_release);
  epoch.fetch_add(1, std::memory_order_release);
  epoch.notify_all(); // no system call unless somebody sleeps
  runBody(runContext, 0, tiles);
  gate.fetch_and(~kOpen, std::memory_order_relaxed);
  for (int spin = 0; gate.load(std::memory_order_acquire) != 0; ++spin) {
    _mm_pause();
    if (spin >= kSpins)
      sched_yield(); // whoever holds a tile may need this CPU
  }
}

} // namespace tenon::hal
