//===- Verify.h - What the ops' verifiers share -----------------*- C++ -*-===//
//
//   if (failed(expectType(*this, "y", takeAxes(x, axes), getY().getType())))
//     return failure(); // C2
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IR_TN_VERIFY_H
#define TENON_IR_TN_VERIFY_H

#include "ir/tn/Tn.h"

namespace tenon::ir {

inline mlir::RankedTensorType tensorType(mlir::Value value) {
  return mlir::cast<mlir::RankedTensorType>(value.getType());
}

/// Fails at `op` unless the value called `name` has the type it follows to
/// have.
mlir::LogicalResult expectType(mlir::Operation *op, llvm::StringRef name,
                               mlir::Type expected, mlir::Type actual);

/// Fails at `op` unless `type` is of `rank`.
mlir::LogicalResult expectRank(mlir::Operation *op, llvm::StringRef name,
                               int64_t rank, mlir::RankedTensorType type);

/// Fails at `op` unless the two axes have provably equal extents.
mlir::LogicalResult expectSameExtent(mlir::Operation *op, llvm::StringRef nameA,
                                     mlir::RankedTensorType a, int64_t axisA,
                                     llvm::StringRef nameB,
                                     mlir::RankedTensorType b, int64_t axisB);

/// Fails at `op` unless a blocked `type` has whole blocks along its last axis;
/// holds for every other type.
mlir::LogicalResult expectWholeBlocks(mlir::Operation *op, llvm::StringRef name,
                                      mlir::RankedTensorType type);

/// Checks a function's `tn.symbols`; see #tn.symbol.
mlir::LogicalResult verifySymbols(mlir::Operation *func, mlir::Attribute attr);

} // namespace tenon::ir
#endif // TENON_IR_TN_VERIFY_H
