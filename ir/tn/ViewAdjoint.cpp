//===- ViewAdjoint.cpp - Adjoints of views --------------------------------===//

#include "ir/tn/Adjoint.h"

using namespace mlir;
using namespace tenon::ir;

LogicalResult BroadcastOp::buildAdjoint(Adjoint &adjoint) {
  adjoint.give(0, adjoint.gradient().summedTo(tensorType(getX())));
  return success();
}

LogicalResult ReshapeOp::buildAdjoint(Adjoint &adjoint) {
  adjoint.give(0, adjoint.gradient().reshaped(tensorType(getX())));
  return success();
}

LogicalResult TransposeOp::buildAdjoint(Adjoint &adjoint) {
  ArrayRef<int64_t> permutation = getPermutation();
  SmallVector<int64_t> inverse(permutation.size());
  for (auto [axis, from] : llvm::enumerate(permutation))
    inverse[from] = axis;
  adjoint.give(0, adjoint.gradient().transposed(inverse));
  return success();
}

/// `type` with another static extent of one axis.
static RankedTensorType withExtent(RankedTensorType type, int64_t axis,
                                   int64_t extent) {
  SmallVector<int64_t> shape(type.getShape());
  SmallVector<StringRef> symbols;
  for (int64_t i = 0; i < type.getRank(); ++i)
    symbols.push_back(symbolOf(type, i));
  shape[axis] = extent;
  return tensorOf(shape, symbols, type.getElementType());
}

/// x with `before` zeros before it along an axis, and `after` after it.
static Formula padded(const Formula &x, int64_t axis, int64_t before,
                      int64_t after) {
  RankedTensorType type = x.type();
  SmallVector<Value> parts;
  auto addZeros = [&](int64_t count) {
    if (count)
      parts.push_back(x.zero().repeated(withExtent(type, axis, count)).value());
  };
  addZeros(before);
  parts.push_back(x.value());
  addZeros(after);
  if (parts.size() == 1)
    return x;
  int64_t extent = before + type.getDimSize(axis) + after;
  return x.make<ConcatOp>(withExtent(type, axis, extent), ValueRange(parts),
                          axis);
}

/// x with `step` - 1 zeros after each element of an axis.
static Formula spread(const Formula &x, int64_t axis, int64_t step) {
  RankedTensorType type = x.type();
  SmallVector<int64_t> shape;
  SmallVector<StringRef> symbols;
  for (int64_t i = 0; i < type.getRank(); ++i) {
    shape.push_back(type.getDimSize(i));
    symbols.push_back(symbolOf(type, i));
    if (i != axis)
      continue;
    shape.push_back(1);
    symbols.push_back({});
  }
  auto apart = tensorOf(shape, symbols, type.getElementType());
  return padded(x.reshaped(apart), axis + 1, 0, step - 1)
      .reshaped(withExtent(type, axis, type.getDimSize(axis) * step));
}

LogicalResult SliceOp::buildAdjoint(Adjoint &adjoint) {
  Formula g = adjoint.gradient();
  int64_t axis = getAxis(), step = getStep(), before = getOffset();
  int64_t extent = tensorType(getX()).getDimSize(axis);
  if (step > 1) {
    g = spread(g, axis, step);
    int64_t most = std::min(g.type().getDimSize(axis), extent - before);
    auto cut = withExtent(g.type(), axis, most);
    g = g.make<SliceOp>(cut, g.value(), axis, int64_t(0), most, int64_t(1));
  }
  int64_t after = extent - before - g.type().getDimSize(axis);
  adjoint.give(0, padded(g, axis, before, after));
  return success();
}

LogicalResult ConcatOp::buildAdjoint(Adjoint &adjoint) {
  Formula g = adjoint.gradient();
  int64_t offset = 0, axis = getAxis();
  for (auto [i, x] : llvm::enumerate(getXs())) {
    int64_t extent = tensorType(x).getDimSize(axis);
    if (adjoint.wants(i))
      adjoint.give(i, g.make<SliceOp>(withExtent(g.type(), axis, extent),
                                      g.value(), axis, offset, extent,
                                      int64_t(1)));
    offset += extent;
  }
  return success();
}
