//===- Adjoint.h - What an op builds its adjoint with -----------*- C++ -*-===//
//
//   LogicalResult TanhOp::buildAdjoint(Adjoint &adjoint) {
//     Formula y = adjoint.of(getY());
//     adjoint.give(0, adjoint.gradient() * (1.0 - y * y));
//     return success();
//   }
//
// Gradients are computed in f32 and rounded to the type of what they are of.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IR_TN_ADJOINT_H
#define TENON_IR_TN_ADJOINT_H

#include "ir/tn/Verify.h"

namespace tenon::ir {

/// A tensor that ops compute: operators build more of them.
class Formula {
public:
  Formula(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value)
      : builder(&builder), loc(loc), held(value) {}

  mlir::Value value() const { return held; }
  mlir::RankedTensorType type() const { return tensorType(held); }

  /// This number, everywhere in this shape and element type.
  Formula constant(double number) const;
  /// A zero of rank 0, of this element type.
  Formula zero() const;
  /// A pointwise op of this tensor, such as `x.apply<ExpOp>()`.
  template <typename Op> Formula apply() const {
    return make<Op>(type(), held);
  }
  /// The first result of an op with a result of `type`, or of several types.
  template <typename Op, typename Types, typename... Arguments>
  Formula make(Types type, Arguments &&...arguments) const {
    return {
        *builder, loc,
        Op::create(*builder, loc, type, std::forward<Arguments>(arguments)...)
            ->getResult(0)};
  }

  Formula cast(mlir::Type element) const;
  Formula reshaped(mlir::RankedTensorType type) const;
  Formula transposed(llvm::ArrayRef<int64_t> permutation) const;
  /// Repeats along new or unit axes, to the shape of `type`.
  Formula repeated(mlir::RankedTensorType type) const;
  /// Repeats along a new last axis, to the shape of `type`.
  Formula repeatedAlongRow(mlir::RankedTensorType type) const;
  /// Reduces the last axis.
  Formula reduced(Reduction kind) const;
  /// The sum or mean of each row, in every element of it.
  Formula rowSum() const;
  Formula rowMean() const;
  /// Sums what repeating from `type` to this shape repeated.
  Formula summedTo(mlir::RankedTensorType type) const;

  /// This where the comparison with `other` holds, i1.
  Formula compared(Predicate predicate, const Formula &other) const;
  /// Of an i1.
  Formula select(const Formula &then, const Formula &otherwise) const;

private:
  mlir::OpBuilder *builder;
  mlir::Location loc;
  mlir::Value held;
};

Formula operator+(const Formula &a, const Formula &b);
Formula operator-(const Formula &a, const Formula &b);
Formula operator*(const Formula &a, const Formula &b);
Formula operator/(const Formula &a, const Formula &b);
Formula operator-(const Formula &a);
Formula operator+(const Formula &a, double b);
Formula operator+(double a, const Formula &b);
Formula operator-(double a, const Formula &b);
Formula operator*(double a, const Formula &b);
Formula operator/(double a, const Formula &b);

/// The type of the gradient of a float or blocked tensor: plain.
mlir::RankedTensorType gradientType(mlir::RankedTensorType type);

/// Puts gradients [..., K] where `index` [..., K] says in zeros like `x`.
/// Fails, with a diagnostic at `op`, if K is dynamic or more than 64.
mlir::FailureOr<Formula> putAlong(mlir::Operation *op, mlir::RankedTensorType x,
                                  const Formula &g, const Formula &index);

/// One op's adjoint while it is built.
class Adjoint {
public:
  /// `gradients` are those of the results, null where they have none; one of
  /// them has one. `wanted` has an entry for each operand.
  Adjoint(mlir::OpBuilder &builder, mlir::Operation *op,
          llvm::ArrayRef<mlir::Value> gradients, llvm::ArrayRef<bool> wanted)
      : builder(builder), op(op), gradients(gradients), wanted(wanted),
        operands(op->getNumOperands()) {}

  bool wants(unsigned operand) const { return wanted[operand]; }

  /// An operand or a result; floats as f32.
  Formula of(mlir::Value value) const;
  /// As it is.
  Formula exactly(mlir::Value value) const {
    return {builder, op->getLoc(), value};
  }
  bool hasGradient(unsigned result) const {
    return gradients[result] != nullptr;
  }
  /// The gradient of a result, in f32; of one that has none, zeros.
  Formula gradient(unsigned result = 0) const;

  /// Gives an operand's gradient, of its shape; not kept if it is not wanted.
  void give(unsigned operand, const Formula &gradient);
  /// What was given, by operand; null where nothing was.
  llvm::ArrayRef<mlir::Value> given() const { return operands; }

private:
  mlir::OpBuilder &builder;
  mlir::Operation *op;
  llvm::ArrayRef<mlir::Value> gradients;
  llvm::ArrayRef<bool> wanted;
  llvm::SmallVector<mlir::Value> operands;
};

} // namespace tenon::ir
#endif // TENON_IR_TN_ADJOINT_H
