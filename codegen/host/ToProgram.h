//===- ToProgram.h - From rt to the program that is run ---------*- C++ -*-===//
//
// Numbers buffers and host scalars, flattens regions into branches and works
// out how long each buffer lives. Decides nothing else.
//
//   ... emit the kernels, then for each of them
//   describe(kernel, info);
//   FailureOr<base::Program> program = toProgram(module);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_HOST_TOPROGRAM_H
#define TENON_CODEGEN_HOST_TOPROGRAM_H

#include "codegen/cpu/Emitter.h"
#include "ir/rt/Rt.h"

#include "mlir/IR/BuiltinOps.h"

namespace tenon::codegen::host {

/// Notes on a kernel what its emission found out.
void describe(ir::rt::KernelOp kernel, const cpu::KernelInfo &info);

/// Serialises a module of rt whose kernels are described. The program still
/// wants `base::verify`.
mlir::FailureOr<base::Program> toProgram(mlir::ModuleOp module);

} // namespace tenon::codegen::host
#endif // TENON_CODEGEN_HOST_TOPROGRAM_H
