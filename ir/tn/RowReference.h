//===- RowReference.h - What ops over rows share ----------------*- C++ -*-===//
//
// An op's statistics and element, which ElementMath.h defines, applied to
// tensors (`evaluateRows`) and to code (TN_ROW_OP).
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IR_TN_ROWREFERENCE_H
#define TENON_IR_TN_ROWREFERENCE_H

#include "ir/reference/Evaluate.h"
#include "ir/reference/Reduction.h"
#include "ir/reference/Rounding.h"
#include "ir/tn/ElementMath.h"
#include "ir/tn/Emit.h"

namespace tenon::ir {

/// Reduces term(0), .., term(columns - 1): a sum by the row rule.
template <typename A, typename Term>
typename A::F reduceRow(A &a, Reduction kind, int64_t columns, Term term) {
  if (kind == Reduction::Sum)
    return ref::sumRow(a, columns, term);
  typename A::F reduced = identityOf(a, kind);
  for (int64_t d = 0; d < columns; ++d)
    reduced = combine(a, kind, reduced, term(d));
  return completed(a, kind, reduced);
}

/// Operand 0 is [..., D], the others are [D].
template <typename A, typename Op>
llvm::Error evaluateRows(Op op, ref::Context &,
                         llvm::ArrayRef<ref::Value<A>> in,
                         llvm::SmallVectorImpl<ref::Value<A>> &out) {
  A a;
  const ref::Tensor<A> &x = ref::tensor<A>(in[0]);
  int64_t columns = x.columns();
  bool keeps = op.keepsColumns();
  llvm::ArrayRef<int64_t> shape = x.shape;
  auto y = ref::makeTensor<A>(x.element, keeps ? shape : shape.drop_back());
  int64_t rows = keeps ? x.rows() : y.size();
  for (int64_t row = 0; row < rows; ++row) {
    llvm::SmallVector<typename A::F> elements(in.size()), statistics;
    auto elementsAt = [&](int64_t d) -> Floats<A> {
      elements[0] = x.floats[row * columns + d];
      for (size_t i = 1; i < in.size(); ++i)
        elements[i] = ref::tensor<A>(in[i]).floats[d];
      return elements;
    };
    for (auto [i, kind] : llvm::enumerate(statisticsOf(op))) {
      typename A::F reduced = reduceRow(a, kind, columns, [&](int64_t d) {
        return termOf(a, op, i, elementsAt(d), Floats<A>(statistics));
      });
      statistics.push_back(finishOf(a, op, i, reduced, a.constant(columns)));
    }
    for (int64_t d = 0; d < (keeps ? columns : 1); ++d)
      y.floats[keeps ? row * columns + d : row] =
          ref::rounded<A>(elementOf(a, op, keeps ? elementsAt(d) : Floats<A>(),
                                    Floats<A>(statistics)),
                          y.element);
  }
  out.push_back(std::move(y));
  return llvm::Error::success();
}

/// Defines the methods of the interfaces ReferenceOp and RowOp.
#define TN_ROW_OP(Op, keeps)                                                   \
  TN_EVALUATE(Op, evaluateRows)                                                \
  int64_t Op::statisticCount() { return statisticsOf(*this).size(); }          \
  Reduction Op::statisticKind(int64_t i) { return statisticsOf(*this)[i]; }    \
  llvm::SmallVector<unsigned> Op::rowOperands() { return {0}; }                \
  bool Op::keepsColumns() { return keeps; }                                    \
  mlir::Value Op::emitTerm(mlir::OpBuilder &builder, int64_t i,                \
                           mlir::ValueRange e, mlir::ValueRange s) {           \
    Emit a(builder, getLoc(), e[0].getType());                                 \
    return termOf(a, *this, i, Floats<Emit>(llvm::to_vector(e)),               \
                  Floats<Emit>(llvm::to_vector(s)));                           \
  }                                                                            \
  mlir::Value Op::emitFinish(mlir::OpBuilder &builder, int64_t i,              \
                             mlir::Value reduced, mlir::Value columns) {       \
    Emit a(builder, getLoc(), reduced.getType());                              \
    return finishOf(a, *this, i, completed(a, statisticKind(i), reduced),      \
                    columns);                                                  \
  }                                                                            \
  mlir::Value Op::emitElement(mlir::OpBuilder &builder, mlir::ValueRange e,    \
                              mlir::ValueRange s) {                            \
    Emit a(builder, getLoc(), s[0].getType());                                 \
    return elementOf(a, *this, Floats<Emit>(llvm::to_vector(e)),               \
                     Floats<Emit>(llvm::to_vector(s)));                        \
  }

} // namespace tenon::ir
#endif // TENON_IR_TN_ROWREFERENCE_H
