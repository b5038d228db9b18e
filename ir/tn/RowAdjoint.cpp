//===- RowAdjoint.cpp - Adjoints of norms, softmax and reductions ---------===//

#include "ir/tn/Adjoint.h"

using namespace mlir;
using namespace tenon::ir;

//===----------------------------------------------------------------------===//
// Norms
//===----------------------------------------------------------------------===//

/// 1 / sqrt(mean(x^2) + eps), in every element of a row.
static Formula inverseRoot(const Formula &x, const llvm::APFloat &eps) {
  Formula mean = (x * x).rowMean() + eps.convertToDouble();
  return 1.0 / mean.apply<SqrtOp>();
}

// With n = x r and t = g w: dx = r (t - n mean(t n)).
LogicalResult RmsNormOp::buildAdjoint(Adjoint &adjoint) {
  Formula x = adjoint.of(getX()), w = adjoint.of(getW());
  Formula g = adjoint.gradient();
  Formula inverse = inverseRoot(x, getEps());
  Formula normed = x * inverse;
  if (adjoint.wants(0)) {
    Formula t = g * w.repeated(x.type());
    adjoint.give(0, inverse * (t - normed * (t * normed).rowMean()));
  }
  if (adjoint.wants(1))
    adjoint.give(1, (g * normed).summedTo(w.type()));
  return success();
}

// With n = (x - m) r and t = g w: dx = r (t - mean(t) - n mean(t n)).
LogicalResult LayerNormOp::buildAdjoint(Adjoint &adjoint) {
  Formula x = adjoint.of(getX()), w = adjoint.of(getW());
  Formula g = adjoint.gradient();
  Formula centred = x - x.rowMean();
  Formula inverse = inverseRoot(centred, getEps());
  Formula normed = centred * inverse;
  if (adjoint.wants(0)) {
    Formula t = g * w.repeated(x.type());
    Formula rest = t - t.rowMean() - normed * (t * normed).rowMean();
    adjoint.give(0, inverse * rest);
  }
  if (adjoint.wants(1))
    adjoint.give(1, (g * normed).summedTo(w.type()));
  if (adjoint.wants(2))
    adjoint.give(2, g.summedTo(w.type()));
  return success();
}

//===----------------------------------------------------------------------===//
// Softmax
//===----------------------------------------------------------------------===//

LogicalResult SoftmaxOp::buildAdjoint(Adjoint &adjoint) {
  Formula y = adjoint.of(getY()), g = adjoint.gradient();
  adjoint.give(0, y * (g - (g * y).rowSum()));
  return success();
}

LogicalResult LogSoftmaxOp::buildAdjoint(Adjoint &adjoint) {
  Formula y = adjoint.of(getY()), g = adjoint.gradient();
  adjoint.give(0, g - y.apply<ExpOp>() * g.rowSum());
  return success();
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

// A maximum's gradient is shared by the elements that are equal to it.
LogicalResult ReduceOp::buildAdjoint(Adjoint &adjoint) {
  Formula x = adjoint.of(getX());
  Formula g = adjoint.gradient().repeatedAlongRow(x.type());
  if (getKind() == Reduction::Sum) {
    adjoint.give(0, g);
    return success();
  }
  Formula y = adjoint.of(getY()).repeatedAlongRow(x.type());
  Formula one = x.constant(1), zero = x.constant(0);
  Formula isTaken = x.compared(Predicate::EQ, y);
  Formula sharers = isTaken.select(one, zero).rowSum();
  adjoint.give(0, isTaken.select(g / sharers, zero));
  return success();
}

LogicalResult SumRowsOp::buildAdjoint(Adjoint &adjoint) {
  Formula x = adjoint.of(getX());
  adjoint.give(0, adjoint.gradient().repeated(x.type()));
  return success();
}
