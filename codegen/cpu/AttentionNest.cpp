//===- AttentionNest.cpp - Attention over paged caches --------------------===//
//
// A tile is some tokens of one query head. A token walks the blocks of 64 keys
// in its range: scores with keys in the lanes, then values with the width in
// the lanes, by the order that `tn.attention` states. Running sums of a segment
// and of the segments before it lie in scratch.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Element.h"
#include "ir/tn/Emit.h"

#include "tenon/abi.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <limits>
#include <numeric>

namespace tenon::codegen::cpu {

using namespace mlir;

namespace {

constexpr int64_t kBlock = TENON_CACHE_BLOCK;
constexpr int64_t kSegment = 512; // keys, and elements of a score's chain

constexpr float kNegativeInfinity = -std::numeric_limits<float>::infinity();

ir::AttentionOp attentionOf(const Nest &nest) {
  return *nest.body->getOps<ir::AttentionOp>().begin();
}

/// A token's place: [from, to) are the positions it attends to.
struct Token {
  Value number, sequence, from, to;
};

class AttentionNest {
public:
  AttentionNest(KernelEmitter &e, const Nest &nest);

  LogicalResult emit(Value tile);

private:
  Value readBatch(Value pointer, Value at);
  Token tokenAt(Value number);
  Value isPageMissing(const Token &token);
  Value blockPointer(ir::CacheType type, Value base, const Token &token,
                     Value position);
  void stageQuery(const Token &token);
  void emitToken(const Token &token);
  void emitSegment(const Token &token, Value segment, Value &maximum,
                   Value &sum, Value &nan);
  SmallVector<Value> emitBlock(const Token &token, Value block, Value isFirst,
                               ValueRange carried);
  SmallVector<Value> scores(Value keys);
  SmallVector<Value> scoreChain(Value keys, int64_t from, int64_t to);
  void addValues(const Token &token, Value block, Value keep);
  SmallVector<Value> mergeSegment(Value isFirst, ValueRange total,
                                  Value maximum, Value sum);
  void storeResult(const Token &token, Value sum);
  Value foldLanes(Value vector, function_ref<Value(Value, Value)> combine);
  Value sumTree(SmallVector<Value> parts);
  ir::Emit math(Value like) {
    return ir::Emit(e.builder, e.builder.getLoc(), like.getType());
  }
  Value less(Value a, Value b) {
    return arith::CmpIOp::create(e.builder, arith::CmpIPredicate::slt, a, b);
  }
  Value equal(Value a, Value b) {
    return arith::CmpIOp::create(e.builder, arith::CmpIPredicate::eq, a, b);
  }

  KernelEmitter &e;
  const Nest &nest;
  ir::AttentionOp op;
  ir::CacheType keysType, valuesType;
  Elements elements;
  Type f32;
  int64_t lanes, width, heads;
  int64_t across;    // lanes along the width: a power of two that divides it
  Value head, group; // the query head and its head of the caches
  BatchPointers batch;
  Value q, weights, values, total; // f32 in scratch
};

AttentionNest::AttentionNest(KernelEmitter &e, const Nest &nest)
    : e(e), nest(nest), op(attentionOf(nest)),
      keysType(cast<ir::CacheType>(op.getKeys().getType())),
      valuesType(cast<ir::CacheType>(op.getValues().getType())), elements(e),
      f32(e.builder.getF32Type()), lanes(e.vectorWidth()),
      width(keysType.getWidth()),
      heads(cast<RankedTensorType>(op.getQ().getType()).getDimSize(1)),
      across(std::gcd(width, lanes)) {}

//===----------------------------------------------------------------------===//
// The batch and its pages
//===----------------------------------------------------------------------===//

Value AttentionNest::readBatch(Value pointer, Value at) {
  return e.toIndex(e.load(pointer, e.builder.getI32Type(), at));
}

Token AttentionNest::tokenAt(Value number) {
  Value position = readBatch(batch.position, number);
  Token at{number, readBatch(batch.sequence, number), e.index(0),
           e.add(position, e.index(1))};
  if (int64_t window = op.getWindow())
    at.from = e.max(e.index(0), e.sub(at.to, e.index(window)));
  return at;
}

Value AttentionNest::isPageMissing(const Token &token) {
  auto &b = e.builder;
  Value none = arith::ConstantOp::create(b, b.getBoolAttr(false));
  Value pageKeys = e.mul(e.dim("pageBlocks"), kBlock);
  Value row = e.mul(token.sequence, e.dim("P"));
  Value last = e.div(e.sub(token.to, e.index(1)), pageKeys);
  auto check = [&](Value page, ValueRange carried) -> SmallVector<Value> {
    Value number = readBatch(batch.pages, e.add(row, page));
    return {math(number).either(carried[0], less(number, e.index(0)))};
  };
  return e.loop(e.div(token.from, pageKeys), e.add(last, e.index(1)), 1, none,
                check)[0];
}

// Where the block of keys at `position` starts, for the tile's head.
Value AttentionNest::blockPointer(ir::CacheType type, Value base,
                                  const Token &token, Value position) {
  Value block = e.div(position, kBlock), pageBlocks = e.dim("pageBlocks");
  Value at = e.add(e.mul(token.sequence, e.dim("P")), e.div(block, pageBlocks));
  Value page = readBatch(batch.pages, at);
  Value slot = e.add(e.mul(page, pageBlocks), e.rem(block, pageBlocks));
  Value rows = e.add(e.mul(slot, type.getHeads()), group);
  return e.address(base, type.getElementType(),
                   e.mul(rows, type.getWidth() * kBlock));
}

//===----------------------------------------------------------------------===//
// Lanes
//===----------------------------------------------------------------------===//

// Combines lane j with lane j + half until one is left.
Value AttentionNest::foldLanes(Value vector,
                               function_ref<Value(Value, Value)> combine) {
  for (int64_t half = lanes / 2; half > 0; half /= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t j = 0; j < half; ++j) {
      low.push_back(j);
      high.push_back(j + half);
    }
    Value a = vector::ShuffleOp::create(e.builder, vector, vector, low);
    Value b = vector::ShuffleOp::create(e.builder, vector, vector, high);
    vector = combine(a, b);
  }
  return vector::ExtractOp::create(e.builder, vector, ArrayRef<int64_t>{0});
}

// The tree of halves over the 64 lanes of a block.
Value AttentionNest::sumTree(SmallVector<Value> parts) {
  auto add = [&](Value a, Value b) { return math(a).add(a, b); };
  for (size_t half = parts.size() / 2; half > 0; half /= 2)
    for (size_t i = 0; i < half; ++i)
      parts[i] = add(parts[i], parts[i + half]);
  return foldLanes(parts[0], add);
}

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

void AttentionNest::stageQuery(const Token &token) {
  Elements::Scope scope(elements);
  SmallVector<Value> row{token.number, head, e.index(0)};
  elements.forColumns(op.getQ(), row, [&](ValueRange at, const Lanes &run) {
    Value column = e.add(at.back(), run.offset ? run.offset : e.index(0));
    e.store(elements.element(op.getQ(), at, run), q, column,
            {run.width, run.mask});
  });
}

SmallVector<Value> AttentionNest::scoreChain(Value keys, int64_t from,
                                             int64_t to) {
  constexpr int64_t kUnroll = 4;
  SmallVector<Value> zeros(kBlock / lanes, e.splat(e.f32(0), lanes));
  int64_t step = width % kUnroll == 0 ? kUnroll : 1;
  auto body = [&](Value d, ValueRange carried) {
    SmallVector<Value> sums(carried);
    for (int64_t u = 0; u < step; ++u) {
      Value row = e.add(d, e.index(u));
      Value a = e.splat(e.load(q, f32, row), lanes);
      for (auto [i, sum] : llvm::enumerate(sums)) {
        Value at = e.add(e.mul(row, kBlock), e.index(i * lanes));
        Value key = e.load(keys, keysType.getElementType(), at, Lanes{lanes});
        ir::Emit emit = math(key);
        sum = emit.fma(a, emit.extend(key), sum);
      }
    }
    return sums;
  };
  return e.loop(e.index(from), e.index(to), step, zeros, body);
}

SmallVector<Value> AttentionNest::scores(Value keys) {
  SmallVector<Value> sums;
  for (int64_t from = 0; from < width; from += kSegment) {
    int64_t to = std::min(width, from + kSegment);
    SmallVector<Value> segment = scoreChain(keys, from, to);
    for (size_t i = 0; i < segment.size() && from > 0; ++i)
      segment[i] = math(sums[i]).add(sums[i], segment[i]);
    sums = std::move(segment);
  }
  Value scale = e.splat(
      e.f32(static_cast<float>(op.getScale().convertToDouble())), lanes);
  for (Value &sum : sums)
    sum = math(sum).mul(sum, scale);
  return sums;
}

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

// values = values * keep, then one multiply-add a key. Keys out of range take
// no part: what lies there need not be a number.
void AttentionNest::addValues(const Token &token, Value block, Value keep) {
  Value base =
      blockPointer(valuesType, e.pointer(op.getValues()), token, block);
  Value from = e.max(e.index(0), e.sub(token.from, block));
  Value to = e.min(e.index(kBlock), e.sub(token.to, block));
  int64_t chunk = std::min<int64_t>(width, 8 * across);
  while (width % chunk)
    chunk -= across;
  Value keeps = e.splat(keep, across);
  e.loop(e.index(0), e.index(width), chunk, [&](Value column) {
    SmallVector<Value> sums;
    auto at = [&](int64_t i) { return e.add(column, e.index(i * across)); };
    for (int64_t i = 0; i < chunk / across; ++i) {
      Value before = e.load(values, f32, at(i), Lanes{across});
      sums.push_back(math(before).mul(before, keeps));
    }
    auto body = [&](Value key, ValueRange carried) {
      SmallVector<Value> next(carried);
      Value weight = e.splat(e.load(weights, f32, key), across);
      for (auto [i, sum] : llvm::enumerate(next)) {
        Value value = e.load(base, valuesType.getElementType(),
                             e.add(e.mul(key, width), at(i)), Lanes{across});
        ir::Emit emit = math(value);
        sum = emit.fma(weight, emit.extend(value), sum);
      }
      return next;
    };
    sums = e.loop(from, to, 1, sums, body);
    for (auto [i, sum] : llvm::enumerate(sums))
      e.store(sum, values, at(i), Lanes{across});
  });
}

// carried: the segment's maximum and sum, and lanes that saw a NaN (i32).
SmallVector<Value> AttentionNest::emitBlock(const Token &token, Value block,
                                            Value isFirst, ValueRange carried) {
  auto &b = e.builder;
  Value keys = blockPointer(keysType, e.pointer(op.getKeys()), token, block);
  SmallVector<Value> score = scores(keys), inRange;
  Value nan = carried[2];
  Value lowest = e.splat(e.f32(kNegativeInfinity), lanes);
  Value zero = e.splat(e.f32(0), lanes);
  Value highest = lowest;
  for (auto [i, value] : llvm::enumerate(score)) {
    Value first = e.add(block, e.index(i * lanes));
    Value before =
        e.firstLanes(e.max(e.index(0), e.sub(token.from, first)), lanes);
    Value until =
        e.firstLanes(e.max(e.index(0), e.sub(token.to, first)), lanes);
    ir::Emit emit = math(value);
    inRange.push_back(emit.both(until, emit.negate(before)));
    Value isNan = emit.both(inRange.back(), emit.isNan(value));
    nan = arith::OrIOp::create(b, nan,
                               arith::ExtUIOp::create(b, nan.getType(), isNan));
    value = emit.select(inRange.back(), value, lowest);
    highest = emit.select(emit.less(highest, value), value, highest);
  }
  auto larger = [&](Value x, Value y) {
    return math(x).select(math(x).less(x, y), y, x);
  };
  Value maximum = larger(carried[0], foldLanes(highest, larger));
  ir::Emit scalar = math(maximum);
  Value decay = scalar.exp(scalar.sub(carried[0], maximum));
  Value keep = scalar.select(isFirst, e.f32(0), decay);
  Value shift = e.splat(maximum, lanes);
  for (auto [i, value] : llvm::enumerate(score)) {
    ir::Emit emit = math(value);
    Value weight = emit.exp(emit.sub(value, shift));
    value = emit.select(inRange[i], weight, zero);
    e.store(value, weights, e.index(i * lanes), Lanes{lanes});
  }
  Value sum = scalar.add(scalar.mul(carried[1], keep), sumTree(score));
  addValues(token, block, keep);
  return {maximum, sum, nan};
}

//===----------------------------------------------------------------------===//
// Segments
//===----------------------------------------------------------------------===//

void AttentionNest::emitSegment(const Token &token, Value segment,
                                Value &maximum, Value &sum, Value &nan) {
  Value zero = e.splat(e.f32(0), lanes);
  e.loop(e.index(0), e.index(width), lanes,
         [&](Value column) { e.store(zero, values, column, Lanes{lanes}); });
  Value first = e.max(segment, e.mul(e.div(token.from, kBlock), kBlock));
  Value end = e.min(e.add(segment, e.index(kSegment)), token.to);
  SmallVector<Value> init{e.f32(kNegativeInfinity), e.f32(0), nan};
  SmallVector<Value> last =
      e.loop(first, end, kBlock, init, [&](Value block, ValueRange carried) {
        return emitBlock(token, block, equal(block, first), carried);
      });
  maximum = last[0];
  sum = last[1];
  nan = last[2];
}

// total: maximum and sum of the segments before. The first one is copied.
SmallVector<Value> AttentionNest::mergeSegment(Value isFirst, ValueRange before,
                                               Value maximum, Value sum) {
  ir::Emit emit = math(maximum);
  Value larger = emit.select(emit.less(before[0], maximum), maximum, before[0]);
  Value keep = emit.exp(emit.sub(before[0], larger));
  Value join = emit.exp(emit.sub(maximum, larger));
  Value keeps = e.splat(keep, across), joins = e.splat(join, across);
  e.loop(e.index(0), e.index(width), across, [&](Value column) {
    Value old = e.load(total, f32, column, Lanes{across});
    Value next = e.load(values, f32, column, Lanes{across});
    ir::Emit at = math(next);
    Value merged = at.add(at.mul(old, keeps), at.mul(next, joins));
    e.store(at.select(isFirst, next, merged), total, column, Lanes{across});
  });
  Value merged = emit.add(emit.mul(before[1], keep), emit.mul(sum, join));
  return {emit.select(isFirst, maximum, larger),
          emit.select(isFirst, sum, merged)};
}

void AttentionNest::storeResult(const Token &token, Value sum) {
  auto type = cast<RankedTensorType>(op.getType());
  Value pointer = e.resultPointer(nest, 0);
  Value sums = e.splat(sum, across);
  e.loop(e.index(0), e.index(width), across, [&](Value column) {
    Value value = e.load(total, f32, column, Lanes{across});
    ir::Emit emit = math(value);
    SmallVector<Value> index{token.number, head, column};
    elements.store(emit.div(value, sums), type, pointer, index, Lanes{across});
  });
}

void AttentionNest::emitToken(const Token &token) {
  stageQuery(token);
  auto words = VectorType::get({lanes}, e.builder.getI32Type());
  Value none =
      arith::ConstantOp::create(e.builder, e.builder.getZeroAttr(words));
  Value first = e.mul(e.div(token.from, kSegment), kSegment);
  SmallVector<Value> init{e.f32(kNegativeInfinity), e.f32(0), none};
  SmallVector<Value> last = e.loop(
      first, token.to, kSegment, init, [&](Value segment, ValueRange carried) {
        Value maximum, sum, nan = carried[2];
        emitSegment(token, segment, maximum, sum, nan);
        SmallVector<Value> merged =
            mergeSegment(equal(segment, first), carried, maximum, sum);
        merged.push_back(nan);
        return merged;
      });
  Value seen = foldLanes(last[2], [&](Value a, Value b) {
    return arith::OrIOp::create(e.builder, a, b).getResult();
  });
  Value isNan = less(e.index(0), e.toIndex(seen));
  e.emitFailure(isNan, TENON_FAILURE_NAN, op, token.number, e.index(0));
  storeResult(token, last[1]);
}

LogicalResult AttentionNest::emit(Value tile) {
  batch = e.batch(op.getBatch());
  q = e.scratch(width * sizeof(float));
  weights = e.scratch(kBlock * sizeof(float));
  values = e.scratch(width * sizeof(float));
  total = e.scratch(width * sizeof(float));
  head = e.rem(tile, e.index(heads));
  group = e.div(head, heads / keysType.getHeads());
  int64_t tileRows = nest.schedule.getTileRows();
  Value first = e.mul(e.div(tile, heads), tileRows);
  Value tokens = e.extent(cast<RankedTensorType>(op.getType()), 0);
  Value end = e.min(e.add(first, e.index(tileRows)), tokens);
  e.loop(first, end, 1, [&](Value number) {
    Token at = tokenAt(number);
    ir::Emit emit = math(number);
    Value isEmpty = less(at.to, e.index(1));
    Value missing = emit.either(isEmpty, isPageMissing(at));
    e.emitFailure(missing, TENON_FAILURE_NO_PAGE, op, number,
                  e.sub(at.to, e.index(1)));
    e.ifThen(emit.negate(missing), [&] { emitToken(at); });
  });
  return elements.status();
}

} // namespace

Size attentionTiles(KernelEmitter &emitter, const Nest &nest) {
  auto type = cast<RankedTensorType>(attentionOf(nest).getType());
  Size tokens =
      emitter.ceilDiv(emitter.size(type, 0), nest.schedule.getTileRows());
  return emitter.mul(tokens, emitter.size(type, 1));
}

LogicalResult emitAttentionNest(KernelEmitter &emitter, const Nest &nest,
                                Value tile) {
  return AttentionNest(emitter, nest).emit(tile);
}

} // namespace tenon::codegen::cpu
