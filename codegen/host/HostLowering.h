//===- HostLowering.h - From functions of kernels to a Program --*- C++ -*-===//
//
// Flattens the entries of each variant's module into buffers and a list of
// instructions: calls are inlined (a layer's kernels are shared, its launches
// are not), values get buffers and lifetimes, `tn.if` and `tn.while` become
// branches. It runs after schedules are attached and before kernels are
// emitted; `finish` then fills in what emission found out.
//
//   HostLowering host(program, kernels);
//   host.declare(common);
//   host.addVariant(variantModule, "decode", bounds);
//   ... emit the kernels ...
//   host.finish();
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_HOST_HOSTLOWERING_H
#define TENON_CODEGEN_HOST_HOSTLOWERING_H

#include "codegen/host/KernelTable.h"

#include "mlir/IR/BuiltinOps.h"

namespace tenon::codegen::host {

/// `min <= symbol <= max`, by name.
struct SymbolBound {
  std::string symbol;
  int64_t min = 1;
  int64_t max = 1;
};

class HostLowering {
public:
  HostLowering(base::Program &program, KernelTable &kernels)
      : program(program), kernels(kernels) {}

  /// Declares parameters, prepared values, states and entries from the module
  /// that all variants are copies of.
  mlir::LogicalResult declare(mlir::ModuleOp module);

  /// Lowers the bodies of the public functions of one variant's module. An
  /// entry none of whose symbols are bounded gets one variant, from the first
  /// module.
  mlir::LogicalResult addVariant(mlir::ModuleOp module, llvm::StringRef name,
                                 llvm::ArrayRef<SymbolBound> bounds);

  /// Fills the kernels' facts and the launches' dims and tiles from `kernels`.
  mlir::LogicalResult finish();

private:
  mlir::LogicalResult declareEntry(mlir::func::FuncOp function);
  mlir::LogicalResult finishLaunches(const base::Entry &entry,
                                     base::Variant &variant);

  base::Program &program;
  KernelTable &kernels;
};

/// The size of a tensor in bytes as an expression over an entry's symbols.
mlir::FailureOr<base::Expr> sizeOf(mlir::RankedTensorType type,
                                   const base::Entry &entry);

} // namespace tenon::codegen::host
#endif // TENON_CODEGEN_HOST_HOSTLOWERING_H
