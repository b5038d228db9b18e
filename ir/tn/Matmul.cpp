//===- Matmul.cpp - Products ----------------------------------------------===//

#include "ir/reference/Evaluate.h"
#include "ir/reference/Reduction.h"
#include "ir/tn/Verify.h"

using namespace mlir;
using namespace tenon::ir;
using namespace tenon::ir::ref;

LogicalResult MatmulOp::verify() {
  RankedTensorType a = tensorType(getA()), b = tensorType(getB());
  int64_t rank = a.getRank(), last = rank - 1, lastB = b.getRank() - 1;
  if (rank < 2 || (b.getRank() != 2 && b.getRank() != rank)) // C1
    return emitOpError("expects a of rank >= 2 and b of rank 2 or that of a, "
                       "got ")
           << a << " and " << b;
  int64_t mAxis = getTransposeA() ? last : last - 1;
  int64_t kAxis = getTransposeA() ? last - 1 : last;
  int64_t nAxisB = getTransposeB() ? lastB - 1 : lastB;
  int64_t kAxisB = getTransposeB() ? lastB : lastB - 1;
  if (failed(expectSameExtent(*this, "a", a, kAxis, "b", b, kAxisB))) // C2
    return failure();
  for (int64_t axis = 0; axis < last - 1 && b.getRank() > 2; ++axis) // C3
    if (failed(expectSameExtent(*this, "a", a, axis, "b", b, axis)))
      return failure();
  if (getBias()) { // C4
    RankedTensorType bias = tensorType(getBias());
    if (failed(expectRank(*this, "bias", 1, bias)) ||
        failed(expectSameExtent(*this, "bias", bias, 0, "b", b, nAxisB)))
      return failure();
  }
  if (isa<BlockType>(b.getElementType()) && !getTransposeB()) // C5
    return emitOpError("expects transpose_b with a blocked b, ") << b;
  if (failed(expectWholeBlocks(*this, "b", b)))
    return failure();

  SmallVector<int64_t> shape(a.getShape().drop_back(2));
  SmallVector<StringRef> symbols;
  for (int64_t axis = 0; axis < last - 1; ++axis)
    symbols.push_back(symbolOf(a, axis));
  shape.append({a.getDimSize(mAxis), b.getDimSize(nAxisB)});
  symbols.append({symbolOf(a, mAxis), symbolOf(b, nAxisB)});
  Type element = tensorType(getY()).getElementType();
  return expectType(*this, "y", tensorOf(shape, symbols, element),
                    getY().getType()); // C6
}

namespace {

/// The last two axes of an operand: element (row, column) of matrix `batch` is
/// at batch * matrix + row * rowStride + column * columnStride.
struct Matrix {
  int64_t matrix, rowStride, columnStride;
};

template <typename A> Matrix matrixOf(const Tensor<A> &x, bool transpose) {
  int64_t columns = x.shape.back(), rows = x.shape[x.shape.size() - 2];
  int64_t matrix = x.shape.size() == 2 ? 0 : rows * columns;
  if (transpose)
    return {matrix, 1, columns};
  return {matrix, columns, 1};
}

template <typename A>
llvm::Error evaluateMatmul(MatmulOp op, Context &context,
                           ArrayRef<ref::Value<A>> in,
                           SmallVectorImpl<ref::Value<A>> &out) {
  const Tensor<A> &a = tensor<A>(in[0]), &b = tensor<A>(in[1]);
  auto y = makeResult<A>(op.getType(), context);
  if (!y)
    return y.takeError();
  A arithmetic;
  Matrix atA = matrixOf(a, op.getTransposeA());
  Matrix atB = matrixOf(b, op.getTransposeB());
  int64_t k = a.shape[a.shape.size() - (op.getTransposeA() ? 2 : 1)];
  int64_t n = y->shape.back(), m = y->shape[y->shape.size() - 2];
  for (int64_t i = 0; i < y->size(); ++i) {
    int64_t batch = i / n / m, row = i / n % m, column = i % n;
    const Float<A> *pa =
        a.floats.data() + batch * atA.matrix + row * atA.rowStride;
    const Float<A> *pb =
        b.floats.data() + batch * atB.matrix + column * atB.columnStride;
    Float<A> sum = sumProducts(
        arithmetic, k, [&](int64_t d) { return pa[d * atA.columnStride]; },
        [&](int64_t d) { return pb[d * atB.rowStride]; });
    if (op.getBias())
      sum = sum + tensor<A>(in[2]).floats[column];
    y->floats[i] = rounded<A>(sum, y->element);
  }
  out.push_back(std::move(*y));
  return llvm::Error::success();
}

} // namespace

TN_EVALUATE(MatmulOp, evaluateMatmul)
