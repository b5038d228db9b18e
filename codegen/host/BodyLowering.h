//===- BodyLowering.h - One entry's body for one variant --------*- C++ -*-===//
//
// Walks a function of kernels, inlining calls, and writes the variant's rt ops.
// Used by LowerToRt only.
//
// Events form one chain: every op starts after the one before it. Finer
// dependences would promise too much, since temporaries take turns in the same
// memory by their place in this order.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_HOST_BODYLOWERING_H
#define TENON_CODEGEN_HOST_BODYLOWERING_H

#include "codegen/host/KernelTable.h"

#include "llvm/ADT/SmallVector.h"

namespace tenon::codegen::host {

class BodyLowering {
public:
  BodyLowering(rt::VariantOp variant, KernelTable &kernels,
               mlir::ModuleOp source);

  mlir::LogicalResult lower(mlir::func::FuncOp function);

private:
  /// The buffers of a value: one, or a batch's three.
  using Binding = llvm::SmallVector<mlir::Value, 3>;
  /// The bindings of one inlined function.
  struct Scope {
    llvm::DenseMap<mlir::Value, Binding> bindings;
    llvm::SmallVector<ir::SymbolAttr> symbols;
    std::string label; // the layer, for traces
  };

  mlir::LogicalResult lowerBlock(mlir::Block &block, Scope &scope);
  mlir::LogicalResult lowerOp(mlir::Operation *op, Scope &scope);
  mlir::LogicalResult lowerParameter(ir::GetParameterOp op, Scope &scope);
  mlir::LogicalResult lowerConstant(ir::ConstantOp op, Scope &scope);
  mlir::LogicalResult lowerCall(mlir::func::CallOp op, Scope &scope);
  mlir::LogicalResult lowerKernel(ir::KernelOp op, Scope &scope);
  mlir::LogicalResult lowerIf(ir::IfOp op, Scope &scope);
  mlir::LogicalResult lowerWhile(ir::WhileOp op, Scope &scope);
  mlir::LogicalResult lowerEmit(ir::EmitOp op, Scope &scope);
  mlir::LogicalResult lowerPositions(ir::PositionsOp op, Scope &scope);
  mlir::LogicalResult lowerReposition(ir::RepositionOp op, Scope &scope);
  mlir::LogicalResult bindArguments(mlir::func::FuncOp function, Scope &scope);
  mlir::LogicalResult bindResults(mlir::func::FuncOp function, Scope &scope);
  /// Copies into a state's memory what was not made there.
  void storeStates(mlir::func::FuncOp function, Scope &scope);
  ir::StateOp stateOf(mlir::func::FuncOp function, mlir::BlockArgument value,
                      unsigned order);

  /// The memory of a tensor that lives across calls.
  mlir::Value stateBuffer(mlir::FlatSymbolRefAttr name, mlir::Location loc);
  mlir::Value addTemporary(mlir::Location loc, mlir::Type content,
                           llvm::StringRef label);
  /// What all regions see: declared at the start of the variant.
  mlir::Value declare(mlir::Location loc, rt::BufferKind kind,
                      mlir::Type content, mlir::Attribute which);
  void copy(mlir::Location loc, mlir::Value from, mlir::Value to);
  /// The extent of a vector, in every call of the variant: a number, or a
  /// symbol's name.
  mlir::Attribute extentOf(mlir::RankedTensorType vector);
  mlir::Value loadFlag(mlir::Value flag, Scope &scope);

  /// Places for what a region or a loop gives its results through: temporaries
  /// for tensors. Caches are changed in place and batches never, so they keep
  /// the buffers that the first move finds.
  using Carriers = llvm::SmallVector<Binding>;
  Carriers carriersOf(mlir::ValueRange values);
  mlir::LogicalResult moveAll(mlir::Operation *at, mlir::ValueRange values,
                              Scope &scope, Carriers &carriers);

  rt::EntryOp entry;
  KernelTable &kernels;
  // Of the source module, which may have a thousand weights.
  mlir::SymbolTable globals;
  llvm::SmallVector<ir::StateOp> cacheStates;
  llvm::DenseMap<mlir::Attribute, mlir::Value> stateBuffers; // of tensors
  llvm::DenseMap<int64_t, mlir::FlatSymbolRefAttr> prepared; // by number
  mlir::Block *body;
  mlir::OpBuilder builder;
  mlir::Operation *lastDeclared = nullptr;
  mlir::Value event; // the last one
  llvm::DenseMap<mlir::Attribute, mlir::Value> parameterBuffers;
  llvm::DenseMap<mlir::Attribute, mlir::Value> constantBuffers;
};

} // namespace tenon::codegen::host
#endif // TENON_CODEGEN_HOST_BODYLOWERING_H
