//===- BodyLowering.h - One entry's body for one variant --------*- C++ -*-===//
//
// Walks a function of kernels, inlining calls, and appends buffers and
// instructions to a variant. Used by HostLowering only.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_HOST_BODYLOWERING_H
#define TENON_CODEGEN_HOST_BODYLOWERING_H

#include "codegen/host/KernelTable.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"

namespace tenon::codegen::host {

class BodyLowering {
public:
  BodyLowering(base::Program &program, const base::Entry &entry,
               base::Variant &variant, KernelTable &kernels,
               mlir::ModuleOp module)
      : program(program), entry(entry), variant(variant), kernels(kernels),
        module(module) {}

  mlir::LogicalResult lower(mlir::func::FuncOp function);

private:
  /// The buffers of a value: one, or a batch's three.
  using Binding = llvm::SmallVector<uint32_t, 3>;
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
  mlir::LogicalResult bindArguments(mlir::func::FuncOp function, Scope &scope);
  int64_t stateNumber(mlir::func::FuncOp function, mlir::BlockArgument value,
                      uint32_t order) const;
  mlir::LogicalResult bindResults(mlir::func::FuncOp function, Scope &scope);

  uint32_t addBuffer(base::Buffer buffer);
  mlir::FailureOr<uint32_t> addTemporary(mlir::Value value,
                                         llvm::StringRef name);
  /// Buffers for values that a region or a loop gives its results through.
  mlir::FailureOr<Binding> carrier(mlir::Value value, const Binding &initial);
  base::Instruction &append(base::Instruction instruction);
  void copy(uint32_t from, uint32_t to);
  using Moves = llvm::SmallVector<std::pair<Binding, Binding>>;
  mlir::LogicalResult addMove(mlir::Value value, Scope &scope,
                              const Binding &to, Moves &moves);
  void copyAll(const Moves &moves);
  uint32_t position() const { return variant.body.size(); }
  uint32_t loadFlag(const Binding &binding);
  void widenLifetimes(uint32_t begin, uint32_t end);

  base::Program &program;
  const base::Entry &entry;
  base::Variant &variant;
  KernelTable &kernels;
  mlir::ModuleOp module;
  llvm::StringMap<uint32_t> parameterBuffers;
  llvm::DenseMap<mlir::Attribute, uint32_t> constantBuffers;
};

} // namespace tenon::codegen::host
#endif // TENON_CODEGEN_HOST_BODYLOWERING_H
