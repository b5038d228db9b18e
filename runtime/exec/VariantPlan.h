//===- VariantPlan.h - One variant, placed in memory and run ----*- C++ -*-===//
//
// At open, a variant's temporaries are placed for its largest symbol values and
// every fixed buffer gets its address. A call then only fills in the caller's
// arguments and results; sizes are worked out again when a symbol changed.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_RUNTIME_EXEC_VARIANTPLAN_H
#define TENON_RUNTIME_EXEC_VARIANTPLAN_H

#include "runtime/exec/LoadedProgram.h"

#include <atomic>
#include <functional>
#include <span>

namespace tenon::exec {

class Trace;

/// Takes the integers a program emits; returns whether it should stop.
using EmitSink = std::function<bool(std::span<const int32_t>)>;

struct Region {
  char *data = nullptr;
  int64_t sizeBytes = 0;
};

/// Where a session's memory lies.
struct MemoryMap {
  std::vector<Region> parameters; // null data: not bound
  std::vector<Region> prepared;
  std::vector<Region> states;
  Region constants;
  Region arena;
};

/// Of one kernel, summed over launches; filled while timing is on.
struct KernelTime {
  int64_t launches = 0;
  int64_t timeNs = 0;
};

/// Told how many of a call's launches are done.
using LaunchProgress = std::function<void(int64_t done, int64_t total)>;

/// What a run of a variant reads and writes besides its buffers.
struct RunContext {
  const LoadedProgram *program = nullptr;
  hal::Device *device = nullptr;
  const std::atomic<bool> *cancel = nullptr;
  const EmitSink *sink = nullptr;           // null: emitted values are dropped
  const LaunchProgress *progress = nullptr; // null: nobody is told
  Trace *trace = nullptr;                   // null: not traced
  std::span<KernelTime> kernelTimes;        // empty: launches are not timed
  bool checksFinite = false; // what each launch leaves; see FiniteCheck.h
  int64_t launches = 0;
  tenon_failure failure = {};
};

class VariantPlan {
public:
  /// Places the temporaries of `variant`, which must be of a verified program
  /// and outlive the result, for `limits`, the largest symbol values.
  /// Errors: OUT_OF_RANGE (a size overflows or is negative).
  static StatusOr<VariantPlan> create(const base::Variant &variant,
                                      const std::vector<int64_t> &limits);

  /// Whether some call within the limits can select it.
  bool reachable() const { return isReachable; }
  /// Whether the guards hold.
  bool accepts(const std::vector<int64_t> &symbols) const;
  int64_t arenaBytes() const { return plan.arenaBytes; }
  /// The largest value of each symbol that it takes.
  const std::vector<int64_t> &limits() const { return largest; }

  /// Gives every buffer but arguments and results its address; `map` must have
  /// an arena of at least `arenaBytes`.
  void place(const MemoryMap &map);

  /// Runs the body. Allocates nothing on success.
  /// Errors: CANCELLED; OUT_OF_RANGE (a size or index outside its buffer);
  ///         what a kernel's failure word says, naming op, source, row, value.
  Status run(RunContext &context, const std::vector<int64_t> &symbols,
             std::span<const Region> arguments,
             std::span<const Region> results);

private:
  Status resize(const std::vector<int64_t> &symbols);
  Status bind(std::span<const Region> arguments,
              std::span<const Region> results);
  Status execute(RunContext &context, const std::vector<int64_t> &symbols);
  Status launch(RunContext &context, const base::Instruction &instruction,
                const int64_t *symbols);
  Status copy(RunContext &context, const base::Instruction &instruction,
              const int64_t *symbols);
  /// The element that a load or a store names.
  StatusOr<char *> hostElement(const base::Instruction &instruction,
                               const int64_t *symbols);
  Status load(const base::Instruction &instruction, const int64_t *symbols);
  Status store(const base::Instruction &instruction, const int64_t *symbols);
  Status emit(RunContext &context, const base::Instruction &instruction,
              const int64_t *symbols);
  bool value(const base::Expr &expr, const int64_t *symbols,
             int64_t &result) const {
    return expr.tryEvaluate(symbols, registers.data(), result);
  }

  const base::Variant *variant = nullptr;
  bool isReachable = true;
  std::vector<int64_t> largest; // by symbol
  base::MemoryPlan plan;
  int64_t launchCount = 0;    // of the body, each once
  std::vector<Region> bounds; // by buffer: the memory it lies in
  std::vector<int64_t> sizes; // by buffer: bytes for `sizedFor`
  std::vector<int64_t> sizedFor;
  std::vector<uint32_t> callBuffers; // arguments and results
  std::vector<int64_t> registers;
  // Of the launch at hand; as long as the longest launch needs.
  std::vector<void *> operands;
  std::vector<int64_t> dims;
  std::vector<hal::WorkerSpan> spans;
};

} // namespace tenon::exec
#endif // TENON_RUNTIME_EXEC_VARIANTPLAN_H
