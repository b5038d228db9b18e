//===- Tuning.h - Schedules that a search has found -------------*- C++ -*-===//
//
// A tuner is only another producer of schedules. What it found lies in a JSON
// file that people can read:
//
//   {"tenon_tuning": 1,
//    "machine": {"threads": 2, "l1_bytes": 32768, ...},
//    "kernels": [
//      {"key": "5d0c...", "label": "matmul+add", "symbols": "T=1..1",
//       "cpu": "v4-vnni", "analytic_us": 41.2, "tuned_us": 36.9,
//       "schedules": [
//         {"kind": "matmul", "tile": [1, 64], "registers": [1, 1, 1]}]}]}
//
//   ASSIGN_OR_RETURN(Tuning tuning, parseTuning(text, context));
//   TunedTarget target(*analytic, tuning, features);
//   options.target = &target;
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_TUNING_H
#define TENON_CODEGEN_TUNING_H

#include "codegen/Target.h"

#include "absl/status/statusor.h"

#include <mutex>
#include <string>
#include <vector>

namespace tenon::codegen {

/// The ranges of the symbols that the kernel's types name: "T=2..16 R=1..1".
std::string describeSymbols(ir::KernelOp kernel, const SymbolRanges &ranges);

/// Identifies a kernel by all that its best schedule depends on but the
/// machine: its ops, types, symbols' ranges, and the feature set.
std::string kernelKey(ir::KernelOp kernel, const SymbolRanges &ranges,
                      base::CpuFeatures features);

struct TunedKernel {
  std::string key;
  std::string label, symbols; // for people
  base::CpuFeatures features = base::CpuFeatures::V3;
  double analyticUs = 0, tunedUs = 0;
  llvm::SmallVector<ir::ScheduleAttr> schedules; // by nest
};

struct Tuning {
  base::TargetDescription machine; // where it was found
  std::vector<TunedKernel> kernels;
};

/// The text of a tuning file.
std::string printTuning(const Tuning &tuning);

/// Reads a tuning file into `context`, which has the tn dialect.
/// Errors: INVALID_ARGUMENT (not JSON, or not such a file; says where).
absl::StatusOr<Tuning> parseTuning(llvm::StringRef text,
                                   mlir::MLIRContext *context);

/// A target with the schedules of a tuning, and another's for all other
/// kernels. Of the feature sets that code is made for, the largest that a
/// kernel was tuned for decides.
class TunedTarget final : public Target {
public:
  /// `analytic` must outlive it.
  TunedTarget(const Target &analytic, Tuning tuning,
              llvm::ArrayRef<base::CpuFeatures> features);

  ir::ScheduleAttr schedule(ir::KernelOp kernel, unsigned nest,
                            const SymbolRanges &ranges) const override;
  llvm::SmallVector<ir::ScheduleAttr>
  neighbours(ir::KernelOp kernel, unsigned nest, ir::ScheduleAttr from,
             const SymbolRanges &ranges, base::CpuFeatures set) const override {
    return analytic.neighbours(kernel, nest, from, ranges, set);
  }
  bool admits(ir::KernelOp kernel, unsigned nest, ir::ScheduleAttr schedule,
              const SymbolRanges &ranges) const override {
    return analytic.admits(kernel, nest, schedule, ranges);
  }

  /// What there is to say once all kernels have been scheduled: which of the
  /// tuning's were met by none, or could not be cut as it says. A line each.
  std::vector<std::string> notices() const;

private:
  enum class Use { None, Taken, Refused };
  bool isAdmitted(const TunedKernel &tuned, ir::KernelOp kernel,
                  const SymbolRanges &ranges) const;

  const Target &analytic;
  const Tuning tuning;
  llvm::SmallVector<base::CpuFeatures> features; // the largest first
  llvm::StringMap<size_t> byKey;                 // of the tuning's kernels
  mutable std::mutex mutex;
  mutable std::vector<Use> uses; // of each
};

} // namespace tenon::codegen
#endif // TENON_CODEGEN_TUNING_H
