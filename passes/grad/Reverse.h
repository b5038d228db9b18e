//===- Reverse.h - Adjoint ops of a block, in reverse order -----*- C++ -*-===//
//
// Private to passes/grad. `Reverse` walks the ops of one block from the last to
// the first and builds, at an insertion point after them, the ops that give the
// gradients of what they read. It is told the gradients of some values; it
// finds those of others.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_PASSES_GRAD_REVERSE_H
#define TENON_PASSES_GRAD_REVERSE_H

#include "ir/tn/Tn.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/DenseSet.h"

namespace tenon::passes {

class FunctionAdjoints;

/// Whether a value can have a gradient: a float tensor, or a blocked one that
/// is computed (`tn.quantize`).
bool canHaveGradient(mlir::Value value);

class Reverse {
public:
  using Values = llvm::SmallVector<mlir::Value>;
  using Set = llvm::DenseSet<mlir::Value>;

  /// `wanted` are the values whose gradients are asked for: operands of the
  /// block's ops. Calls are differentiated by `functions`.
  Reverse(FunctionAdjoints &functions, const Set &wanted)
      : functions(functions), active(wanted) {}

  /// Marks what the ops compute from wanted values. Before `run`.
  void spread(llvm::ArrayRef<mlir::Operation *> ops);

  /// Builds the adjoints of the ops, which are in order, at the insertion
  /// point. Fails, with a diagnostic, at an op that has none.
  mlir::LogicalResult run(llvm::ArrayRef<mlir::Operation *> ops,
                          mlir::OpBuilder &builder);

  /// Adds to the gradient of a value, if it has one by rule.
  void add(mlir::Value value, mlir::Value gradient, mlir::OpBuilder &builder);
  /// The gradient found so far; null for zero.
  mlir::Value gradientOf(mlir::Value value) const {
    return gradients.lookup(value);
  }
  bool isActive(mlir::Value value) const { return active.contains(value); }

private:
  mlir::LogicalResult reverse(mlir::Operation *op, mlir::OpBuilder &builder);
  mlir::LogicalResult reverseIf(ir::IfOp op, mlir::OpBuilder &builder);
  /// One branch of the adjoint of a `tn.if`: runs the branch again, then back;
  /// yields the gradients of `captured`.
  mlir::LogicalResult reverseBranch(ir::IfOp op, mlir::Region &from,
                                    mlir::Region &to,
                                    llvm::ArrayRef<mlir::Value> captured);
  mlir::LogicalResult reverseWhile(ir::WhileOp op, mlir::OpBuilder &builder);
  /// The adjoint of one trip of a loop: from what it starts with and the
  /// gradients `after` it, those `before` it, of what it carries and captures.
  mlir::LogicalResult reverseTrip(ir::WhileOp op, mlir::OpBuilder &builder,
                                  mlir::ValueRange start,
                                  mlir::ValueRange after,
                                  llvm::ArrayRef<mlir::Value> captured,
                                  llvm::SmallVectorImpl<mlir::Value> &before);
  bool isDifferentiated(mlir::Operation *op) const;

  FunctionAdjoints &functions;
  Set active;
  llvm::DenseMap<mlir::Value, mlir::Value> gradients;
};

/// A plain tensor of zeros of the type of a gradient of `type`.
mlir::Value zerosOf(mlir::OpBuilder &builder, mlir::Location loc,
                    mlir::Type type);

} // namespace tenon::passes
#endif // TENON_PASSES_GRAD_REVERSE_H
