//===- CompiledFunction.h - A tn function, fused and compiled ---*- C++ -*-===//
//
// Compiles a function by the passes and the CPU emitter, and runs its kernels
// one after the other, as a host program would, under a hostile host: tiles in
// random order, memory full of garbage, arguments that end at a page without
// access, arguments and results of any alignment.
//
//   auto code = CompiledFunction::compile(func, CpuFeatures::V4);
//   auto outcome = (*code)->run({x, w}, /*seed=*/7);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TESTS_SUPPORT_COMPILEDFUNCTION_H
#define TENON_TESTS_SUPPORT_COMPILEDFUNCTION_H

#include "codegen/cpu/Emitter.h"
#include "runtime/base/TargetDescription.h"
#include "tests/support/CompiledModule.h"
#include "tests/support/Tensors.h"

#include "mlir/IR/OwningOpRef.h"

namespace tenon::testing {

class CompiledFunction {
public:
  /// Compiles a copy of `func`, the only function of its module, scheduled for
  /// `machine`.
  static absl::StatusOr<std::unique_ptr<CompiledFunction>>
  compile(mlir::func::FuncOp func, base::CpuFeatures features,
          const CodeEdit &edit = {},
          const base::TargetDescription &machine = {});

  struct Outcome {
    std::vector<Value> results;
    tenon_failure failure = {};
  };
  /// Errors: INVALID_ARGUMENT (an op that is no kernel is left), INTERNAL (a
  ///         kernel wrote beyond its result).
  absl::StatusOr<Outcome> run(llvm::ArrayRef<Value> arguments,
                              uint64_t seed) const;

  size_t kernelCount() const { return kernels.size(); }

private:
  friend class FunctionRun;

  mlir::OwningOpRef<mlir::ModuleOp> fused;
  mlir::func::FuncOp func;
  std::vector<codegen::cpu::KernelInfo> kernels; // in the function's order
  std::unique_ptr<CompiledModule> code;
};

/// Compiles and runs `func` and returns how many multiply-adds its products
/// executed, what only fills up a register tile included.
absl::StatusOr<int64_t> countedProducts(mlir::func::FuncOp func,
                                        base::CpuFeatures features,
                                        llvm::ArrayRef<Value> arguments);

} // namespace tenon::testing
#endif // TENON_TESTS_SUPPORT_COMPILEDFUNCTION_H
