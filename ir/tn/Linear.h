//===- Linear.h - Values that are changed in place --------------*- C++ -*-===//
//
// A cache is a value, and yet every write to it is in place: so it has at most
// one use that changes it, and no use after that one. The same holds for a
// tensor that `tn.overwrite` overwrites. This is what lets code generation
// alias operand and result without a copy.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IR_TN_LINEAR_H
#define TENON_IR_TN_LINEAR_H

#include "ir/tn/Tn.h"

namespace tenon::ir {

/// The attribute of a call whose function overwrites tensors that it is given:
/// the numbers of those operands. Functions are worked on in parallel, so that
/// none looks into another.
inline constexpr llvm::StringLiteral kOverwritesAttr = "tn.overwrites";

/// Whether a use of a value changes it: `cache_append` and `overwrite`, a
/// kernel with a nest that does, a call that says so, and every other op that
/// takes a cache and returns one (a call, a loop).
bool changesOperand(mlir::OpOperand &use);

/// Whether any use changes the value.
bool isChanged(mlir::Value value);

/// The uses of a value's memory: its own, those of its views and, if it is a
/// view, those of what it is a view of.
llvm::SmallVector<mlir::OpOperand *> usesOf(mlir::Value value);

/// Verifies that each value that `func` changes is used linearly:
/// (C1) one use that changes it, or several in branches that exclude each
/// other; (C2) every other use comes before it; (C3) no loop changes a value
/// defined outside of it, nor does a loop's condition change a carried one.
mlir::LogicalResult verifyLinearUse(mlir::func::FuncOp func);
/// The same for one value.
mlir::LogicalResult verifyLinearUse(mlir::Value value);

} // namespace tenon::ir
#endif // TENON_IR_TN_LINEAR_H
