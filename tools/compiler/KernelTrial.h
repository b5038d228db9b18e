//===- KernelTrial.h - One kernel, cut and timed in many ways ---*- C++ -*-===//
//
// Memory as a program of the kernel would have it, and code for any schedule:
//
//   auto trial = KernelTrial::create(kernel, symbols, setup);
//   auto code = (*trial)->compile(schedules);
//   RETURN_IF_ERROR((*trial)->keepResults(**code));    // of the first
//   ASSIGN_OR_RETURN(bool same, (*trial)->givesSame(**other));
//   double ns = (*trial)->time(**other, /*runs=*/10);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TOOLS_COMPILER_KERNELTRIAL_H
#define TENON_TOOLS_COMPILER_KERNELTRIAL_H

#include "codegen/Target.h"
#include "codegen/cpu/Emitter.h"
#include "codegen/cpu/Jit.h"
#include "runtime/hal/Device.h"

#include "absl/status/statusor.h"

namespace tenon::tools {

/// Where and on how much a kernel runs.
struct TrialSetup {
  hal::Device &device;
  base::CpuFeatures features;
  base::TargetDescription machine;
  int64_t tokens = 512;   // of a step, where the symbol T can be as many
  int64_t context = 1024; // of a sequence, with those tokens
};

/// Code of one kernel for certain schedules.
struct CutKernel {
  std::unique_ptr<codegen::cpu::Jit> jit; // keeps the function alive
  tenon_kernel_fn function = nullptr;
  std::vector<int64_t> dims;
  uint32_t tiles = 0;
};

class KernelTrial {
public:
  /// `kernel` and the symbols of its function outlive the trial; the kernel's
  /// schedules are changed by it.
  /// Errors: RESOURCE_EXHAUSTED (memory).
  static absl::StatusOr<std::unique_ptr<KernelTrial>>
  create(ir::KernelOp kernel, const codegen::SymbolRanges &ranges,
         const TrialSetup &setup);

  /// Errors: INTERNAL (the diagnostics).
  absl::StatusOr<std::unique_ptr<CutKernel>>
  compile(llvm::ArrayRef<ir::ScheduleAttr> schedules);

  /// Runs `code` and keeps every byte that it wrote; false where the kernel
  /// notes a failure on such inputs, and its results mean nothing.
  bool keepResults(const CutKernel &code);

  /// Whether `code` writes the bytes that are kept.
  bool givesSame(const CutKernel &code);

  /// Nanoseconds of a run, of so many.
  double time(const CutKernel &code, int64_t runs);

private:
  struct Buffer {
    hal::Memory memory;
    int64_t sizeBytes = 0;
    bool isWeight = false;  // of static extents, too large for a first cache
    bool isWritten = false; // a result, or a cache
    std::string initial, kept;
  };

  KernelTrial(ir::KernelOp kernel, const TrialSetup &setup)
      : kernel(kernel), setup(setup) {}

  absl::Status bind(const codegen::SymbolRanges &ranges);
  absl::Status addBatch();
  absl::Status addCache(ir::CacheType type);
  absl::Status addTensor(mlir::RankedTensorType type, bool isResult);
  absl::StatusOr<Buffer *> add(int64_t sizeBytes);
  absl::Status copyWeights();
  bool run(const CutKernel &code, size_t frame);
  void restore();

  ir::KernelOp kernel;
  TrialSetup setup;
  llvm::SmallVector<ir::SymbolAttr> symbols;
  llvm::StringMap<int64_t> values; // of symbols
  std::vector<Buffer> buffers;     // in the frame's order
  std::vector<hal::Memory> copies; // of weights
  // The buffers of runs that follow each other: weights of several layers, for
  // in a program none finds its weights in a cache that they all overflow.
  std::vector<std::vector<void *>> frames;
  size_t nextFrame = 0;
};

} // namespace tenon::tools
#endif // TENON_TOOLS_COMPILER_KERNELTRIAL_H
