//===- Lower.h - From kernels in upstream dialects to LLVM IR ---*- C++ -*-===//
//
// The last steps inside MLIR: func, scf, cf, arith, math, vector, memref, index
// and llvm ops become an llvm::Module. Vectors stay vectors; nothing here
// decides about tiles or registers, the emitters have done that.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_CPU_LOWER_H
#define TENON_CODEGEN_CPU_LOWER_H

#include "runtime/base/Container.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/IR/Module.h"

#include <memory>

namespace tenon::codegen::cpu {

/// Adds the dialects that emitters use and the translations that `lower` needs.
void registerLowering(mlir::DialectRegistry &registry);

/// Turns `module` into the LLVM dialect in place, then into LLVM IR for
/// `features`.
/// Errors: failure, with diagnostics at the op that has no lowering.
std::unique_ptr<llvm::Module> lower(mlir::ModuleOp module,
                                    base::CpuFeatures features,
                                    llvm::LLVMContext &context);

} // namespace tenon::codegen::cpu
#endif // TENON_CODEGEN_CPU_LOWER_H
