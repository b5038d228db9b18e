//===- Moe.cpp - Mixture of experts: constraints and result types ---------===//

#include "ir/tn/Infer.h"
#include "ir/tn/Verify.h"

using namespace mlir;
using namespace tenon::ir;

/// The most experts: a row of one segment of the row rule.
static constexpr int64_t kMostExperts = 4096;

/// `type`'s axes but the last one, then `extents`.
static RankedTensorType withLast(RankedTensorType type,
                                 ArrayRef<int64_t> extents, Type element) {
  SmallVector<int64_t> shape(type.getShape().drop_back());
  SmallVector<StringRef> symbols;
  for (int64_t axis = 0; axis + 1 < type.getRank(); ++axis)
    symbols.push_back(symbolOf(type, axis));
  shape.append(extents.begin(), extents.end());
  symbols.append(extents.size(), {});
  return tensorOf(shape, symbols, element);
}

/// Assignments [T, K] of which each has a row of `columns` of `rows`.
static RankedTensorType rowsOf(RankedTensorType assignments,
                               RankedTensorType rows) {
  SmallVector<int64_t> shape(assignments.getShape());
  SmallVector<StringRef> symbols = {symbolOf(assignments, 0),
                                    symbolOf(assignments, 1),
                                    symbolOf(rows, rows.getRank() - 1)};
  shape.push_back(rows.getShape().back());
  return tensorOf(shape, symbols, rows.getElementType());
}

/// Checks a tensor of assignments.
static LogicalResult expectAssignments(Operation *op, StringRef name,
                                       RankedTensorType type) {
  if (type.getRank() == 2 && !type.isDynamicDim(1) && type.getDimSize(1) > 0)
    return success();
  return op->emitOpError("expects ")
         << name << " of shape [T, K] with a static K >= 1, got " << type;
}

static LogicalResult expectLogits(Operation *op, RankedTensorType logits) {
  int64_t experts = logits.getRank() == 2 ? logits.getDimSize(1) : 0;
  if (logits.getElementType().isF32() && experts >= 1 &&
      experts <= kMostExperts)
    return success();
  return op->emitOpError("expects logits of shape [T, E] of f32 with a static "
                         "E from 1 to ")
         << kMostExperts << ", got " << logits;
}

LogicalResult MoeRouteOp::verify() {
  RankedTensorType logits = tensorType(getLogits());
  if (failed(expectLogits(*this, logits))) // C1
    return failure();
  Type f32 = Float32Type::get(getContext());
  int64_t experts = logits.getDimSize(1);
  if (getBias() &&
      failed(expectType(*this, "bias", RankedTensorType::get({experts}, f32),
                        getBias().getType())))
    return failure(); // C2
  int64_t groups = getGroups(), kept = getKeptGroups(), k = getK();
  if (groups < 1 || experts % groups || kept < 1 || kept > groups) // C3
    return emitOpError("expects groups that divide the experts, and "
                       "kept_groups from 1 to groups, got ")
           << experts << " experts, " << groups << " groups and " << kept
           << " kept ones";
  int64_t each = experts / groups;
  if (getTop2() && each < 2) // C4
    return emitOpError("expects groups of at least 2 experts with top2, got ")
           << each;
  if (k < 1 || k > kept * each) // C5
    return emitOpError("expects k from 1 to the experts of the kept groups, ")
           << kept * each << ", got " << k;
  RankedTensorType weights = withLast(logits, k, f32);
  if (failed(expectType(*this, "weights", weights, getWeights().getType())))
    return failure(); // C6
  Type i32 = IntegerType::get(getContext(), 32);
  return expectType(*this, "experts", withElement(weights, i32),
                    getExperts().getType());
}

LogicalResult MoeWeighOp::verify() {
  RankedTensorType logits = tensorType(getLogits());
  RankedTensorType experts = tensorType(getExperts());
  if (failed(expectLogits(*this, logits)) ||                  // C1
      failed(expectAssignments(*this, "experts", experts)) || // C2
      failed(
          expectSameExtent(*this, "experts", experts, 0, "logits", logits, 0)))
    return failure();
  RankedTensorType weights =
      withLast(logits, experts.getDimSize(1), logits.getElementType());
  return expectType(*this, "weights", weights, getWeights().getType()); // C3
}

LogicalResult MoeDispatchOp::verify() {
  RankedTensorType experts = tensorType(getExperts());
  if (failed(expectAssignments(*this, "experts", experts)) || // C1
      failed(expectType(*this, "order", experts, getOrder().getType())) ||
      failed(expectType(*this, "places", experts, getPlaces().getType())))
    return failure(); // C2
  int64_t count = getCount();
  if (count < 1 || count > kMostExperts) // C3
    return emitOpError("expects from 1 to ")
           << kMostExperts << " experts, got " << count;
  return expectType(
      *this, "offsets",
      RankedTensorType::get({count + 1}, experts.getElementType()),
      getOffsets().getType());
}

bool MoeGatherOp::readsTokens() { return tensorType(getX()).getRank() == 2; }

LogicalResult MoeGatherOp::verify() {
  RankedTensorType x = tensorType(getX()), index = tensorType(getIndex());
  if (failed(expectAssignments(*this, "index", index))) // C1
    return failure();
  if (x.getRank() != 2 && x.getRank() != 3) // C2
    return emitOpError("expects x of shape [T, D] or [T, K, D], got ") << x;
  for (int64_t axis = 0; axis + 1 < x.getRank(); ++axis)
    if (failed(expectSameExtent(*this, "x", x, axis, "index", index, axis)))
      return failure();
  return expectType(*this, "y", rowsOf(index, x), getY().getType()); // C3
}

LogicalResult MoeCombineOp::verify() {
  RankedTensorType rows = tensorType(getRows());
  RankedTensorType places = tensorType(getPlaces());
  if (failed(expectAssignments(*this, "places", places)) || // C2
      failed(expectRank(*this, "rows", 3, rows)) ||         // C1
      failed(expectType(*this, "rows", rowsOf(places, rows), rows)))
    return failure();
  Type f32 = Float32Type::get(getContext());
  if (failed(expectType(*this, "weights", withElement(places, f32),
                        getWeights().getType())))
    return failure();                                                      // C3
  return expectType(*this, "y", takeAxes(rows, {0, 2}), getY().getType()); // C4
}

//===----------------------------------------------------------------------===//
// Result types
//===----------------------------------------------------------------------===//

namespace tenon::ir::infer {

using Results = SmallVectorImpl<Type>;

/// Operand i, a tensor of one of two ranks.
static FailureOr<RankedTensorType> operand(const Request &request, unsigned i,
                                           int64_t rank, int64_t other) {
  auto type = dyn_cast<RankedTensorType>(request.operands[i]);
  if (type && (type.getRank() == rank || type.getRank() == other))
    return type;
  auto error = request.error() << "expects a tensor of rank " << rank;
  if (other != rank)
    error << " or " << other;
  return error << " as operand " << i << ", got " << request.operands[i];
}

static int64_t integer(const Request &request, StringRef name) {
  auto attr = request.attributes.getAs<IntegerAttr>(name);
  return attr ? attr.getInt() : 0;
}

LogicalResult moeRoute(const Request &request, Results &out) {
  FailureOr<RankedTensorType> logits = operand(request, 0, 2, 2);
  if (failed(logits))
    return failure();
  int64_t k = integer(request, "k");
  if (k < 1)
    return request.error() << "expects k >= 1, got " << k;
  MLIRContext *context = request.attributes.getContext();
  out.push_back(withLast(*logits, k, Float32Type::get(context)));
  out.push_back(withLast(*logits, k, IntegerType::get(context, 32)));
  return success();
}

LogicalResult moeWeigh(const Request &request, Results &out) {
  FailureOr<RankedTensorType> logits = operand(request, 0, 2, 2);
  FailureOr<RankedTensorType> experts = operand(request, 1, 2, 2);
  if (failed(logits) || failed(experts))
    return failure();
  Type f32 = Float32Type::get(request.attributes.getContext());
  out.push_back(withLast(*logits, experts->getDimSize(1), f32));
  return success();
}

LogicalResult moeDispatch(const Request &request, Results &out) {
  FailureOr<RankedTensorType> experts = operand(request, 0, 2, 2);
  if (failed(experts))
    return failure();
  int64_t count = integer(request, "count");
  if (count < 1)
    return request.error() << "expects at least 1 expert, got " << count;
  out.append(2, *experts);
  out.push_back(RankedTensorType::get({count + 1}, experts->getElementType()));
  return success();
}

LogicalResult moeGather(const Request &request, Results &out) {
  FailureOr<RankedTensorType> x = operand(request, 0, 2, 3);
  FailureOr<RankedTensorType> index = operand(request, 1, 2, 2);
  if (failed(x) || failed(index))
    return failure();
  out.push_back(rowsOf(*index, *x));
  return success();
}

LogicalResult moeCombine(const Request &request, Results &out) {
  FailureOr<RankedTensorType> rows = operand(request, 0, 3, 3);
  if (failed(rows))
    return failure();
  out.push_back(takeAxes(*rows, {0, 2}));
  return success();
}

} // namespace tenon::ir::infer
