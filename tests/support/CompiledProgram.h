//===- CompiledProgram.h - A tn module, compiled and run whole --*- C++ -*-===//
//
// Takes a module the way of a model: every pass, codegen::compile,
// exec::Session on two threads. Arguments and results end at pages without
// access.
//
//   auto program = CompiledProgram::compile(module, CpuFeatures::V4);
//   auto outcome = (*program)->run(func, arguments, parameters);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TESTS_SUPPORT_COMPILEDPROGRAM_H
#define TENON_TESTS_SUPPORT_COMPILEDPROGRAM_H

#include "runtime/exec/LoadedProgram.h"
#include "tests/support/CompiledFunction.h"

#include "llvm/ADT/StringMap.h"

namespace tenon::testing {

class CompiledProgram {
public:
  /// Compiles a copy of `module`, in a context without threads of its own.
  static absl::StatusOr<std::unique_ptr<CompiledProgram>>
  compile(mlir::ModuleOp module, base::CpuFeatures features);

  struct Outcome {
    std::vector<Tensor> results; // without the states
    std::vector<int32_t> emitted;
    Status call; // of the only call
  };
  /// Opens a session and calls the entry that `func` became. Caches among the
  /// arguments are the session's states, empty; the sink asks to stop when
  /// `emitLimit` tokens came.
  absl::StatusOr<Outcome> run(mlir::func::FuncOp func,
                              llvm::ArrayRef<Argument> arguments,
                              const llvm::StringMap<Argument> &parameters,
                              int64_t emitLimit) const;

private:
  std::shared_ptr<const exec::LoadedProgram> loaded;
};

} // namespace tenon::testing
#endif // TENON_TESTS_SUPPORT_COMPILEDPROGRAM_H
