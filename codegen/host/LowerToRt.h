//===- LowerToRt.h - From functions of kernels to rt ------------*- C++ -*-===//
//
// Writes the entries of each variant's module as rt ops: calls are inlined (a
// layer's kernels are shared, its launches are not), values get buffers, and
// the results of `tn.if` and `tn.while` go through buffers of their own. It
// runs after schedules are attached and before kernels are emitted.
//
//   LowerToRt lowering(context);
//   lowering.declare(common);
//   lowering.addVariant(variantModule, "decode", bounds);
//   ModuleOp program = lowering.module();
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_HOST_LOWERTORT_H
#define TENON_CODEGEN_HOST_LOWERTORT_H

#include "codegen/host/KernelTable.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace tenon::codegen::host {

class LowerToRt {
public:
  explicit LowerToRt(mlir::MLIRContext *context);

  /// Declares parameters, states and entries from the module that all variants
  /// are copies of.
  mlir::LogicalResult declare(mlir::ModuleOp common);

  /// Erases the functions that `addVariant` would not lower, so that no pass
  /// works on them: entries that have a variant of these bounds already, or
  /// that no call within them can reach.
  void dropUnwanted(mlir::ModuleOp source,
                    llvm::ArrayRef<ir::SymbolAttr> bounds);

  /// Lowers the public functions of one variant's module, which may be freed
  /// afterwards. An entry none of whose symbols are bounded gets one variant,
  /// from the first module.
  mlir::LogicalResult addVariant(mlir::ModuleOp source, llvm::StringRef name,
                                 llvm::ArrayRef<ir::SymbolAttr> bounds);

  mlir::ModuleOp module() { return *program; }

private:
  mlir::LogicalResult declareEntry(mlir::func::FuncOp function);

  mlir::OwningOpRef<mlir::ModuleOp> program;
  KernelTable kernels;
};

/// Registers `--tn-to-rt`: the same for a module of one variant, as a pass.
void registerPasses();

} // namespace tenon::codegen::host
#endif // TENON_CODEGEN_HOST_LOWERTORT_H
