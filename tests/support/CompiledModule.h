//===- CompiledModule.h - Kernels as machine code in tests ------*- C++ -*-===//
//
//   auto code = CompiledModule::compile(module, CpuFeatures::V3);
//   (*code)->kernel("k0")(&frame, 0);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TESTS_SUPPORT_COMPILEDMODULE_H
#define TENON_TESTS_SUPPORT_COMPILEDMODULE_H

#include "codegen/cpu/Jit.h"
#include "runtime/base/Container.h"
#include "tenon/abi.h"

#include "absl/status/statusor.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/IR/Module.h"

#include <functional>
#include <memory>

namespace tenon::testing {

/// Changes a program on its way to machine code: a planted miscompile.
struct CodeEdit {
  std::function<void(mlir::ModuleOp)> program; // tn ops, before any pass
  std::function<void(llvm::Module &)> code;    // LLVM IR, not yet optimised
};

class CompiledModule {
public:
  /// Compiles a module of kernels in upstream dialects, which is used up.
  static absl::StatusOr<std::unique_ptr<CompiledModule>>
  compile(mlir::ModuleOp module, base::CpuFeatures features,
          const CodeEdit &edit = {});

  tenon_kernel_fn kernel(llvm::StringRef symbol) const;

private:
  std::unique_ptr<codegen::cpu::Jit> jit;
};

/// Loads what kernels and their lowering need into `context`, which then makes
/// no threads of its own.
void loadKernelDialects(mlir::MLIRContext &context);

/// The feature sets that this machine can run.
std::vector<base::CpuFeatures> runnableFeatures();

/// "v3", "v4" or "v4-vnni".
std::string nameOf(base::CpuFeatures features);

} // namespace tenon::testing
#endif // TENON_TESTS_SUPPORT_COMPILEDMODULE_H
