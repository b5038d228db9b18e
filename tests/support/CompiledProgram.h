//===- CompiledProgram.h - A tn module, compiled and run whole --*- C++ -*-===//
//
// Takes a module the way of a model: every pass, codegen::compile,
// exec::Session on two threads. Arguments and results end at pages without
// access.
//
//   auto program = CompiledProgram::compile(module, CpuFeatures::V4);
//   auto session = (*program)->open(optionsFor(func, arguments), weights);
//   auto outcome = callEntry(**session, func, arguments, /*emitLimit=*/-1);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TESTS_SUPPORT_COMPILEDPROGRAM_H
#define TENON_TESTS_SUPPORT_COMPILEDPROGRAM_H

#include "ir/reference/Interpreter.h"
#include "runtime/exec/Session.h"
#include "tests/support/Tensors.h"

#include "absl/status/statusor.h"
#include "mlir/IR/BuiltinOps.h"

namespace tenon::codegen {
class Target;
} // namespace tenon::codegen

namespace tenon::testing {

using Weights = ir::ref::Parameters<ir::ref::Contract>;

class CompiledProgram {
public:
  /// Compiles a copy of `module`, in a context without threads of its own.
  /// `target` cuts its kernels; null: the generic CPU.
  static absl::StatusOr<std::unique_ptr<CompiledProgram>>
  compile(mlir::ModuleOp module, base::CpuFeatures features,
          const codegen::Target *target = nullptr);

  /// Opens a session, whose states are empty.
  absl::StatusOr<std::unique_ptr<exec::Session>>
  open(const exec::SessionOptions &options, const Weights &weights) const;

  const base::Program &program() const { return loaded->program(); }

private:
  std::shared_ptr<const exec::LoadedProgram> loaded;
};

/// What a call gives: its tensors and what it streamed.
struct Outcome {
  std::vector<Tensor> results; // without the states
  std::vector<int32_t> emitted;
  Status call;
};

/// Limits that hold a call of the entry `func` with these arguments.
exec::SessionOptions optionsFor(mlir::func::FuncOp func,
                                llvm::ArrayRef<Value> arguments);

/// Calls the entry that `func` became. Caches among the arguments are the
/// session's states. The sink asks to stop when `emitLimit` tokens came; -1:
/// never.
absl::StatusOr<Outcome> callEntry(exec::Session &session,
                                  mlir::func::FuncOp func,
                                  llvm::ArrayRef<Value> arguments,
                                  int64_t emitLimit);

} // namespace tenon::testing
#endif // TENON_TESTS_SUPPORT_COMPILEDPROGRAM_H
