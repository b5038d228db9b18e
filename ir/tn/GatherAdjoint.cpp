//===- GatherAdjoint.cpp - Adjoints of what chooses by number -------------===//

#include "ir/tn/Adjoint.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::ir;

/// One column of a tensor with a static last axis.
static Formula columnOf(const Formula &x, int64_t column) {
  auto leading = llvm::to_vector(llvm::seq<int64_t>(0, x.type().getRank() - 1));
  RankedTensorType rows = takeAxes(x.type(), leading);
  SmallVector<int64_t> shape(rows.getShape());
  SmallVector<StringRef> symbols;
  for (int64_t axis : leading)
    symbols.push_back(symbolOf(x.type(), axis));
  shape.push_back(1);
  symbols.push_back({});
  auto one = tensorOf(shape, symbols, x.type().getElementType());
  return x.make<SliceOp>(one, x.value(), int64_t(leading.size()), column,
                         int64_t(1), int64_t(1));
}

/// `type` [N, ...] as [N, K], K the product of the other axes, which are
/// static.
static RankedTensorType inRows(RankedTensorType type, int64_t columns) {
  return tensorOf({type.getDimSize(0), columns}, {symbolOf(type, 0), {}},
                  type.getElementType());
}

/// How many elements an index has for each of its first axis.
static FailureOr<int64_t> numbersOfRow(GatherOp op) {
  constexpr int64_t kMost = 64;
  RankedTensorType index = tensorType(op.getIndex());
  int64_t count = 1;
  for (int64_t extent : index.getShape().drop_front())
    count = ShapedType::isDynamic(extent) ? kMost + 1 : count * extent;
  if (count <= kMost)
    return count;
  return op.emitOpError("has a gradient only for up to ")
         << kMost << " numbers in a row of the index, got " << index;
}

// Rows are added to a table of zeros, those of one column of the index after
// those of another. An index without axes, or of static shape, is one column.
LogicalResult GatherOp::buildAdjoint(Adjoint &adjoint) {
  RankedTensorType table = gradientType(tensorType(getTable()));
  Formula g = adjoint.gradient(), index = adjoint.exactly(getIndex());
  ArrayRef<int64_t> row = table.getShape().drop_front();
  if (llvm::any_of(row, ShapedType::isDynamic))
    return emitOpError("has a gradient only for rows of static shape, got ")
           << table;
  int64_t width = llvm::product_of(row);
  if (index.type().hasStaticShape())
    index = index.reshaped(RankedTensorType::get(
        {index.type().getNumElements()}, index.type().getElementType()));
  int64_t count = 1;
  if (index.type().getRank() > 1) {
    FailureOr<int64_t> found = numbersOfRow(*this);
    if (failed(found))
      return failure();
    count = *found;
  }
  index = index.reshaped(inRows(index.type(), count));
  Type element = g.type().getElementType();
  g = g.reshaped(withElement(inRows(index.type(), count * width), element));
  RankedTensorType rows = withElement(inRows(index.type(), width), element);
  RankedTensorType sums = withElement(inRows(table, width), element);
  Formula sum = g.zero().repeated(sums);
  for (int64_t k = 0; k < count; ++k) {
    Value numbers =
        columnOf(index, k).reshaped(takeAxes(index.type(), 0)).value();
    Formula part = g.make<SliceOp>(rows, g.value(), int64_t(1), k * width,
                                   width, int64_t(1));
    sum = sum.make<ScatterOp>(sums, sum.value(), numbers, part.value(),
                              /*add=*/true);
  }
  adjoint.give(0, sum.reshaped(table));
  return success();
}

FailureOr<Formula> ir::putAlong(Operation *op, RankedTensorType x,
                                const Formula &g, const Formula &index) {
  constexpr int64_t kMost = 64;
  int64_t count = g.type().getShape().back();
  if (ShapedType::isDynamic(count) || count > kMost)
    return op->emitOpError("has a gradient only for up to ")
           << kMost << " elements of a row, got " << g.type();
  RankedTensorType columns = withElement(x, index.type().getElementType());
  Formula column = index.make<IotaOp>(columns, x.getRank() - 1);
  RankedTensorType wide = withElement(x, g.type().getElementType());
  Formula zeros = g.zero().repeated(wide), sum = zeros;
  for (int64_t k = 0; k < count; ++k) {
    Formula chosen = columnOf(index, k).repeated(columns);
    Formula put = column.compared(Predicate::EQ, chosen)
                      .select(columnOf(g, k).repeated(wide), zeros);
    sum = k == 0 ? put : sum + put;
  }
  return sum;
}

LogicalResult TakeAlongOp::buildAdjoint(Adjoint &adjoint) {
  FailureOr<Formula> put =
      putAlong(*this, tensorType(getX()), adjoint.gradient(),
               adjoint.exactly(getIndex()));
  if (failed(put))
    return failure();
  adjoint.give(0, *put);
  return success();
}

// The indices are constants.
LogicalResult TopKOp::buildAdjoint(Adjoint &adjoint) {
  FailureOr<Formula> put =
      putAlong(*this, tensorType(getX()), adjoint.gradient(),
               adjoint.exactly(getIndices()));
  if (failed(put))
    return failure();
  adjoint.give(0, *put);
  return success();
}

/// For each row of a scatter without `add`, whether it is the one that stays:
/// i1 [I, D], of the shape of the rows.
static Formula staysOf(ScatterOp op, Adjoint &adjoint) {
  Formula index = adjoint.exactly(op.getIndex());
  RankedTensorType rows = tensorType(op.getRows()),
                   base = tensorType(op.getBase());
  Type i32 = index.type().getElementType();
  auto column = [&](RankedTensorType of) {
    return tensorOf({of.getDimSize(0), 1}, {symbolOf(of, 0), {}}, i32);
  };
  Formula number = index.make<IotaOp>(column(rows), int64_t(0));
  Formula none = index.zero().repeated(column(base));
  Formula last = none.make<ScatterOp>(column(base), none.value(), index.value(),
                                      number.value(), /*add=*/false);
  Formula winner =
      last.make<GatherOp>(column(rows), last.value(), index.value());
  Formula stays = winner.compared(Predicate::EQ, number);
  return stays.repeated(rows);
}

LogicalResult ScatterOp::buildAdjoint(Adjoint &adjoint) {
  Formula g = adjoint.gradient();
  RankedTensorType rows =
      withElement(tensorType(getRows()), g.type().getElementType());
  if (getAdd()) {
    adjoint.give(0, g);
    if (adjoint.wants(2))
      adjoint.give(2, g.make<GatherOp>(rows, g.value(), getIndex()));
    return success();
  }
  if (adjoint.wants(0)) {
    Formula zeros = g.zero().repeated(rows);
    adjoint.give(0, g.make<ScatterOp>(g.type(), g.value(), getIndex(),
                                      zeros.value(), /*add=*/false));
  }
  if (adjoint.wants(2)) {
    Formula gathered = g.make<GatherOp>(rows, g.value(), getIndex());
    Formula zeros = g.zero().repeated(rows);
    adjoint.give(2, staysOf(*this, adjoint).select(gathered, zeros));
  }
  return success();
}
