//===- Matmul.cpp - Products ----------------------------------------------===//

#include "ir/reference/Evaluate.h"
#include "ir/reference/Reduction.h"
#include "ir/tn/Infer.h"
#include "ir/tn/Panels.h"
#include "ir/tn/Verify.h"

#include "tenon/abi.h"

using namespace mlir;
using namespace tenon::ir;
using namespace tenon::ir::ref;

/// C5 of a product, C4 of a grouped one.
static LogicalResult verifyBlockedRight(ProductOp op) {
  RankedTensorType b = tensorType(op.getB());
  auto block = dyn_cast<BlockType>(b.getElementType());
  if (block && !tenon::base::isBlockedWeight(block.getFormat()))
    return op->emitOpError("expects a blocked b of a format of weights, got ")
           << b;
  return expectWholeBlocks(op, "b", b);
}

/// C7 of a product, C6 of a grouped one.
static LogicalResult verifyBlockedLeft(ProductOp op) {
  RankedTensorType a = tensorType(op.getA()), b = tensorType(op.getB());
  auto block = dyn_cast<BlockType>(a.getElementType());
  if (!block)
    return success();
  bool isSuper = block.getFormat() == tenon::base::ElementType::Q8_K;
  if (!isSuper && block.getFormat() != tenon::base::ElementType::Q8_0)
    return op->emitOpError("expects a blocked a of q8_0 or q8_k, got ") << a;
  if (op.getTransposeA())
    return op->emitOpError("expects no transpose_a with a blocked a, ") << a;
  if (!isa<BlockType>(b.getElementType()))
    return op->emitOpError("expects a blocked b with a blocked a, got ") << b;
  if (!op.getTransposeB())
    return op->emitOpError("expects transpose_b with a blocked a, ") << b;
  if (isSuper && !panelFormat(storageOf(b.getElementType())).hasFactors)
    return op->emitOpError("expects b of q4_k, q5_k or q6_k with a of q8_k, "
                           "got ")
           << b;
  return expectWholeBlocks(op, "a", a);
}

/// C8
static LogicalResult verifyIntegers(MatmulOp op) {
  Type a = tensorType(op.getA()).getElementType();
  Type b = tensorType(op.getB()).getElementType();
  Type y = tensorType(op.getY()).getElementType();
  if (!a.isInteger(8) && !b.isInteger(8) && !y.isInteger(32))
    return success();
  if (!a.isInteger(8) || !b.isInteger(8) || !y.isInteger(32))
    return op.emitOpError("expects a and b of i8 and y of i32, got ")
           << a << ", " << b << " and " << y;
  if (op.getTransposeA() || !op.getTransposeB() || op.getBias())
    return op.emitOpError("expects transpose_b alone, and no bias, with "
                          "operands of i8");
  return success();
}

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
  if (failed(verifyBlockedRight(*this)) || failed(verifyBlockedLeft(*this)) ||
      failed(verifyIntegers(*this)))
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

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

/// Checks that offsets are those of the `groups` along an axis of `of`.
static LogicalResult expectOffsets(Operation *op, mlir::Value offsets,
                                   StringRef name, RankedTensorType of) {
  RankedTensorType type = tensorType(offsets);
  int64_t groups = of.getDimSize(0);
  if (type.getRank() == 1 && !of.isDynamicDim(0) && groups > 0 &&
      type.getDimSize(0) == groups + 1)
    return success();
  return op->emitOpError("expects offsets of one more than the groups of ")
         << name << ", got " << type << " and " << of;
}

/// x [..., k] with `columns` of axis `axis` of `from` in place of k.
static RankedTensorType withColumns(RankedTensorType x, RankedTensorType from,
                                    int64_t axis, Type element) {
  SmallVector<int64_t> shape(x.getShape().drop_back());
  SmallVector<StringRef> symbols;
  for (int64_t i = 0; i + 1 < x.getRank(); ++i)
    symbols.push_back(symbolOf(x, i));
  shape.push_back(from.getDimSize(axis));
  symbols.push_back(symbolOf(from, axis));
  return tensorOf(shape, symbols, element);
}

LogicalResult GroupedMatmulOp::verify() {
  RankedTensorType a = tensorType(getA()), b = tensorType(getB());
  if (a.getRank() < 2 || b.getRank() != 3) // C1
    return emitOpError("expects a of rank >= 2 and b of rank 3, got ")
           << a << " and " << b;
  if (failed(expectSameExtent(*this, "a", a, a.getRank() - 1, "b", b,
                              getTransposeB() ? 2 : 1)) ||  // C2
      failed(expectOffsets(*this, getOffsets(), "b", b)) || // C3
      failed(verifyBlockedRight(*this)))                    // C4
    return failure();
  RankedTensorType y = tensorType(getY());
  if (failed(expectType(
          *this, "y",
          withColumns(a, b, getTransposeB() ? 1 : 2, y.getElementType()), y)))
    return failure();              // C5
  return verifyBlockedLeft(*this); // C6
}

LogicalResult GroupedOuterOp::verify() {
  RankedTensorType a = tensorType(getA()), b = tensorType(getB());
  if (a.getRank() < 2 || a.getRank() != b.getRank()) // C1
    return emitOpError("expects a and b of one rank >= 2, got ")
           << a << " and " << b;
  for (int64_t axis = 0; axis + 1 < a.getRank(); ++axis)
    if (failed(expectSameExtent(*this, "a", a, axis, "b", b, axis)))
      return failure();
  RankedTensorType y = tensorType(getY());
  if (failed(expectRank(*this, "y", 3, y)) ||
      failed(expectOffsets(*this, getOffsets(), "y", y))) // C2
    return failure();
  int64_t last = a.getRank() - 1;
  if (failed(expectSameExtent(*this, "y", y, 1, "a", a, last))) // C3
    return failure();
  return expectSameExtent(*this, "y", y, 2, "b", b, last);
}

/// A tensor operand of an inferred product of groups, of at least `rank` axes.
static FailureOr<RankedTensorType> operandOf(const infer::Request &request,
                                             unsigned i, int64_t rank) {
  auto type = dyn_cast<RankedTensorType>(request.operands[i]);
  if (type && type.getRank() >= rank)
    return type;
  return request.error() << "expects a tensor of rank >= " << rank
                         << " as operand " << i << ", got "
                         << request.operands[i];
}

LogicalResult infer::groupedMatmul(const Request &request,
                                   SmallVectorImpl<Type> &results) {
  FailureOr<RankedTensorType> a = operandOf(request, 0, 2);
  FailureOr<RankedTensorType> b = operandOf(request, 1, 3);
  if (failed(a) || failed(b))
    return failure();
  bool transposeB = bool(request.attributes.get("transpose_b"));
  Type element = a->getElementType();
  if (isa<BlockType>(element))
    element = Float32Type::get(a->getContext());
  results.push_back(withColumns(*a, *b, transposeB ? 1 : 2, element));
  return success();
}

LogicalResult infer::groupedOuter(const Request &request,
                                  SmallVectorImpl<Type> &results) {
  FailureOr<RankedTensorType> a = operandOf(request, 0, 2);
  FailureOr<RankedTensorType> b = operandOf(request, 1, 2);
  FailureOr<RankedTensorType> offsets = operandOf(request, 2, 1);
  if (failed(a) || failed(b) || failed(offsets))
    return failure();
  results.push_back(RankedTensorType::get(
      {offsets->getDimSize(0) - 1, a->getShape().back(), b->getShape().back()},
      a->getElementType()));
  return success();
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

/// The rows of a blocked operand, taken apart.
class IntegerRows {
public:
  IntegerRows(const Tensor<Contract> &x)
      : format(cast<BlockType>(x.element).getFormat()), columns(x.columns()) {
    int64_t bytes = *tenon::base::sizeBytes(format, columns);
    elements.reserve(x.size());
    for (int64_t row = 0; row < x.rows(); ++row)
      for (int64_t k = 0; k < columns; ++k)
        elements.push_back(
            blockedElement(format, x.blocks.data() + row * bytes, k));
  }

  const BlockedElement *row(int64_t number) const {
    return elements.data() + number * columns;
  }

  tenon::base::ElementType format;

private:
  int64_t columns;
  std::vector<BlockedElement> elements;
};

/// The rule of integer products.
float sumIntegerProducts(Contract &arithmetic, int64_t count,
                         const BlockedElement *a, const BlockedElement *b,
                         const PanelFormat &format) {
  float sum = 0, segment = 0;
  for (int64_t start = 0; start < count; start += format.subBlock) {
    int32_t products = 0, quants = 0;
    for (int64_t k = start; k < start + format.subBlock; ++k) {
      products += a[k].quant * b[k].quant;
      quants += a[k].quant;
    }
    float scale = arithmetic.mul(a[start].scale, b[start].scale);
    float before = start % kChainSegment == 0 ? 0 : segment;
    segment = arithmetic.fma(static_cast<float>(products), scale, before);
    float shift = arithmetic.mul(a[start].scale, static_cast<float>(quants));
    if (format.hasMin)
      segment = arithmetic.fma(shift, b[start].minimum, segment);
    int64_t end = start + format.subBlock;
    if (end % kChainSegment == 0 || end == count)
      sum = end <= kChainSegment ? segment : arithmetic.add(sum, segment);
  }
  return sum;
}

/// The rule where a's scales are those of 256 elements.
float sumSuperBlocks(Contract &arithmetic, int64_t count,
                     const BlockedElement *a, const BlockedElement *b,
                     const PanelFormat &format) {
  float sum = 0, segment = 0;
  for (int64_t start = 0; start < count; start += format.superBlock) {
    int32_t products = 0, minima = 0;
    for (int64_t k = start; k < start + format.superBlock; ++k) {
      products += b[k].factor * a[k].quant * b[k].quant;
      minima += b[k].minFactor * a[k].quant;
    }
    float scale = arithmetic.mul(a[start].scale, b[start].superScale);
    float before = start % kChainSegment == 0 ? 0 : segment;
    segment = arithmetic.fma(static_cast<float>(products), scale, before);
    float shift = arithmetic.mul(a[start].scale, b[start].superMinimum);
    if (format.hasMin)
      segment = arithmetic.fma(static_cast<float>(minima), shift, segment);
    int64_t end = start + format.superBlock;
    if (end % kChainSegment == 0 || end == count)
      sum = end <= kChainSegment ? segment : arithmetic.add(sum, segment);
  }
  return sum;
}

/// The sums of a product of integers, in the order of y's elements [rows, n];
/// `matrixOf` gives a row's matrix of b.
std::vector<float> integerSums(const Tensor<Contract> &a,
                               const Tensor<Contract> &b, int64_t n,
                               function_ref<int64_t(int64_t)> matrixOf) {
  IntegerRows left(a), right(b);
  PanelFormat format = panelFormat(right.format);
  Contract arithmetic;
  auto rule = left.format == tenon::base::ElementType::Q8_K
                  ? sumSuperBlocks
                  : sumIntegerProducts;
  std::vector<float> sums(a.rows() * n);
  for (size_t i = 0; i < sums.size(); ++i)
    sums[i] = rule(arithmetic, a.columns(), left.row(i / n),
                   right.row(matrixOf(i / n) * n + i % n), format);
  return sums;
}

template <typename A>
void sumBytes(const Tensor<A> &a, const Tensor<A> &b, Tensor<A> &y) {
  int64_t k = a.columns(), n = y.columns(), m = y.shape[y.shape.size() - 2];
  for (int64_t i = 0; i < y.size(); ++i) {
    int64_t matrix = b.shape.size() > 2 ? i / n / m : 0;
    const int64_t *pa = a.ints.data() + i / n * k;
    const int64_t *pb = b.ints.data() + (matrix * n + i % n) * k;
    uint32_t sum = 0;
    for (int64_t d = 0; d < k; ++d)
      sum += static_cast<uint32_t>(pa[d] * pb[d]);
    y.ints[i] = static_cast<int32_t>(sum);
  }
}

template <typename A>
llvm::Error evaluateMatmul(MatmulOp op, Context &context,
                           ArrayRef<ref::Value<A>> in,
                           SmallVectorImpl<ref::Value<A>> &out) {
  const Tensor<A> &a = tensor<A>(in[0]), &b = tensor<A>(in[1]);
  auto y = makeResult<A>(op.getType(), context);
  if (!y)
    return y.takeError();
  if (a.element.isInteger(8)) {
    sumBytes(a, b, *y);
    out.push_back(std::move(*y));
    return llvm::Error::success();
  }
  A arithmetic;
  Matrix atA = matrixOf(a, op.getTransposeA());
  Matrix atB = matrixOf(b, op.getTransposeB());
  int64_t k = a.shape[a.shape.size() - (op.getTransposeA() ? 2 : 1)];
  int64_t n = y->shape.back(), m = y->shape[y->shape.size() - 2];
  std::vector<float> sums;
  if constexpr (std::is_same_v<A, Contract>)
    if (isa<BlockType>(a.element))
      sums = integerSums(a, b, n, [&](int64_t row) -> int64_t {
        return b.shape.size() > 2 ? row / m : 0;
      });
  for (int64_t i = 0; i < y->size(); ++i) {
    int64_t batch = i / n / m, row = i / n % m, column = i % n;
    const Float<A> *pa =
        a.floats.data() + batch * atA.matrix + row * atA.rowStride;
    const Float<A> *pb =
        b.floats.data() + batch * atB.matrix + column * atB.columnStride;
    Float<A> sum =
        !sums.empty() ? static_cast<Float<A>>(sums[i])
                      : sumProducts(
                            arithmetic, k,
                            [&](int64_t d) { return pa[d * atA.columnStride]; },
                            [&](int64_t d) { return pb[d * atB.rowStride]; });
    if (op.getBias())
      sum = sum + tensor<A>(in[2]).floats[column];
    y->floats[i] = rounded<A>(sum, y->element);
  }
  out.push_back(std::move(*y));
  return llvm::Error::success();
}

/// The group of each of `rows`; none, and a failure of the step, if the offsets
/// are not those of groups.
std::optional<std::vector<int64_t>> groupsOfRows(Context &context, StringRef op,
                                                 ArrayRef<int64_t> offsets,
                                                 int64_t rows) {
  std::vector<int64_t> groups(rows);
  int64_t last = offsets.size() - 1;
  for (int64_t e = 0; e <= last; ++e) {
    int64_t least = e == 0 ? 0 : e == last ? rows : offsets[e - 1];
    int64_t most = e == 0 ? 0 : rows;
    bool descends = e > 0 && offsets[e] < offsets[e - 1];
    if (offsets[e] < least || offsets[e] > most || descends) {
      context.fail(TENON_FAILURE_INDEX, op, e, offsets[e]);
      return std::nullopt;
    }
    if (e > 0)
      std::fill(groups.begin() + offsets[e - 1], groups.begin() + offsets[e],
                e - 1);
  }
  return groups;
}

template <typename A>
llvm::Error evaluateGroupedMatmul(GroupedMatmulOp op, Context &context,
                                  ArrayRef<ref::Value<A>> in,
                                  SmallVectorImpl<ref::Value<A>> &out) {
  const Tensor<A> &a = tensor<A>(in[0]), &b = tensor<A>(in[1]);
  auto y = makeResult<A>(op.getType(), context);
  if (!y)
    return y.takeError();
  A arithmetic;
  int64_t n = y->columns(), k = a.columns();
  auto groups = groupsOfRows(context, "tn.grouped_matmul",
                             tensor<A>(in[2]).ints, y->rows());
  if (!groups) {
    out.push_back(std::move(*y));
    return llvm::Error::success();
  }
  std::vector<float> sums;
  if constexpr (std::is_same_v<A, Contract>)
    if (isa<BlockType>(a.element))
      sums = integerSums(a, b, n, [&](int64_t row) { return (*groups)[row]; });
  Matrix atB = matrixOf(b, op.getTransposeB());
  for (int64_t i = 0; i < y->size(); ++i) {
    const Float<A> *pa = a.floats.data() + i / n * k;
    const Float<A> *pb = b.floats.data() + (*groups)[i / n] * atB.matrix +
                         i % n * atB.columnStride;
    Float<A> sum = !sums.empty()
                       ? static_cast<Float<A>>(sums[i])
                       : sumProducts(
                             arithmetic, k, [&](int64_t d) { return pa[d]; },
                             [&](int64_t d) { return pb[d * atB.rowStride]; });
    y->floats[i] = rounded<A>(sum, y->element);
  }
  out.push_back(std::move(*y));
  return llvm::Error::success();
}

template <typename A>
llvm::Error evaluateGroupedOuter(GroupedOuterOp op, Context &context,
                                 ArrayRef<ref::Value<A>> in,
                                 SmallVectorImpl<ref::Value<A>> &out) {
  const Tensor<A> &a = tensor<A>(in[0]), &b = tensor<A>(in[1]);
  ArrayRef<int64_t> offsets = tensor<A>(in[2]).ints;
  auto y = makeResult<A>(op.getType(), context);
  if (!y)
    return y.takeError();
  A arithmetic;
  int64_t n = a.columns(), k = b.columns();
  bool isGrouped =
      groupsOfRows(context, "tn.grouped_outer", offsets, a.rows()).has_value();
  for (int64_t i = 0; isGrouped && i < y->size(); ++i) {
    int64_t e = i / k / n, row = i / k % n, column = i % k;
    const Float<A> *pa = a.floats.data() + offsets[e] * n + row;
    const Float<A> *pb = b.floats.data() + offsets[e] * k + column;
    Float<A> sum = sumProducts(
        arithmetic, offsets[e + 1] - offsets[e],
        [&](int64_t r) { return pa[r * n]; },
        [&](int64_t r) { return pb[r * k]; });
    y->floats[i] = rounded<A>(sum, y->element);
  }
  out.push_back(std::move(*y));
  return llvm::Error::success();
}

} // namespace

TN_EVALUATE(MatmulOp, evaluateMatmul)
TN_EVALUATE(GroupedMatmulOp, evaluateGroupedMatmul)
TN_EVALUATE(GroupedOuterOp, evaluateGroupedOuter)
