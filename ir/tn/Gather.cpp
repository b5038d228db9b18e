//===- Gather.cpp - Rows by number ----------------------------------------===//

#include "ir/reference/Evaluate.h"
#include "ir/tn/Verify.h"

#include "tenon/abi.h"

using namespace mlir;
using namespace tenon::ir;
using namespace tenon::ir::ref;

LogicalResult GatherOp::verify() {
  RankedTensorType table = tensorType(getTable());
  RankedTensorType index = tensorType(getIndex()), y = tensorType(getY());
  if (table.getRank() < 1) // C1
    return emitOpError("expects table of rank >= 1, got ") << table;
  SmallVector<int64_t> shape(index.getShape());
  SmallVector<StringRef> symbols;
  for (int64_t axis = 0; axis < index.getRank(); ++axis)
    symbols.push_back(symbolOf(index, axis));
  for (int64_t axis = 1; axis < table.getRank(); ++axis) {
    shape.push_back(table.getDimSize(axis));
    symbols.push_back(symbolOf(table, axis));
  }
  Type element = y.getElementType();
  if (failed(expectType(*this, "y", tensorOf(shape, symbols, element), y)))
    return failure(); // C2
  bool isBlocked = isa<BlockType>(table.getElementType());
  if (isBlocked ? !isa<FloatType>(element)
                : element != table.getElementType()) // C3
    return emitOpError("expects y of ")
           << (isBlocked ? "a float type" : "the table's element type")
           << ", got " << y << " of " << table;
  if (!isBlocked)
    return success();
  if (failed(expectRank(*this, "a blocked table", 2, table))) // C4
    return failure();
  return expectWholeBlocks(*this, "table", table);
}

LogicalResult TakeAlongOp::verify() {
  RankedTensorType x = tensorType(getX()), index = tensorType(getIndex());
  if (x.getRank() < 1 || x.getRank() != index.getRank()) // C1
    return emitOpError("expects x and index of one rank >= 1, got ")
           << x << " and " << index;
  for (int64_t axis = 0; axis + 1 < x.getRank(); ++axis)
    if (failed(expectSameExtent(*this, "x", x, axis, "index", index, axis)))
      return failure();
  return expectType(*this, "y", withElement(index, x.getElementType()),
                    getY().getType()); // C2
}

LogicalResult ScatterOp::verify() {
  RankedTensorType base = tensorType(getBase()), rows = tensorType(getRows());
  RankedTensorType index = tensorType(getIndex());
  if (failed(expectRank(*this, "base", 2, base)) || // C1
      failed(expectRank(*this, "index", 1, index)) ||
      failed(expectRank(*this, "rows", 2, rows)) || // C2
      failed(expectSameExtent(*this, "rows", rows, 0, "index", index, 0)) ||
      failed(expectSameExtent(*this, "rows", rows, 1, "base", base, 1)))
    return failure();
  if (rows.getElementType() != base.getElementType())
    return emitOpError("expects rows of base's element type, got ")
           << rows << " and " << base;
  return expectType(*this, "y", base, getY().getType()); // C3
}

namespace {

template <typename A>
llvm::Error evaluateGather(GatherOp op, Context &context,
                           ArrayRef<ref::Value<A>> in,
                           SmallVectorImpl<ref::Value<A>> &out) {
  const Tensor<A> &table = tensor<A>(in[0]), &index = tensor<A>(in[1]);
  auto y = makeResult<A>(op.getType(), context);
  if (!y)
    return y.takeError();
  int64_t width = table.shape[0] ? table.size() / table.shape[0] : 0;
  for (int64_t i = 0; i < index.size(); ++i) {
    int64_t row = index.ints[i];
    if (row < 0 || row >= table.shape[0]) {
      context.fail(TENON_FAILURE_INDEX, "tn.gather", i, row);
      row = 0;
    }
    for (int64_t d = 0; d < width; ++d) {
      copyElement(*y, i * width + d, table, row * width + d);
      if (holdsFloats(y->element)) // A blocked table's values round here.
        y->floats[i * width + d] =
            rounded<A>(y->floats[i * width + d], y->element);
    }
  }
  out.push_back(std::move(*y));
  return llvm::Error::success();
}

template <typename A>
llvm::Error evaluateTakeAlong(TakeAlongOp, Context &context,
                              ArrayRef<ref::Value<A>> in,
                              SmallVectorImpl<ref::Value<A>> &out) {
  const Tensor<A> &x = tensor<A>(in[0]), &index = tensor<A>(in[1]);
  Tensor<A> y = makeTensor<A>(x.element, index.shape);
  for (int64_t i = 0; i < y.size(); ++i) {
    int64_t row = i / index.columns(), column = index.ints[i];
    if (column < 0 || column >= x.columns()) {
      context.fail(TENON_FAILURE_INDEX, "tn.take_along", row, column);
      column = 0;
    }
    copyElement(y, i, x, row * x.columns() + column);
  }
  out.push_back(std::move(y));
  return llvm::Error::success();
}

template <typename A>
void addElement(Tensor<A> &y, int64_t to, const Tensor<A> &x, int64_t from) {
  if (holdsFloats(y.element)) {
    y.floats[to] = rounded<A>(y.floats[to] + x.floats[from], y.element);
    return;
  }
  uint64_t sum = uint64_t(y.ints[to]) + uint64_t(x.ints[from]);
  y.ints[to] = y.element.isInteger(32) ? int64_t(int32_t(sum)) : int64_t(sum);
}

template <typename A>
llvm::Error evaluateScatter(ScatterOp op, Context &context,
                            ArrayRef<ref::Value<A>> in,
                            SmallVectorImpl<ref::Value<A>> &out) {
  const Tensor<A> &index = tensor<A>(in[1]), &rows = tensor<A>(in[2]);
  Tensor<A> y = tensor<A>(in[0]);
  int64_t width = y.shape[1];
  for (int64_t i = 0; i < index.size(); ++i) {
    int64_t row = index.ints[i];
    if (row < 0 || row >= y.shape[0]) {
      context.fail(TENON_FAILURE_INDEX, "tn.scatter", i, row);
      continue;
    }
    for (int64_t d = 0; d < width; ++d)
      if (op.getAdd())
        addElement(y, row * width + d, rows, i * width + d);
      else
        copyElement(y, row * width + d, rows, i * width + d);
  }
  out.push_back(std::move(y));
  return llvm::Error::success();
}

} // namespace

TN_EVALUATE(GatherOp, evaluateGather)
TN_EVALUATE(TakeAlongOp, evaluateTakeAlong)
TN_EVALUATE(ScatterOp, evaluateScatter)
