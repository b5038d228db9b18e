//===- KernelTable.h - The distinct kernels of a program --------*- C++ -*-===//
//
// Kernels that are equal but for their operands' names are one rt.kernel:
// layers and variants share it. Each is known by the text of its op, schedules
// included. Where its symbols have other ranges in another variant, it is
// emitted for the ranges that hold both.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_HOST_KERNELTABLE_H
#define TENON_CODEGEN_HOST_KERNELTABLE_H

#include "ir/rt/Rt.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

namespace tenon::codegen::host {

namespace rt = ir::rt;

/// The symbols that the kernel's types name.
llvm::StringSet<> namedSymbols(ir::KernelOp kernel);

/// What makes two kernels one: their text without operands' names and labels.
std::string textOf(ir::KernelOp kernel);

class KernelTable {
public:
  /// Kernels are written into `program`, before its entries.
  explicit KernelTable(mlir::ModuleOp program) : program(program) {}

  /// The kernel of `op`, new or known. `symbols` are its function's.
  rt::KernelOp add(ir::KernelOp op, llvm::ArrayRef<ir::SymbolAttr> symbols);

  /// To be called before ops that were added are freed.
  void forgetOps() { known.clear(); }

private:
  rt::KernelOp create(ir::KernelOp op, llvm::ArrayRef<mlir::Attribute> symbols);

  mlir::ModuleOp program;
  llvm::StringMap<rt::KernelOp> kernels; // by text
  // A layer's kernels are added once for each layer.
  llvm::DenseMap<mlir::Operation *, rt::KernelOp> known;
};

} // namespace tenon::codegen::host
#endif // TENON_CODEGEN_HOST_KERNELTABLE_H
