//===- View.cpp - Elements of other indices: types and addressing ---------===//
//
// The definitions (`evaluate`) are in ViewReference.cpp.
//
//===----------------------------------------------------------------------===//

#include "ir/tn/Verify.h"

#include <numeric>

using namespace mlir;
using namespace tenon::ir;

namespace {

LogicalResult expectSameElement(Operation *op, RankedTensorType x,
                                RankedTensorType y) {
  if (x.getElementType() == y.getElementType())
    return success();
  return op->emitOpError("expects equal element types, got ")
         << x << " and " << y;
}

SmallVector<int64_t> allAxes(RankedTensorType type) {
  return llvm::to_vector(llvm::seq<int64_t>(0, type.getRank()));
}

/// `type` with another extent for one axis, which becomes static.
RankedTensorType withExtent(RankedTensorType type, int64_t axis,
                            int64_t extent) {
  SmallVector<int64_t> shape(type.getShape());
  SmallVector<StringRef> symbols;
  for (int64_t a : allAxes(type))
    symbols.push_back(symbolOf(type, a));
  shape[axis] = extent;
  return tensorOf(shape, symbols, type.getElementType());
}

mlir::Value constantIndex(OpBuilder &builder, Location loc, int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}

} // namespace

//===----------------------------------------------------------------------===//
// Broadcast
//===----------------------------------------------------------------------===//

LogicalResult BroadcastOp::verify() {
  RankedTensorType x = tensorType(getX()), y = tensorType(getY());
  if (failed(expectSameElement(*this, x, y))) // C1
    return failure();
  int64_t added = y.getRank() - x.getRank();
  if (added < 0) // C2
    return emitOpError("expects y of rank >= ") << x.getRank() << ", got " << y;
  for (int64_t axis = 0; axis < x.getRank(); ++axis)
    if (x.getDimSize(axis) != 1 && !sameExtent(x, axis, y, added + axis))
      return emitOpError("expects axis ")
             << axis << " of x to be 1 or axis " << added + axis
             << " of y, got " << x << " and " << y;
  return success();
}

SmallVector<mlir::Value>
BroadcastOp::emitSourceIndex(OpBuilder &builder, ValueRange index, ValueRange) {
  RankedTensorType x = tensorType(getX()), y = tensorType(getY());
  int64_t added = y.getRank() - x.getRank();
  SmallVector<mlir::Value> source;
  for (int64_t axis = 0; axis < x.getRank(); ++axis)
    source.push_back(x.getDimSize(axis) == 1
                         ? constantIndex(builder, getLoc(), 0)
                         : index[added + axis]);
  return source;
}

int64_t BroadcastOp::contiguousElements() { return 0; }

//===----------------------------------------------------------------------===//
// Reshape
//===----------------------------------------------------------------------===//

static SmallVector<StringRef> symbolsInOrder(RankedTensorType type) {
  SmallVector<StringRef> symbols;
  for (int64_t axis : allAxes(type))
    if (type.isDynamicDim(axis))
      symbols.push_back(symbolOf(type, axis));
  return symbols;
}

static int64_t staticProduct(RankedTensorType type) {
  int64_t product = 1;
  for (int64_t extent : type.getShape())
    product *= ShapedType::isDynamic(extent) ? 1 : extent;
  return product;
}

LogicalResult ReshapeOp::verify() {
  RankedTensorType x = tensorType(getX()), y = tensorType(getY());
  if (failed(expectSameElement(*this, x, y))) // C1
    return failure();
  SmallVector<StringRef> symbols = symbolsInOrder(x);
  if (staticProduct(x) == staticProduct(y) && symbols == symbolsInOrder(y) &&
      !llvm::is_contained(symbols, "")) // C2
    return success();
  return emitOpError("expects as many elements in y as in x, got ")
         << x << " and " << y;
}

OpFoldResult ReshapeOp::fold(FoldAdaptor adaptor) {
  if (getX().getType() == getY().getType())
    return getX();
  if (auto inner = getX().getDefiningOp<ReshapeOp>()) {
    getXMutable().assign(inner.getX());
    return getResult();
  }
  auto dense = dyn_cast_or_null<DenseElementsAttr>(adaptor.getX());
  return dense ? dense.reshape(tensorType(getY())) : OpFoldResult();
}

namespace {

/// The axes of x and y but for a common beginning and end, which stay as they
/// are: [T, 4, 160] -> [T, 640] is about the axes (4, 160) and (640).
struct ReshapedAxes {
  int64_t front = 0; // how many axes are common at the beginning
  int64_t back = 0;  // and at the end
};

ReshapedAxes reshapedAxes(RankedTensorType x, RankedTensorType y) {
  ReshapedAxes axes;
  int64_t least = std::min(x.getRank(), y.getRank());
  while (axes.front < least && sameExtent(x, axes.front, y, axes.front))
    ++axes.front;
  while (axes.back < least - axes.front &&
         sameExtent(x, x.getRank() - 1 - axes.back, y,
                    y.getRank() - 1 - axes.back))
    ++axes.back;
  return axes;
}

/// The extent of each axis of x as an index value: constants, or the extents of
/// y whose symbols are in the same order.
SmallVector<mlir::Value> sourceExtents(OpBuilder &builder, Location loc,
                                       RankedTensorType x, RankedTensorType y,
                                       ValueRange extents) {
  SmallVector<mlir::Value> dynamic, result;
  for (int64_t axis : allAxes(y))
    if (y.isDynamicDim(axis))
      dynamic.push_back(extents[axis]);
  auto next = dynamic.begin();
  for (int64_t extent : x.getShape())
    result.push_back(ShapedType::isDynamic(extent)
                         ? *next++
                         : constantIndex(builder, loc, extent));
  return result;
}

/// The number, in row-major order, of an index over y's axes [from, to).
mlir::Value emitLinear(OpBuilder &builder, Location loc, RankedTensorType y,
                       ValueRange index, ValueRange extents, int64_t from,
                       int64_t to) {
  mlir::Value linear;
  for (int64_t axis = from; axis < to; ++axis) {
    if (y.getDimSize(axis) == 1)
      continue;
    if (linear) {
      linear = arith::MulIOp::create(builder, loc, linear, extents[axis]);
      linear = arith::AddIOp::create(builder, loc, linear, index[axis]);
    } else {
      linear = index[axis];
    }
  }
  return linear ? linear : constantIndex(builder, loc, 0);
}

} // namespace

SmallVector<mlir::Value> ReshapeOp::emitSourceIndex(OpBuilder &builder,
                                                    ValueRange index,
                                                    ValueRange extents) {
  RankedTensorType x = tensorType(getX()), y = tensorType(getY());
  auto [front, back] = reshapedAxes(x, y);
  SmallVector<mlir::Value> inner =
      sourceExtents(builder, getLoc(), x, y, extents);
  mlir::Value rest = emitLinear(builder, getLoc(), y, index, extents, front,
                                y.getRank() - back);
  SmallVector<mlir::Value> source(x.getRank());
  for (int64_t axis = 0; axis < front; ++axis)
    source[axis] = index[axis];
  for (int64_t axis = 1; axis <= back; ++axis)
    source[x.getRank() - axis] = index[y.getRank() - axis];
  SmallVector<int64_t> split; // the axes of x that the rest is spread over
  for (int64_t axis = front; axis < x.getRank() - back; ++axis)
    if (x.getDimSize(axis) == 1)
      source[axis] = constantIndex(builder, getLoc(), 0);
    else
      split.push_back(axis);
  for (; split.size() > 1; split.pop_back()) {
    int64_t axis = split.back();
    source[axis] = arith::RemUIOp::create(builder, getLoc(), rest, inner[axis]);
    rest = arith::DivUIOp::create(builder, getLoc(), rest, inner[axis]);
  }
  if (!split.empty())
    source[split.front()] = rest;
  return source;
}

int64_t ReshapeOp::contiguousElements() {
  RankedTensorType x = tensorType(getX()), y = tensorType(getY());
  if (x.getRank() == 0 || y.getRank() == 0)
    return 0; // one element
  int64_t lastX = x.getRank() - 1, lastY = y.getRank() - 1;
  if (sameExtent(x, lastX, y, lastY))
    return 0;
  if (x.isDynamicDim(lastX) || y.isDynamicDim(lastY))
    return 1;
  int64_t run = std::gcd(x.getDimSize(lastX), y.getDimSize(lastY));
  return run == y.getDimSize(lastY) ? 0 : run;
}

//===----------------------------------------------------------------------===//
// Transpose
//===----------------------------------------------------------------------===//

LogicalResult TransposeOp::verify() {
  RankedTensorType x = tensorType(getX());
  SmallVector<int64_t> sorted(getPermutation());
  llvm::sort(sorted);
  if (sorted != allAxes(x)) // C1
    return emitOpError("expects a permutation of the axes of ")
           << x << ", got [" << getPermutation() << "]";
  return expectType(*this, "y", takeAxes(x, getPermutation()),
                    getY().getType()); // C2
}

SmallVector<mlir::Value>
TransposeOp::emitSourceIndex(OpBuilder &, ValueRange index, ValueRange) {
  SmallVector<mlir::Value> source(index.size());
  for (auto [axis, from] : llvm::enumerate(getPermutation()))
    source[from] = index[axis];
  return source;
}

int64_t TransposeOp::contiguousElements() {
  ArrayRef<int64_t> permutation = getPermutation();
  bool keepsLast = permutation.empty() ||
                   permutation.back() == int64_t(permutation.size()) - 1;
  return keepsLast ? 0 : 1;
}

//===----------------------------------------------------------------------===//
// Slice
//===----------------------------------------------------------------------===//

LogicalResult SliceOp::verify() {
  RankedTensorType x = tensorType(getX());
  int64_t axis = getAxis(), offset = getOffset(), size = getSize();
  int64_t step = getStep();
  if (axis < 0 || axis >= x.getRank()) // C1
    return emitOpError("expects an axis below ")
           << x.getRank() << ", the rank of x, got " << axis;
  int64_t extent = x.getDimSize(axis);
  if (ShapedType::isDynamic(extent) || offset < 0 || size < 1 || step < 1 ||
      offset >= extent || (size - 1) > (extent - 1 - offset) / step) // C2
    return emitOpError("expects offset >= 0, size >= 1, step >= 1 within axis ")
           << axis << " of " << x << ", got offset " << offset << ", size "
           << size << ", step " << step;
  return expectType(*this, "y", withExtent(x, axis, size),
                    getY().getType()); // C3
}

SmallVector<mlir::Value>
SliceOp::emitSourceIndex(OpBuilder &builder, ValueRange index, ValueRange) {
  SmallVector<mlir::Value> source(index);
  mlir::Value &along = source[getAxis()];
  if (getStep() != 1)
    along = arith::MulIOp::create(builder, getLoc(), along,
                                  constantIndex(builder, getLoc(), getStep()));
  if (getOffset() != 0)
    along =
        arith::AddIOp::create(builder, getLoc(), along,
                              constantIndex(builder, getLoc(), getOffset()));
  return source;
}

int64_t SliceOp::contiguousElements() {
  bool isLast = int64_t(getAxis()) == tensorType(getX()).getRank() - 1;
  return isLast && getStep() != 1 ? 1 : 0;
}

//===----------------------------------------------------------------------===//
// Concat and iota
//===----------------------------------------------------------------------===//

LogicalResult ConcatOp::verify() {
  if (getXs().empty()) // C1
    return emitOpError("expects at least one operand, got none");
  RankedTensorType first = tensorType(getXs().front());
  int64_t axis = getAxis(), sum = 0;
  if (axis < 0 || axis >= first.getRank())
    return emitOpError("expects an axis below ")
           << first.getRank() << ", the rank of the operands, got " << axis;
  for (mlir::Value value : getXs()) { // C2
    RankedTensorType x = tensorType(value);
    if (x.getRank() != first.getRank() || x.isDynamicDim(axis) ||
        withExtent(x, axis, 1) != withExtent(first, axis, 1))
      return emitOpError("expects operands that agree but for the static axis ")
             << axis << ", got " << first << " and " << x;
    sum += x.getDimSize(axis);
  }
  return expectType(*this, "y", withExtent(first, axis, sum),
                    getY().getType()); // C3
}

LogicalResult IotaOp::verify() {
  RankedTensorType y = tensorType(getY());
  if (int64_t(getAxis()) < 0 || int64_t(getAxis()) >= y.getRank()) // C1
    return emitOpError("expects an axis below ")
           << y.getRank() << ", the rank of y, got " << getAxis();
  if (!y.getElementType().isInteger(32) && !y.getElementType().isInteger(64))
    return emitOpError("expects y of i32 or i64, got ") << y; // C2
  return success();
}
