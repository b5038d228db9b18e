//===- HostProgram.h - A module of entries, compiled and run ----*- C++ -*-===//
//
// Compiles a module as a session would and runs its entries by the runtime, on
// values of the oracle.
//
//   auto program = HostProgram::open(module, weights);
//   auto outcome = (*program)->run("f", {x, batch}, /*emitLimit=*/3);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TESTS_CODEGEN_HOST_HOSTPROGRAM_H
#define TENON_TESTS_CODEGEN_HOST_HOSTPROGRAM_H

#include "runtime/exec/Session.h"
#include "tests/support/Tensors.h"

#include "absl/status/statusor.h"
#include "ir/reference/Interpreter.h"
#include "mlir/IR/BuiltinOps.h"

namespace tenon::testing {

using Value = ir::ref::Value<ir::ref::Contract>;
using Weights = ir::ref::Parameters<ir::ref::Contract>;

/// What a call gives: its tensors and what it streamed.
struct Outcome {
  std::vector<Tensor> results;
  std::vector<int32_t> emitted;
};

class HostProgram {
public:
  /// Compiles for this machine and opens a session with two pages of one block
  /// for each state. Symbols that no argument has take the largest value.
  static absl::StatusOr<std::unique_ptr<HostProgram>>
  open(mlir::ModuleOp module, const Weights &weights);

  /// Calls an entry with its tensors and batches, in order; states are the
  /// session's own. The sink stops once `emitLimit` tokens came; -1: never.
  absl::StatusOr<Outcome> run(llvm::StringRef entry,
                              llvm::ArrayRef<Value> arguments,
                              int64_t emitLimit = -1);

  const base::Program &program() const { return session->program().program(); }

private:
  mlir::ModuleOp module;
  std::unique_ptr<exec::Session> session;
};

} // namespace tenon::testing
#endif // TENON_TESTS_CODEGEN_HOST_HOSTPROGRAM_H
