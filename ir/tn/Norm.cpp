//===- Norm.cpp - Norms and softmax: constraints, definitions, code -------===//

#include "ir/tn/RowReference.h"
#include "ir/tn/Verify.h"

using namespace mlir;
using namespace tenon::ir;

TN_ROW_OP(RmsNormOp, true)
TN_ROW_OP(LayerNormOp, true)
TN_ROW_OP(SoftmaxOp, true)
TN_ROW_OP(LogSoftmaxOp, true)

static LogicalResult expectRows(Operation *op, RankedTensorType x) {
  if (x.getRank() >= 1)
    return success();
  return op->emitOpError("expects x of rank >= 1, got ") << x;
}

/// Checks a vector over the last axis of x.
static LogicalResult expectColumns(Operation *op, StringRef name,
                                   RankedTensorType x, RankedTensorType w) {
  if (failed(expectRank(op, name, 1, w)))
    return failure();
  return expectSameExtent(op, name, w, 0, "x", x, x.getRank() - 1);
}

static LogicalResult expectPositive(Operation *op, const llvm::APFloat &eps) {
  if (eps.convertToDouble() > 0)
    return success();
  return op->emitOpError("expects eps > 0, got ") << eps.convertToDouble();
}

LogicalResult RmsNormOp::verify() {
  RankedTensorType x = tensorType(getX());
  if (failed(expectRows(*this, x)) ||                           // C1
      failed(expectColumns(*this, "w", x, tensorType(getW())))) // C2
    return failure();
  return expectPositive(*this, getEps()); // C3
}

LogicalResult LayerNormOp::verify() {
  RankedTensorType x = tensorType(getX());
  if (failed(expectRows(*this, x)) ||                             // C1
      failed(expectColumns(*this, "w", x, tensorType(getW()))) || // C2
      failed(expectColumns(*this, "b", x, tensorType(getB()))))
    return failure();
  return expectPositive(*this, getEps()); // C3
}

LogicalResult SoftmaxOp::verify() { // C1
  return expectRows(*this, tensorType(getX()));
}

LogicalResult LogSoftmaxOp::verify() { // C1
  return expectRows(*this, tensorType(getX()));
}
