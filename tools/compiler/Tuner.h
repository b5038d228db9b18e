//===- Tuner.h - A search for better schedules ------------------*- C++ -*-===//
//
//   ASSIGN_OR_RETURN(codegen::Tuning tuning, tune(module, options));
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TOOLS_COMPILER_TUNER_H
#define TENON_TOOLS_COMPILER_TUNER_H

#include "codegen/Compile.h"
#include "codegen/Tuning.h"

#include <functional>

namespace tenon::tools {

struct TuneResult {
  const codegen::TunedKernel &kernel; // schedules: the best
  std::string analytic;               // the schedules that the model chose
  size_t tried = 0;                   // other ones
  bool isKept = false;                // better beyond noise
  size_t kernels = 0;                 // that there are, reached or not
};

struct TunerOptions {
  codegen::CompileOptions compile; // one feature set, which this machine runs
  base::TargetDescription machine;
  uint32_t threads = 0; // 0: every CPU this process may run on
  double budgetSeconds = 60;
  int64_t tokens = 512, context = 1024; // of the steps that are timed
  std::function<void(const std::string &kernel, size_t done, size_t total)>
      progress;
  std::function<bool()> shouldStop;
  std::function<void(const TuneResult &)> onResult;
};

/// Schedules of a kernel's nests, one after the other.
std::string textOf(llvm::ArrayRef<ir::ScheduleAttr> schedules);

/// Climbs from the analytic schedule of each distinct kernel to neighbours that
/// are faster on this machine, and keeps what is faster beyond noise.
/// Returns the kernels that have better schedules; fewer when time is up.
/// Errors: those of codegen::compile, INTERNAL (a schedule changed a result),
///         NOT_FOUND, RESOURCE_EXHAUSTED.
absl::StatusOr<codegen::Tuning> tune(mlir::ModuleOp module,
                                     const TunerOptions &options);

} // namespace tenon::tools
#endif // TENON_TOOLS_COMPILER_TUNER_H
