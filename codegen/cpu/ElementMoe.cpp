//===- ElementMoe.cpp - Mixture of experts: routing, rows, combination ----===//
//
// A row of a gather is a row of its operand, by a number that is checked once;
// a combination adds up rows whose numbers and weights are kept for its token.
// Routing stages the scores of a token and chooses by their keys
// (ElementSelect.cpp); those of removed groups are below every key.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Select.h"

#include "ir/reference/Reduction.h"
#include "ir/tn/ElementMath.h"

#include "tenon/abi.h"

#include <limits>

namespace tenon::codegen::cpu {

using namespace mlir;

namespace {

// So many experts are chosen one after the other, more by histograms.
constexpr int64_t kFew = 16;

RankedTensorType tensorType(Value tensor) {
  return cast<RankedTensorType>(tensor.getType());
}

Value leastKey(KernelEmitter &e) {
  return arith::ConstantOp::create(
      e.builder,
      e.builder.getI32IntegerAttr(std::numeric_limits<int32_t>::min()));
}

/// NaN counts as -infinity.
Value ordered(KernelEmitter &e, Value x) {
  ir::Emit a(e.builder, e.builder.getLoc(), x.getType());
  return a.select(a.isNan(x),
                  a.constant(-std::numeric_limits<double>::infinity()), x);
}

/// The f32 of a key.
Value fromKey(KernelEmitter &e, Value key) {
  ir::Emit a(e.builder, e.builder.getLoc(), key.getType());
  Value flip = a.bitAnd(a.shiftRight(key, 31), a.integer(0x7fffffff));
  return a.fromBits(a.bitXor(key, flip));
}

} // namespace

//===----------------------------------------------------------------------===//
// Rows of assignments
//===----------------------------------------------------------------------===//

/// The row of the operand that a gather reads at an index, and its column.
Elements::Index Elements::assignmentIndex(ir::MoeGatherOp op,
                                          ValueRange index) {
  RankedTensorType numbers = tensorType(op.getIndex());
  ValueRange position = index.take_front(2);
  Value number;
  if (const Prepared *found = find(op, op.getIndex(), position)) {
    number = found->values[0];
  } else {
    Value all = e.mul(e.extent(numbers, 0), e.extent(numbers, 1));
    number = checkedNumber(op, element(op.getIndex(), position, {}), all,
                           e.linearise(numbers, position));
    prepared.push_back({op, op.getIndex(), Index(position), {number}});
  }
  int64_t k = numbers.getDimSize(1);
  Index source{e.div(number, k)};
  if (!op.readsTokens())
    source.push_back(e.rem(number, k));
  source.push_back(index.back());
  return source;
}

/// Keeps the numbers of a token's rows, i64, and its weights.
void Elements::prepareCombine(ir::MoeCombineOp op, Value token) {
  if (find(op, op.getPlaces(), token))
    return;
  RankedTensorType type = tensorType(op.getPlaces());
  int64_t k = type.getDimSize(1);
  Value numbers = e.scratch(k * sizeof(int64_t));
  Value weights = e.scratch(k * sizeof(float));
  Value all = e.mul(e.extent(type, 0), e.index(k));
  e.loop(e.index(0), e.index(k), 1, [&](Value i) {
    Scope scope(*this);
    Value index[] = {token, i};
    prepare(op.getPlaces(), index);
    prepare(op.getWeights(), index);
    Value number = checkedNumber(op, element(op.getPlaces(), index, {}), all,
                                 e.linearise(type, index));
    e.store(e.fromIndex(number, e.builder.getI64Type()), numbers, i);
    e.store(element(op.getWeights(), index, {}), weights, i);
  });
  prepared.push_back({op, op.getPlaces(), Index{token}, {numbers, weights}});
}

Value Elements::combineElement(ir::MoeCombineOp op, ValueRange index,
                               const Lanes &lanes) {
  prepareCombine(op, index[0]);
  auto kept = find(op, op.getPlaces(), index[0])->values; // may move
  int64_t k = tensorType(op.getPlaces()).getDimSize(1);
  Location loc = e.builder.getLoc();
  auto step = [&](Value i, ValueRange so) -> SmallVector<Value> {
    Scope scope(*this);
    Value number = e.toIndex(e.load(kept[0], e.builder.getI64Type(), i));
    Value weight = e.load(kept[1], e.builder.getF32Type(), i);
    Index source{e.div(number, k), e.rem(number, k), index.back()};
    prepare(op.getRows(), source);
    Value x = pull(op.getRows(), source, lanes);
    ir::Emit a(e.builder, loc, x.getType());
    return {a.fma(e.splat(weight, lanes.width), x, so[0])};
  };
  Value sum;
  for (int64_t from = 0; from < k; from += ir::ref::kChainSegment) {
    int64_t to = std::min(k, from + ir::ref::kChainSegment);
    Value zero = e.splat(e.f32(0), lanes.width);
    Value part = e.loop(e.index(from), e.index(to), 1, zero, step)[0];
    sum = sum ? Value(arith::AddFOp::create(e.builder, sum, part)) : part;
  }
  return rounded(sum, tensorType(op.getY()).getElementType());
}

//===----------------------------------------------------------------------===//
// Routing
//===----------------------------------------------------------------------===//

/// Stores a token's scores; whether one of its logits is NaN (i1).
Value Elements::storeScores(Value router, ir::Scoring scoring, ValueRange row,
                            Value scores) {
  Location loc = e.builder.getLoc();
  Type f32 = e.builder.getF32Type();
  Value count = e.index(tensorType(router).getDimSize(1));
  auto logits = [&](const Lanes &lanes) {
    return wholeRowElement(router, row, lanes);
  };
  Value least = e.f32(-std::numeric_limits<float>::infinity());
  Best best = emitArgmax(e, count, least, logits);
  if (scoring == ir::Scoring::Sigmoid) {
    e.columns(count, e.vectorWidth(), [&](const Lanes &lanes) {
      Value x = logits(lanes);
      ir::Emit a(e.builder, loc, x.getType());
      e.store(ir::sigmoid(a, x), scores, lanes.offset, lanes);
    });
    return best.hasNan;
  }
  ir::Emit scalar(e.builder, loc, f32);
  Value zero = e.f32(0);
  Value most = scalar.select(scalar.equal(best.value, least), zero, best.value);
  Value sum = sumSegment(e.index(0), count, count, [&](const Lanes &lanes) {
    Value x = logits(lanes);
    ir::Emit a(e.builder, loc, x.getType());
    Value term = a.exp(a.sub(x, e.splat(most, lanes.width)));
    e.store(term, scores, lanes.offset, lanes);
    return term;
  });
  sum = scalar.select(scalar.equal(sum, zero), e.f32(1), sum);
  e.columns(count, e.vectorWidth(), [&](const Lanes &lanes) {
    Value x = e.load(scores, f32, lanes.offset, lanes);
    ir::Emit a(e.builder, loc, x.getType());
    e.store(a.div(x, e.splat(sum, lanes.width)), scores, lanes.offset, lanes);
  });
  return best.hasNan;
}

/// The key of what a group of `each` keys is chosen by.
static Value groupKey(KernelEmitter &e, Value keys, Value each, bool isTop2) {
  auto bestKey = [&] {
    return emitArgmax(e, each, leastKey(e), [&](const Lanes &lanes) {
      return e.load(keys, e.builder.getI32Type(), lanes.offset, lanes);
    });
  };
  Best best = bestKey();
  if (!isTop2)
    return best.value;
  Value place = e.toIndex(best.number);
  e.store(leastKey(e), keys, place);
  Value second = bestKey().value;
  e.store(best.value, keys, place);
  ir::Emit a(e.builder, e.builder.getLoc(), e.builder.getF32Type());
  return emitKey(e,
                 ordered(e, a.add(fromKey(e, best.value), fromKey(e, second))));
}

/// Puts the keys of experts whose groups are not kept below every key.
static void closeGroups(KernelEmitter &e, ir::MoeRouteOp op, Value keys,
                        Value experts) {
  int64_t groups = op.getGroups();
  Type i32 = e.builder.getI32Type();
  int64_t mark = e.scratchMark();
  Value scores = e.scratch(groups * sizeof(int32_t));
  Value kept = e.scratch(op.getKeptGroups() * sizeof(int32_t));
  Value each = e.div(experts, groups);
  auto groupAt = [&](Value group) {
    return e.address(keys, i32, e.mul(group, each));
  };
  e.loop(e.index(0), e.index(groups), 1, [&](Value group) {
    e.store(groupKey(e, groupAt(group), each, op.getTop2()), scores, group);
  });
  // What is taken becomes the least key.
  emitFewLargest(e, scores, e.index(groups), e.index(op.getKeptGroups()), kept);
  e.loop(e.index(0), e.index(groups), 1, [&](Value group) {
    Value isOpen =
        arith::CmpIOp::create(e.builder, arith::CmpIPredicate::ne,
                              e.load(scores, i32, group), leastKey(e));
    e.ifThen(isOpen, [&] {
      Value first = groupAt(group);
      e.columns(each, e.vectorWidth(), [&](const Lanes &lanes) {
        e.store(e.splat(leastKey(e), lanes.width), first, lanes.offset, lanes);
      });
    });
  });
  e.restoreScratch(mark);
}

/// Stores the weights of a token's experts.
template <typename Op>
static void storeWeights(KernelEmitter &e, Op op, Value scores, Value order,
                         Value weights) {
  Type f32 = e.builder.getF32Type();
  ir::Emit a(e.builder, e.builder.getLoc(), f32);
  Value k = e.index(tensorType(op.getWeights()).getDimSize(1));
  auto take = [&](Value rank, ValueRange so) -> SmallVector<Value> {
    Value number = e.toIndex(e.load(order, e.builder.getI32Type(), rank));
    Value weight = e.load(scores, f32, number);
    e.store(weight, weights, rank);
    Value isFirst = arith::CmpIOp::create(e.builder, arith::CmpIPredicate::eq,
                                          rank, e.index(0));
    return {a.select(isFirst, weight, a.add(so[0], weight))};
  };
  Value sum = e.loop(e.index(0), k, 1, e.f32(0), take)[0];
  sum = a.add(sum, a.constant(1e-20));
  e.loop(e.index(0), k, 1, [&](Value rank) {
    Value weight = e.load(weights, f32, rank);
    if (op.getNormalize())
      weight = a.div(weight, sum);
    weight = a.mul(weight, a.constant(op.getScale().convertToDouble()));
    e.store(weight, weights, rank);
  });
}

void Elements::prepareRoute(ir::MoeRouteOp op, ValueRange row) {
  if (find(nullptr, op.getWeights(), row))
    return;
  int64_t experts = tensorType(op.getLogits()).getDimSize(1), k = op.getK();
  Value weights = e.scratch(k * 4), order = e.scratch(k * 4);
  Value scores = e.scratch(experts * 4), keys = e.scratch(experts * 4);
  Value count = prepareWholeRow(op.getLogits(), row);
  Value hasNan = storeScores(op.getLogits(), op.getScoring(), row, scores);
  e.emitFailure(hasNan, TENON_FAILURE_NAN, op, rowNumber(op.getLogits(), row),
                e.index(0));
  if (op.getBias())
    prepare(op.getBias(), e.index(0));
  e.columns(count, e.vectorWidth(), [&](const Lanes &lanes) {
    Scope scope(*this);
    Value choice = e.load(scores, e.builder.getF32Type(), lanes.offset, lanes);
    ir::Emit a(e.builder, e.builder.getLoc(), choice.getType());
    if (op.getBias())
      choice = a.add(choice, pull(op.getBias(), e.index(0), lanes));
    e.store(emitKey(e, ordered(e, choice)), keys, lanes.offset, lanes);
  });
  if (op.getKeptGroups() < op.getGroups())
    closeGroups(e, op, keys, count);
  if (k <= kFew)
    emitFewLargest(e, keys, count, e.index(k), order);
  else
    emitLargest(e, {keys, count, experts}, e.index(k), k, order);
  storeWeights(e, op, scores, order, weights);
  prepared.push_back({nullptr, op.getWeights(), Index(row), {weights}});
  prepared.push_back({nullptr, op.getExperts(), Index(row), {order}});
}

void Elements::prepareWeigh(ir::MoeWeighOp op, ValueRange row) {
  if (find(nullptr, op.getWeights(), row))
    return;
  int64_t experts = tensorType(op.getLogits()).getDimSize(1);
  int64_t k = tensorType(op.getWeights()).getDimSize(1);
  Value weights = e.scratch(k * 4), order = e.scratch(k * 4);
  Value scores = e.scratch(experts * 4);
  prepareWholeRow(op.getLogits(), row);
  Value token = rowNumber(op.getLogits(), row);
  Value hasNan = storeScores(op.getLogits(), op.getScoring(), row, scores);
  e.emitFailure(hasNan, TENON_FAILURE_NAN, op, token, e.index(0));
  e.loop(e.index(0), e.index(k), 1, [&](Value rank) {
    Scope scope(*this);
    Index at(row);
    at.push_back(rank);
    prepare(op.getExperts(), at);
    Value expert = checkedNumber(op, element(op.getExperts(), at, {}),
                                 e.index(experts), token);
    e.store(e.fromIndex(expert, e.builder.getI32Type()), order, rank);
  });
  storeWeights(e, op, scores, order, weights);
  prepared.push_back({nullptr, op.getWeights(), Index(row), {weights}});
}

} // namespace tenon::codegen::cpu
