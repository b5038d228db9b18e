//===- ThreadPool.h - Fork and join over tiles ------------------*- C++ -*-===//
//
// The caller is worker 0 and does its share; the others spin briefly for the
// next run and then sleep. Each worker takes the tiles of its share in order,
// then those left in others' shares, by atomic counters: a slow worker delays
// nobody by more than one tile, and one that has not woken when the tiles run
// out is not waited for. Nothing is allocated per run.
//
//   TENON_ASSIGN_OR_RETURN(auto pool, ThreadPool::create({.threads = 2}));
//   pool->run(tiles, body, &context); // body(&context, worker, source)
//
//===----------------------------------------------------------------------===//

#ifndef TENON_RUNTIME_HAL_CPU_THREADPOOL_H
#define TENON_RUNTIME_HAL_CPU_THREADPOOL_H

#include "runtime/base/Status.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <pthread.h>
#include <vector>

namespace tenon::hal {

/// Hands out the tiles [0, count), each once: to each worker those of a share
/// of its own, in order, so that memory is read in long runs; then what is left
/// of others' shares.
class TileSource {
public:
  struct Range {
    uint32_t begin, end;
    bool empty() const { return begin == end; }
  };
  /// Takes the next tiles of a worker; empty when all are taken.
  Range take(uint32_t worker) {
    for (uint32_t i = 0; i < shareCount; ++i) {
      Share &share = shares[(worker + i) % shareCount];
      // 64 bits, so that workers asking after the end cannot wrap around.
      uint64_t begin = share.next.fetch_add(step, std::memory_order_relaxed);
      if (begin < share.end)
        return {static_cast<uint32_t>(begin),
                static_cast<uint32_t>(std::min(begin + step, share.end))};
    }
    return {0, 0};
  }

private:
  friend class ThreadPool;
  struct alignas(64) Share {
    std::atomic<uint64_t> next = 0;
    uint64_t end = 0;
  };
  void reset(uint32_t count, uint64_t stepOfTake);

  std::unique_ptr<Share[]> shares;
  uint32_t shareCount = 0;
  uint64_t step = 1;
};

class ThreadPool {
public:
  struct Options {
    uint32_t threads = 0;  // with the caller; 0: all this process may use
    std::vector<int> cpus; // thread i is bound to cpus[i % size], i >= 1
  };
  /// Runs tiles until `tiles` is empty. May be called by a worker more than
  /// once in a run.
  using Body = void (*)(void *context, uint32_t worker, TileSource &tiles);

  /// Starts the threads.
  /// Errors: RESOURCE_EXHAUSTED (the system gives no more threads).
  static StatusOr<std::unique_ptr<ThreadPool>> create(const Options &options);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  uint32_t size() const { return threadCount; }

  /// Calls `body` on the caller and on every worker that wakes in time; returns
  /// when all `count` tiles are done. Every call of `body` runs with subnormals
  /// flushed and rounding to nearest; the caller's settings are restored.
  /// Threads: any; concurrent runs take turns. Not from within a body.
  void run(uint32_t count, Body body, void *context);

private:
  struct Start {
    ThreadPool *pool;
    uint32_t worker;
  };

  ThreadPool() = default;
  static void *threadMain(void *start);
  void work(uint32_t worker);
  int awaitRun(int seen);
  bool join();

  // The gate's top bit says that a run may be joined; the rest counts who has.
  static constexpr uint32_t kOpen = 1u << 31;

  uint32_t threadCount = 1;
  std::mutex turn;
  std::vector<pthread_t> threads;
  std::vector<Start> starts;
  Body body = nullptr;
  void *context = nullptr;
  TileSource tiles;
  alignas(64) std::atomic<uint32_t> gate = 0;
  alignas(64) std::atomic<int> epoch = 0; // int: what a futex waits on
  std::atomic<bool> stopping = false;
};

/// The MXCSR of the numerics contract while it lives: subnormals are zero in
/// and out, rounding to nearest, exceptions masked. Restores what was set.
class FloatScope {
public:
  FloatScope();
  ~FloatScope();
  FloatScope(const FloatScope &) = delete;
  FloatScope &operator=(const FloatScope &) = delete;

private:
  uint32_t saved;
};

} // namespace tenon::hal
#endif // TENON_RUNTIME_HAL_CPU_THREADPOOL_H
