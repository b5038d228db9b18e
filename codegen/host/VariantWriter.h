//===- VariantWriter.h - A variant's ops as instructions --------*- C++ -*-===//
//
// Used by ToProgram only.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_HOST_VARIANTWRITER_H
#define TENON_CODEGEN_HOST_VARIANTWRITER_H

#include "ir/rt/Rt.h"
#include "runtime/base/Program.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"

namespace tenon::codegen::host {

namespace rt = ir::rt;

/// The numbers by which a program knows what a module names.
struct Numbers {
  llvm::StringMap<uint32_t> kernels;
  llvm::StringMap<uint32_t> globals; // parameters, prepared values, states
  llvm::DenseMap<mlir::Attribute, uint64_t> constants; // their first bytes
};

/// The shape of a tensor, over the numbers of an entry's symbols.
std::vector<base::Expr> shapeOf(mlir::RankedTensorType type, rt::EntryOp entry);

class VariantWriter {
public:
  VariantWriter(rt::EntryOp entry, mlir::ModuleOp module, Numbers &numbers,
                base::Program &program, base::Variant &variant)
      : entry(entry), module(module), numbers(numbers), program(program),
        variant(variant) {}

  mlir::LogicalResult write(rt::VariantOp op);

private:
  mlir::LogicalResult writeBlock(mlir::Block &block);
  mlir::LogicalResult writeOp(mlir::Operation *op);
  mlir::LogicalResult writeBuffer(rt::BufferOp op);
  mlir::LogicalResult writeLaunch(rt::LaunchOp op);
  mlir::LogicalResult writeCopy(rt::CopyOp op);
  mlir::LogicalResult writeLoad(rt::LoadOp op);
  mlir::LogicalResult writeStore(rt::StoreOp op);
  mlir::LogicalResult writeEmit(rt::EmitOp op);
  mlir::LogicalResult writeIf(rt::IfOp op);
  mlir::LogicalResult writeWhile(rt::WhileOp op);

  /// Appends an instruction and returns its number.
  uint32_t append(base::Instruction instruction);
  uint32_t branch(base::Opcode op, std::vector<base::Expr> condition);
  uint32_t position() const { return variant.body.size(); }
  uint32_t addRegister(mlir::Value value);
  void widenLifetimes(uint32_t begin, uint32_t end);

  rt::EntryOp entry;
  mlir::SymbolTable module;
  Numbers &numbers;
  base::Program &program;
  base::Variant &variant;
  llvm::DenseMap<mlir::Value, uint32_t> buffers, registers;
  std::vector<uint32_t> declaredAt; // by buffer: a position of the body
};

} // namespace tenon::codegen::host
#endif // TENON_CODEGEN_HOST_VARIANTWRITER_H
