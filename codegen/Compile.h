//===- Compile.h - From a traced module to a program and its code -*- C++ -*-=//
//
// The compiler's surface: the one place where diagnostics become a status.
//
//   CompileOptions options;
//   options.features = {base::CpuFeatures::V4};
//   ASSIGN_OR_RETURN(Compiled compiled, compile(module, options));
//   ASSIGN_OR_RETURN(std::string code,
//   cpu::linkShared(compiled.code[0].objects));
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_COMPILE_H
#define TENON_CODEGEN_COMPILE_H

#include "codegen/Target.h"
#include "runtime/base/Container.h"
#include "runtime/base/Program.h"

#include "absl/status/statusor.h"
#include "mlir/IR/BuiltinOps.h"

#include <functional>
#include <string>
#include <vector>

namespace tenon::codegen {

struct CompileOptions {
  /// The feature sets to generate code for; at least one.
  std::vector<base::CpuFeatures> features;
  unsigned threads = 2;
  /// Interprets the program before and after every tn-level pass on seeded
  /// inputs and fails at the first pass that changes a result.
  bool checkPasses = false;
  /// Decides how kernels are cut; null: the analytic model of the CPU, for the
  /// generic machine.
  const Target *target = nullptr;
  /// Stops before code is emitted; nothing is returned then. For a `target`
  /// that wants to see the kernels.
  bool isSchedulingOnly = false;
  /// "f32", "bf16" or "q8": see tn-choose-compute-types. The passes that are
  /// checked come after.
  std::string activations = "f32";
  /// Where to write the IR after each stage, as numbered files; empty: nowhere.
  std::string dumpFolder;
  /// Told of each stage: its name, how many of its steps are done, of how many.
  std::function<void(const char *stage, size_t done, size_t total)> progress;
};

/// Code of one feature set: relocatable objects, together every kernel.
struct FeatureCode {
  base::CpuFeatures features;
  std::vector<std::string> objects;
};

struct Compiled {
  base::Program program;
  std::vector<FeatureCode> code; // in the order of the options
  double seconds = 0;
};

/// Adds every dialect that tracing and compiling use.
void registerDialects(mlir::DialectRegistry &registry);

/// Compiles a copy of `module`: its public functions become entries, its
/// `tn.parameter`s and `tn.state`s parameters and states.
/// Errors: INVALID_ARGUMENT (no features), INTERNAL (a pass or a back end
///         failed: the diagnostics, each with its source line).
absl::StatusOr<Compiled> compile(mlir::ModuleOp module,
                                 const CompileOptions &options);

/// The compiler's version and its LLVM's, for provenance.
std::string buildId();

} // namespace tenon::codegen
#endif // TENON_CODEGEN_COMPILE_H
