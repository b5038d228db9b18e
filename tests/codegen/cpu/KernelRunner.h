//===- KernelRunner.h - One tn.kernel, compiled and called ------*- C++ -*-===//
//
//   auto runner = KernelRunner::create(context, text, CpuFeatures::V4);
//   (*runner)->run({{"T", 7}}, {x.data(), w.data(), y.data()});
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TESTS_CODEGEN_CPU_KERNELRUNNER_H
#define TENON_TESTS_CODEGEN_CPU_KERNELRUNNER_H

#include "codegen/cpu/Emitter.h"
#include "codegen/cpu/Jit.h"

#include "mlir/IR/OwningOpRef.h"

#include <memory>

namespace tenon::testing {

/// How long the steps of a compilation took.
struct CompileTimes {
  double emitMs = 0, lowerMs = 0, objectMs = 0;
};

class KernelRunner {
public:
  /// Compiles the only kernel of the only function of `text`, scheduled for its
  /// symbols as the CPU target schedules it.
  static absl::StatusOr<std::unique_ptr<KernelRunner>>
  create(mlir::MLIRContext &context, llvm::StringRef text,
         base::CpuFeatures features);

  /// Runs all tiles under the runtime's floating-point mode and returns the
  /// first failure they noted. Thread i of n runs tiles i, i + n, ... in order.
  tenon_failure run(const llvm::StringMap<int64_t> &symbols,
                    std::vector<void *> buffers, uint32_t threads = 1);

  /// What the results are by the contract, nest by nest.
  std::vector<ir::ref::Value<ir::ref::Contract>>
  expected(const llvm::StringMap<int64_t> &symbols,
           const std::vector<ir::ref::Value<ir::ref::Contract>> &inputs);

  ir::KernelOp kernel() { return op; }
  const codegen::cpu::KernelInfo &info() const { return details; }
  const CompileTimes &times() const { return took; }
  const std::string &object() const { return code; }

private:
  /// Runs every `step`th tile from `first` on, with scratch of its own.
  tenon_failure runTiles(const tenon_frame &shared, int64_t first, int64_t step,
                         int64_t tiles) const;

  mlir::OwningOpRef<mlir::ModuleOp> source;
  ir::KernelOp op;
  codegen::cpu::KernelInfo details;
  CompileTimes took;
  std::string code;
  std::unique_ptr<codegen::cpu::Jit> jit;
  tenon_kernel_fn function = nullptr;
};

/// The bytes of a tensor, and back.
std::string toBytes(const ir::ref::Tensor<ir::ref::Contract> &x);
ir::ref::Tensor<ir::ref::Contract>
fromBytes(mlir::Type element, llvm::ArrayRef<int64_t> shape, const void *bytes);

/// A context with every dialect that kernels and their code use.
mlir::MLIRContext &kernelContext();

} // namespace tenon::testing
#endif // TENON_TESTS_CODEGEN_CPU_KERNELRUNNER_H
