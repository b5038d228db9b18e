//===- Session.h - Memory for a program, and calls to it --------*- C++ -*-===//
//
// Opening places everything: parameters are bound, `prepare` runs once, states
// and temporaries get their memory for the limits given. After that a call
// allocates nothing and the peak is known.
//
//   SessionOptions options;
//   options.limits = {{"T", 16}};
//   TENON_ASSIGN_OR_RETURN(auto session,
//                          Session::open(program, device, options, lookup));
//   TENON_RETURN_IF_ERROR(session->call("forward", arguments, results));
//
// Symbols. A symbol that is an axis of an argument is bound by that argument's
// shape, and every other axis must agree. Two names always mean the session's
// own: `pageBlocks` (blocks of TENON_CACHE_BLOCK keys in a page) and `pages`
// (pages of each state); a state holds bytesPerBlock * pageBlocks * pages
// bytes. A symbol that no argument has takes its limit.
//
// Batches. A `tn.batch` argument is three i32 arguments: "batch.sequence" [T]
// and "batch.position" [T], of each token, and "batch.pages" [S, P], the pages
// of each sequence in order of position, -1 where there is none yet.
// `PageTable` keeps them; `Generator` drives such programs.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_RUNTIME_EXEC_SESSION_H
#define TENON_RUNTIME_EXEC_SESSION_H

#include "runtime/exec/LoadedProgram.h"
#include "runtime/exec/Symbols.h"
#include "runtime/exec/Tensor.h"
#include "runtime/exec/VariantPlan.h"

#include <atomic>
#include <memory>
#include <string_view>

namespace tenon::exec {

struct PageCopy;

/// Limits not given are the program's own.
struct SessionOptions {
  struct Limit {
    std::string symbol;
    int64_t most;
    std::string entry = {}; // whose symbol it is; empty: every entry's
  };
  std::vector<Limit> limits; // those of one entry go before
  int64_t pageBlocks = 4;
  int64_t pages = 1; // of each state, shared by all sequences
  /// Tensors that live across calls begin as zeros, whatever weights they are:
  /// for those who write them through `state`.
  bool withoutWeights = false;
  /// Prepared memory of another session of the same program; null: this one
  /// maps or computes its own.
  std::shared_ptr<const hal::Memory> prepared;
  /// Told of the launches of `prepare`, which reads and packs the weights.
  LaunchProgress preparing;
};

struct SessionStats {
  int64_t arenaBytes = 0; // temporaries, at the limits
  int64_t preparedBytes = 0;
  int64_t stateBytes = 0;
  int64_t scratchBytes = 0; // of all workers
  int64_t launchesOfLastCall = 0;
};

class Session {
public:
  /// Binds parameters by `lookup`, which may be empty if none are needed (the
  /// file embeds its prepared weights). It is dropped after `prepare` unless
  /// another entry reads parameters too.
  /// Errors: INVALID_ARGUMENT (limits; a parameter's type or shape, naming it),
  ///         NOT_FOUND (a parameter), RESOURCE_EXHAUSTED (memory), DATA_LOSS
  ///         (embedded weights of another size), those of `prepare`.
  static StatusOr<std::unique_ptr<Session>>
  open(std::shared_ptr<const LoadedProgram> program,
       std::shared_ptr<hal::Device> device, const SessionOptions &options = {},
       ParameterLookup lookup = nullptr);

  /// Finds an entry's number for `call`.
  /// Errors: NOT_FOUND, listing the entries.
  StatusOr<uint32_t> findEntry(std::string_view name) const;

  /// Runs the first variant of the entry whose guards hold. On failure the
  /// results and the states hold no promised values.
  /// Threads: one call at a time.
  /// Errors: INVALID_ARGUMENT (an argument, naming axis, expected and got; no
  ///         variant, listing them), OUT_OF_RANGE, RESOURCE_EXHAUSTED (a
  ///         kernel's failure, naming op, source, row and value), CANCELLED.
  Status call(uint32_t entry, std::span<const TensorView> arguments,
              std::span<const MutableTensorView> results);
  Status call(std::string_view entry, std::span<const TensorView> arguments,
              std::span<const MutableTensorView> results);

  /// Makes the running call, or else the next one, fail with CANCELLED, until
  /// `resume`.
  /// Threads: any.
  void cancel() { cancelFlag.store(true, std::memory_order_relaxed); }
  void resume() { cancelFlag.store(false, std::memory_order_relaxed); }

  /// Where emitted values go; an empty sink drops them.
  void setSink(EmitSink sink) { emitSink = std::move(sink); }
  /// Collects launches into `trace`, which must outlive its use; null ends it.
  void setTrace(Trace *trace) { context.trace = trace; }
  /// Starts or ends the summing of each kernel's time.
  void timeKernels(bool on);
  /// By kernel of the program; empty unless timed.
  std::span<const KernelTime> kernelTimes() const { return times; }

  /// Makes calls fail at the first kernel that leaves a value that is no finite
  /// number: OUT_OF_RANGE, naming it. Slow.
  void checkFinite(bool on) { context.checksFinite = on; }

  /// Copies pages of all caches, one after the other.
  void copyPages(std::span<const PageCopy> copies);

  /// The rows that a page of state number `number` holds, by position, one
  /// after the other: of a cache of one head, layout values and f32.
  std::span<const float> cachePage(size_t number, int32_t page) const;

  /// A tensor that lives across calls, to read or to change between them. The
  /// memory is the session's.
  /// Errors: NOT_FOUND.
  StatusOr<MutableTensorView> state(std::string_view name);

  SessionStats stats() const;
  /// The sizes an axis of an argument can have in this session's calls; the
  /// largest is one that some variant takes.
  struct AxisRange {
    int64_t least = 0;
    int64_t most = 0;
  };
  AxisRange axisRange(uint32_t entry, size_t argument, size_t axis) const;
  const LoadedProgram &program() const { return *loaded; }
  int64_t pageBlocks() const { return limits.pageBlocks; }
  int64_t pages() const { return limits.pages; }
  /// To share with further sessions; null where prepared values are mapped
  /// from the file.
  std::shared_ptr<const hal::Memory> preparedMemory() const { return prepared; }
  /// The prepared values, as a Weights section stores them.
  std::span<const std::byte> preparedBytes() const;

private:
  struct EntryPlan {
    const base::Entry *entry = nullptr;
    Status unusable; // why no call within the limits can be made
    SymbolBinder binder;
    std::vector<VariantPlan> variants;
    std::vector<int64_t> symbols;
    std::vector<Region> arguments, results;
  };

  Session() = default;
  Status planEntries();
  Status placeStates();
  /// Gives tensors that live across calls their first values.
  Status fillStates(const ParameterLookup &lookup, bool withoutWeights);
  Status bindParameters(const ParameterLookup &lookup, bool forPrepare);
  Status placePrepared(const SessionOptions &options,
                       const ParameterLookup &lookup);
  Status runPrepare(const LaunchProgress &progress);
  Status placeArena();
  Status run(EntryPlan &plan, std::span<const TensorView> arguments,
             std::span<const MutableTensorView> results);
  bool readsParameters() const;

  std::shared_ptr<const LoadedProgram> loaded;
  std::shared_ptr<hal::Device> device;
  ParameterLookup parameters; // keeps their bytes alive
  SymbolLimits limits;
  std::vector<EntryPlan> entries; // by entry of the program
  MemoryMap map;
  std::shared_ptr<const hal::Memory> prepared;
  int64_t preparedSize = 0;
  hal::Memory states, arena;
  int64_t stateBytes = 0, arenaBytes = 0, scratchBytes = 0;
  std::atomic<bool> cancelFlag = false;
  EmitSink emitSink;
  RunContext context;
  std::vector<KernelTime> times;
};

} // namespace tenon::exec
#endif // TENON_RUNTIME_EXEC_SESSION_H
