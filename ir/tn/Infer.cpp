//===- Infer.cpp - Result types from operands and attributes --------------===//

#include "ir/tn/Infer.h"

#include "ir/tn/Tn.h"

#include "mlir/Dialect/Utils/IndexingUtils.h"

using namespace mlir;

namespace tenon::ir::infer {
namespace {

using Results = SmallVectorImpl<Type>;

/// Extents and symbols of a tensor type, taken apart to make another.
struct Axes {
  SmallVector<int64_t> extents;
  SmallVector<StringRef> symbols;

  Axes() = default;
  explicit Axes(RankedTensorType type) {
    for (int64_t axis = 0; axis < type.getRank(); ++axis)
      push(type, axis);
  }
  void push(int64_t extent, StringRef symbol = {}) {
    extents.push_back(extent);
    symbols.push_back(symbol);
  }
  void push(RankedTensorType type, int64_t axis) {
    push(type.getDimSize(axis), symbolOf(type, axis));
  }
  void pop() {
    extents.pop_back();
    symbols.pop_back();
  }
  RankedTensorType of(Type element) const {
    return tensorOf(extents, symbols, element);
  }
  std::string str(int64_t axis) const {
    return extents[axis] == ShapedType::kDynamic
               ? symbols[axis].str()
               : std::to_string(extents[axis]);
  }
  std::string str() const {
    std::string text = "[";
    for (size_t axis = 0; axis < extents.size(); ++axis)
      text += (axis ? ", " : "") + str(axis);
    return text + "]";
  }
};

/// The tensor type of operand i, of at least `rank` axes.
FailureOr<RankedTensorType> tensor(const Request &request, unsigned i,
                                   int64_t rank = 0) {
  auto type = dyn_cast<RankedTensorType>(request.operands[i]);
  if (!type)
    return request.error() << "expects a tensor as operand " << i << ", got "
                           << request.operands[i];
  if (type.getRank() < rank)
    return request.error() << "expects operand " << i << " of rank >= " << rank
                           << ", got " << Axes(type).str();
  return type;
}

int64_t integer(const Request &request, StringRef name, int64_t fallback) {
  auto attr = request.attributes.getAs<IntegerAttr>(name);
  return attr ? attr.getInt() : fallback;
}

Type i32(const Request &request) {
  return IntegerType::get(request.attributes.getContext(), 32);
}

/// Operand 0's type without its last axis, of another element if given.
LogicalResult dropLast(const Request &request, Type element, Results &out) {
  FailureOr<RankedTensorType> x = tensor(request, 0, 1);
  if (failed(x))
    return failure();
  Axes axes(*x);
  axes.pop();
  out.push_back(axes.of(element ? element : x->getElementType()));
  return success();
}
} // namespace

//===----------------------------------------------------------------------===//
// Elementwise
//===----------------------------------------------------------------------===//

LogicalResult compare(const Request &request, Results &out) {
  FailureOr<RankedTensorType> a = tensor(request, 0);
  if (failed(a))
    return failure();
  out.push_back(withElement(*a, IntegerType::get(a->getContext(), 1)));
  return success();
}

LogicalResult cast(const Request &request, Results &out) {
  FailureOr<RankedTensorType> x = tensor(request, 0);
  if (failed(x))
    return failure();
  out.push_back(withElement(*x, request.element));
  return success();
}

FailureOr<RankedTensorType>
broadcastPair(RankedTensorType a, RankedTensorType b,
              function_ref<InFlightDiagnostic()> error) {
  if (a.getRank() < b.getRank())
    std::swap(a, b);
  int64_t offset = a.getRank() - b.getRank();
  Axes axes;
  for (int64_t axis = 0; axis < a.getRank(); ++axis) {
    bool onlyA = axis < offset;
    if (onlyA || b.getDimSize(axis - offset) == 1 ||
        sameExtent(a, axis, b, axis - offset)) {
      axes.push(a, axis);
      continue;
    }
    if (a.getDimSize(axis) != 1)
      return error() << "expects shapes that broadcast, got " << Axes(a).str()
                     << " and " << Axes(b).str() << ": axis " << axis << " is "
                     << Axes(a).str(axis) << " and "
                     << Axes(b).str(axis - offset);
    axes.push(b, axis - offset);
  }
  return axes.of(a.getElementType());
}

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

static Axes wanted(const Request &request) {
  Axes axes;
  for (auto [extent, symbol] : llvm::zip_equal(request.shape, request.symbols))
    axes.push(extent, symbol);
  return axes;
}

LogicalResult broadcast(const Request &request, Results &out) {
  FailureOr<RankedTensorType> x = tensor(request, 0);
  if (failed(x))
    return failure();
  Axes axes = wanted(request);
  for (int64_t extent : axes.extents)
    if (extent < 1 && extent != ShapedType::kDynamic)
      return request.error()
             << "expects extents of at least 1, got " << axes.str();
  out.push_back(axes.of(x->getElementType()));
  return success();
}

/// The product of the extents that are numbers.
static int64_t staticElements(const Axes &axes) {
  int64_t product = 1;
  for (int64_t extent : axes.extents)
    if (extent > 0)
      product *= extent;
  return product;
}

LogicalResult reshape(const Request &request, Results &out) {
  FailureOr<RankedTensorType> x = tensor(request, 0);
  if (failed(x))
    return failure();
  Axes from(*x), to = wanted(request);
  if (llvm::count(to.extents, -1) > 1)
    return request.error() << "expects at most one axis of -1, got "
                           << to.str();
  int64_t elements = staticElements(from), others = staticElements(to);
  for (int64_t &extent : to.extents) {
    if (extent != -1)
      continue;
    if (elements % others)
      return request.error()
             << "expects " << to.str() << " to divide " << from.str();
    extent = elements / others;
  }
  if (staticElements(to) != elements || llvm::is_contained(to.extents, 0))
    return request.error() << "expects as many elements as " << from.str()
                           << " has, got " << to.str();
  out.push_back(to.of(x->getElementType()));
  return success();
}

LogicalResult transpose(const Request &request, Results &out) {
  FailureOr<RankedTensorType> x = tensor(request, 0);
  if (failed(x))
    return failure();
  auto attr = request.attributes.getAs<DenseI64ArrayAttr>("permutation");
  if (!isPermutationVector(attr.asArrayRef()) || attr.size() != x->getRank())
    return request.error() << "expects a permutation of " << x->getRank()
                           << " axes, got " << attr;
  out.push_back(takeAxes(*x, attr.asArrayRef()));
  return success();
}

LogicalResult slice(const Request &request, Results &out) {
  FailureOr<RankedTensorType> x = tensor(request, 0);
  if (failed(x))
    return failure();
  int64_t axis = integer(request, "axis", 0);
  if (axis < 0 || axis >= x->getRank())
    return request.error() << "expects an axis of " << Axes(*x).str()
                           << ", got " << axis;
  Axes axes(*x);
  axes.extents[axis] = std::max<int64_t>(integer(request, "size", 1), 1);
  axes.symbols[axis] = {};
  out.push_back(axes.of(x->getElementType()));
  return success();
}

LogicalResult concat(const Request &request, Results &out) {
  if (request.operands.empty())
    return request.error() << "expects at least one tensor, got none";
  int64_t axis = integer(request, "axis", 0), sum = 0;
  for (unsigned i = 0; i < request.operands.size(); ++i) {
    FailureOr<RankedTensorType> x = tensor(request, i);
    if (failed(x))
      return failure();
    if (axis < 0 || axis >= x->getRank() || x->isDynamicDim(axis))
      return request.error()
             << "expects axis " << axis
             << " to be a number in each tensor, got " << Axes(*x).str();
    sum += x->getDimSize(axis);
  }
  auto first = llvm::cast<RankedTensorType>(request.operands[0]);
  Axes axes(first);
  axes.extents[axis] = sum;
  out.push_back(axes.of(first.getElementType()));
  return success();
}

//===----------------------------------------------------------------------===//
// Reductions, products, rows by number
//===----------------------------------------------------------------------===//

LogicalResult reduce(const Request &request, Results &out) {
  return dropLast(request, {}, out);
}

LogicalResult sumRows(const Request &request, Results &out) {
  FailureOr<RankedTensorType> x = tensor(request, 0, 2);
  if (failed(x))
    return failure();
  out.push_back(takeAxes(*x, {1}));
  return success();
}

/// What the values of an operand are while computing: f32 if stored in blocks.
static Type valueType(Type element) {
  if (isa<BlockType>(element))
    return Float32Type::get(element.getContext());
  return element;
}

LogicalResult matmul(const Request &request, Results &out) {
  FailureOr<RankedTensorType> a = tensor(request, 0, 2);
  FailureOr<RankedTensorType> b = tensor(request, 1, 2);
  if (failed(a) || failed(b))
    return failure();
  bool transposeA = bool(request.attributes.get("transpose_a"));
  bool transposeB = bool(request.attributes.get("transpose_b"));
  int64_t rankA = a->getRank(), rankB = b->getRank();
  int64_t kA = transposeA ? rankA - 2 : rankA - 1;
  int64_t kB = transposeB ? rankB - 1 : rankB - 2;
  if (!sameExtent(*a, kA, *b, kB))
    return request.error() << "expects a " << Axes(*a).str() << " and b "
                           << Axes(*b).str() << " to agree in k, got "
                           << Axes(*a).str(kA) << " and " << Axes(*b).str(kB);
  Axes axes;
  for (int64_t axis = 0; axis < rankA - 2; ++axis)
    axes.push(*a, axis);
  axes.push(*a, transposeA ? rankA - 1 : rankA - 2);
  axes.push(*b, transposeB ? rankB - 2 : rankB - 1);
  Type element = valueType(a->getElementType());
  if (element.isInteger(8))
    element = IntegerType::get(element.getContext(), 32);
  out.push_back(axes.of(element));
  return success();
}

LogicalResult gather(const Request &request, Results &out) {
  FailureOr<RankedTensorType> table = tensor(request, 0, 1);
  FailureOr<RankedTensorType> index = tensor(request, 1);
  if (failed(table) || failed(index))
    return failure();
  Axes axes(*index);
  for (int64_t axis = 1; axis < table->getRank(); ++axis)
    axes.push(*table, axis);
  out.push_back(axes.of(valueType(table->getElementType())));
  return success();
}

LogicalResult takeAlong(const Request &request, Results &out) {
  FailureOr<RankedTensorType> x = tensor(request, 0);
  FailureOr<RankedTensorType> index = tensor(request, 1);
  if (failed(x) || failed(index))
    return failure();
  out.push_back(withElement(*index, x->getElementType()));
  return success();
}

LogicalResult scatter(const Request &request, Results &out) {
  out.push_back(request.operands[0]);
  return success();
}

LogicalResult unpack(const Request &request, Results &out) {
  FailureOr<RankedTensorType> x = tensor(request, 0);
  if (failed(x))
    return failure();
  out.push_back(withElement(*x, Float32Type::get(x->getContext())));
  return success();
}

LogicalResult quantize(const Request &request, Results &out) {
  FailureOr<RankedTensorType> x = tensor(request, 0, 1);
  if (failed(x))
    return failure();
  out.push_back(withElement(
      *x, BlockType::get(x->getContext(), base::ElementType::Q8_0)));
  return success();
}

//===----------------------------------------------------------------------===//
// Choosing elements of a row
//===----------------------------------------------------------------------===//

LogicalResult topK(const Request &request, Results &out) {
  FailureOr<RankedTensorType> x = tensor(request, 0, 1);
  if (failed(x))
    return failure();
  int64_t k = integer(request, "k", 1);
  if (k < 1)
    return request.error() << "expects k >= 1, got " << k;
  Axes axes(*x);
  axes.extents.back() = k;
  axes.symbols.back() = {};
  out.push_back(axes.of(x->getElementType()));
  out.push_back(axes.of(i32(request)));
  return success();
}

LogicalResult argmax(const Request &request, Results &out) {
  return dropLast(request, i32(request), out);
}

LogicalResult random(const Request &request, Results &out) {
  FailureOr<RankedTensorType> seed = tensor(request, 0);
  if (failed(seed))
    return failure();
  out.push_back(withElement(*seed, Float32Type::get(seed->getContext())));
  return success();
}

LogicalResult sample(const Request &request, Results &out) {
  return dropLast(request, i32(request), out);
}

LogicalResult emit(const Request &request, Results &out) {
  MLIRContext *context = request.attributes.getContext();
  out.push_back(RankedTensorType::get({}, IntegerType::get(context, 1)));
  return success();
}

} // namespace tenon::ir::infer
