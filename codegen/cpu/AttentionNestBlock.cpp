//===- AttentionNestBlock.cpp - Scores, softmax, values of a block --------===//

#include "codegen/cpu/AttentionNestBlock.h"

#include "ir/tn/Emit.h"
#include "tenon/abi.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <limits>
#include <numeric>

namespace tenon::codegen::cpu {

using namespace mlir;

namespace {

constexpr int64_t kBlock = TENON_CACHE_BLOCK;
constexpr int64_t kChain = 512; // elements of a score's chain
constexpr int64_t kLineBytes = 64;
constexpr float kNegativeInfinity = -std::numeric_limits<float>::infinity();

ir::Emit mathOf(KernelEmitter &e, Value like) {
  return ir::Emit(e.builder, e.builder.getLoc(), like.getType());
}

Value less(KernelEmitter &e, Value a, Value b) {
  return arith::CmpIOp::create(e.builder, arith::CmpIPredicate::slt, a, b);
}

Value larger(KernelEmitter &e, Value a, Value b) {
  ir::Emit emit = mathOf(e, a);
  return emit.select(emit.less(a, b), b, a);
}

} // namespace

Value toFloats(KernelEmitter &e, Value stored) {
  ir::Emit emit = mathOf(e, stored);
  if (!getElementTypeOrSelf(stored.getType()).isInteger(8))
    return emit.extend(stored);
  return emit.toFloat(emit.resize(stored, 32));
}

Value foldLanes(KernelEmitter &e, Value vector,
                function_ref<Value(Value, Value)> combine) {
  int64_t lanes = cast<VectorType>(vector.getType()).getDimSize(0);
  for (int64_t half = lanes / 2; half > 0; half /= 2) {
    SmallVector<int64_t> low(half), high(half);
    std::iota(low.begin(), low.end(), 0);
    std::iota(high.begin(), high.end(), half);
    Value a = vector::ShuffleOp::create(e.builder, vector, vector, low);
    Value b = vector::ShuffleOp::create(e.builder, vector, vector, high);
    vector = combine(a, b);
  }
  return vector::ExtractOp::create(e.builder, vector, ArrayRef<int64_t>{0});
}

AttentionBlock::AttentionBlock(KernelEmitter &emitter,
                               const ir::AttentionShape &shape,
                               int64_t groupRows, const AttentionState &state,
                               TokenOf tokenOf)
    : e(emitter), shape(shape), state(state), tokenOf(std::move(tokenOf)),
      f32(e.builder.getF32Type()), rows(groupRows), width(shape.width),
      valueWidth(shape.valueWidth), lanes(e.vectorWidth()),
      across(std::gcd(valueWidth, lanes)) {
  scores = e.scratch(rows * kBlock * sizeof(float));
  for (Value *each : {&highest, &shift, &keep, &sums})
    *each = e.scratch(lanes * sizeof(float));
}

/// Vectors beside each other in a register tile of the group's rows: a power of
/// two, at most `most`, that leaves registers for what is multiplied.
int64_t AttentionBlock::vectorsBeside(int64_t most) const {
  int64_t registers = e.features() == base::CpuFeatures::V3 ? 12 : 24;
  int64_t vectors = 8;
  while (vectors > 1 && (vectors * rows > registers || vectors > most))
    vectors /= 2;
  return vectors;
}

/// The group's number of `row` in an i32 array, as an index.
Value AttentionBlock::rowNumber(Value array, int64_t row) {
  Value at = e.add(group.lanes, e.index(row));
  return e.toIndex(e.load(array, e.builder.getI32Type(), at));
}

/// Fetches the lines of `count` elements of the next block, which the hardware
/// does not find by itself: it lies in another page.
void AttentionBlock::prefetch(Value base, Type element, Value offset,
                              int64_t count) {
  if (!base)
    return;
  int64_t perLine = kLineBytes * 8 / element.getIntOrFloatBitWidth();
  for (int64_t i = 0; i < count; i += perLine) {
    Value at = e.address(base, element, e.add(offset, e.index(i)));
    LLVM::Prefetch::create(e.builder, at, /*rw=*/0, /*hint=*/2, /*cache=*/1);
  }
}

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

/// The scales of the quants d .. d + 31 of `vectors` vectors of keys.
SmallVector<Value> AttentionBlock::keyScales(Value d, Value key,
                                             int64_t vectors) {
  SmallVector<Value> scales;
  Type f16 = e.builder.getF16Type();
  Value first = e.add(e.mul(e.div(d, kQuants), kBlock), key);
  prefetch(group.block.nextKeyScales, f16, first, vectors * lanes);
  for (int64_t v = 0; v < vectors; ++v) {
    Value at = e.add(first, e.index(v * lanes));
    Value scale = e.load(group.block.keyScales, f16, at, Lanes{lanes});
    scales.push_back(toFloats(e, scale));
  }
  return scales;
}

/// Adds the products of element d to the sums [rows][vectors].
SmallVector<Value> AttentionBlock::scoreProducts(Value d, Value key,
                                                 ValueRange carried,
                                                 ArrayRef<Value> scales,
                                                 int64_t vectors) {
  SmallVector<Value> next(carried), keys(vectors);
  prefetch(group.block.nextKeys, group.block.keyElement,
           e.add(e.mul(d, kBlock), key), vectors * lanes);
  for (auto [v, loaded] : llvm::enumerate(keys)) {
    Value lane = e.add(key, e.index(v * lanes));
    loaded = e.load(group.block.keys, group.block.keyElement,
                    e.add(e.mul(d, kBlock), lane), Lanes{lanes});
    loaded = toFloats(e, loaded);
    if (!scales.empty())
      loaded = mathOf(e, loaded).mul(loaded, scales[v]);
  }
  for (int64_t row = 0; row < rows; ++row) {
    Value element = e.load(group.q, f32, e.add(d, e.index(row * width)));
    Value q = e.splat(element, lanes);
    for (int64_t v = 0; v < vectors; ++v) {
      Value &sum = next[row * vectors + v];
      sum = mathOf(e, sum).fma(q, keys[v], sum);
    }
  }
  return next;
}

SmallVector<Value> AttentionBlock::scoreChain(Value key, int64_t vectors,
                                              int64_t from, int64_t to) {
  SmallVector<Value> zeros(rows * vectors, e.splat(e.f32(0), lanes));
  int64_t step = rows * vectors >= 12 ? 2 : 4;
  while (width % step)
    step /= 2;
  auto walk = [&](Value first, Value end, ValueRange start,
                  ArrayRef<Value> scales) {
    return e.loop(first, end, step, start, [&](Value d, ValueRange carried) {
      SmallVector<Value> next(carried);
      for (int64_t u = 0; u < step; ++u)
        next = scoreProducts(e.add(d, e.index(u)), key, next, scales, vectors);
      return next;
    });
  };
  if (!group.block.keyScales)
    return walk(e.index(from), e.index(to), zeros, {});
  auto body = [&](Value d, ValueRange carried) {
    return walk(d, e.add(d, e.index(kQuants)), carried,
                keyScales(d, key, vectors));
  };
  return e.loop(e.index(from), e.index(to), kQuants, zeros, body);
}

void AttentionBlock::emitScores() {
  int64_t vectors = vectorsBeside(kBlock / lanes);
  Value scale = e.splat(e.f32(static_cast<float>(shape.scale)), lanes);
  e.loop(e.index(0), e.index(kBlock), vectors * lanes, [&](Value key) {
    e.countProducts(rows * vectors * lanes, e.index(width));
    SmallVector<Value> total;
    for (int64_t from = 0; from < width; from += kChain) {
      int64_t to = std::min(width, from + kChain);
      SmallVector<Value> chain = scoreChain(key, vectors, from, to);
      for (size_t i = 0; i < chain.size() && from > 0; ++i)
        chain[i] = mathOf(e, chain[i]).add(total[i], chain[i]);
      total = std::move(chain);
    }
    for (auto [i, sum] : llvm::enumerate(total)) {
      int64_t row = i / vectors, lane = i % vectors * lanes;
      Value at = e.add(key, e.index(row * kBlock + lane));
      e.store(mathOf(e, sum).mul(sum, scale), scores, at, Lanes{lanes});
    }
  });
}

// Scores out of range become -inf, whose weight is 0 beside any other.
void AttentionBlock::emitMask() {
  Value lowest = e.splat(e.f32(kNegativeInfinity), lanes);
  auto lanesBefore = [&](Value position, Value first) {
    return e.firstLanes(e.max(e.index(0), e.sub(position, first)), lanes);
  };
  auto countOf = [&](Value array, Value row, Value first) {
    Value at = e.add(group.lanes, row);
    Value position = e.toIndex(e.load(array, e.builder.getI32Type(), at));
    return lanesBefore(position, first);
  };
  e.loop(e.index(0), e.index(rows), 1, [&](Value row) {
    for (int64_t lane = 0; lane < kBlock; lane += lanes) {
      Value first = e.add(group.block.position, e.index(lane));
      Value before = countOf(state.from, row, first);
      Value until = countOf(state.to, row, first);
      Value at = e.add(e.mul(row, kBlock), e.index(lane));
      Value score = e.load(scores, f32, at, Lanes{lanes});
      ir::Emit emit = mathOf(e, score);
      Value seen = emit.negate(before);
      if (shape.globals)
        seen = emit.either(seen, lanesBefore(e.index(shape.globals), first));
      Value inRange = emit.both(until, seen);
      e.store(emit.select(inRange, score, lowest), scores, at, Lanes{lanes});
    }
  });
}

//===----------------------------------------------------------------------===//
// The softmax
//===----------------------------------------------------------------------===//

void AttentionBlock::emitMaxima() {
  auto &b = e.builder;
  e.loop(e.index(0), e.index(rows), 1, [&](Value row) {
    Value maximum, nan;
    for (int64_t lane = 0; lane < kBlock; lane += 2 * lanes) {
      Value at = e.add(e.mul(row, kBlock), e.index(lane));
      Value x = e.load(scores, f32, at, Lanes{lanes});
      Value y = e.load(scores, f32, e.add(at, e.index(lanes)), Lanes{lanes});
      Value either = arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, x, y);
      nan = nan ? arith::OrIOp::create(b, nan, either) : either;
      Value both = larger(e, x, y);
      maximum = maximum ? larger(e, maximum, both) : both;
    }
    Value seen = vector::ReductionOp::create(b, vector::CombiningKind::OR, nan);
    e.ifThen(seen, [&] {
      Value token = tokenOf(e.add(group.row, row));
      e.emitFailure(seen, TENON_FAILURE_NAN, shape.op, token, e.index(0));
    });
    auto combine = [&](Value x, Value y) { return larger(e, x, y); };
    e.store(foldLanes(e, maximum, combine), highest, row);
  });
}

// Rows without a key of the block in range stay as they are: their maximum
// does, their sums are kept, and a shift of 0 makes their weights exp(-inf).
// A maximum of -inf is that of no keys before. (Or of scores of -inf alone:
// then the sums are NaN, whatever they are multiplied with.)
void AttentionBlock::emitStatistics() {
  auto &b = e.builder;
  Value old = e.load(state.maximum, f32, group.lanes, Lanes{lanes});
  Value block = e.load(highest, f32, e.index(0), Lanes{lanes});
  Value maximum = larger(e, old, block);
  auto bound = [&](Value position) {
    return e.splat(e.fromIndex(position, b.getI32Type()), lanes);
  };
  auto positions = [&](Value array) {
    return e.load(array, b.getI32Type(), group.lanes, Lanes{lanes});
  };
  Value end = e.add(group.block.position, e.index(kBlock));
  Value starts = less(e, positions(state.from), bound(end));
  Value ends = less(e, bound(group.block.position), positions(state.to));
  ir::Emit emit = mathOf(e, maximum);
  if (shape.globals) {
    Value globals = e.index(shape.globals);
    starts = emit.either(
        starts, e.splat(less(e, group.block.position, globals), lanes));
  }
  Value isActive = emit.both(starts, ends);
  Value zero = emit.constant(0), one = emit.constant(1);
  Value isFirst = emit.equal(old, emit.constant(kNegativeInfinity));
  Value decay = emit.exp(emit.sub(old, maximum));
  decay = emit.select(isFirst, zero, decay);
  e.store(maximum, state.maximum, group.lanes, Lanes{lanes});
  e.store(emit.select(isActive, maximum, zero), shift, e.index(0),
          Lanes{lanes});
  e.store(emit.select(isActive, decay, one), keep, e.index(0), Lanes{lanes});
}

void AttentionBlock::emitWeights() {
  e.loop(e.index(0), e.index(rows), 1, [&](Value row) {
    Value maximum = e.splat(e.load(shift, f32, row), lanes);
    SmallVector<Value> parts;
    for (int64_t lane = 0; lane < kBlock; lane += lanes) {
      Value at = e.add(e.mul(row, kBlock), e.index(lane));
      Value score = e.load(scores, f32, at, Lanes{lanes});
      ir::Emit emit = mathOf(e, score);
      parts.push_back(emit.exp(emit.sub(score, maximum)));
      e.store(parts.back(), scores, at, Lanes{lanes});
    }
    // The tree of halves over the 64 weights.
    auto add = [&](Value x, Value y) { return mathOf(e, x).add(x, y); };
    for (size_t half = parts.size() / 2; half > 0; half /= 2)
      for (size_t i = 0; i < half; ++i)
        parts[i] = add(parts[i], parts[i + half]);
    e.store(foldLanes(e, parts[0], add), sums, row);
  });
}

void AttentionBlock::emitSums() {
  Value before = e.load(state.sum, f32, group.lanes, Lanes{lanes});
  Value kept = e.load(keep, f32, e.index(0), Lanes{lanes});
  Value block = e.load(sums, f32, e.index(0), Lanes{lanes});
  ir::Emit emit = mathOf(e, before);
  Value sum = emit.add(emit.mul(before, kept), block);
  e.store(sum, state.sum, group.lanes, Lanes{lanes});
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

/// The scale of block `number` of a key's quants, or null.
Value AttentionBlock::valueScale(Value key, Value number) {
  if (!group.block.valueScales)
    return {};
  Value at = e.add(e.mul(key, valueWidth / kQuants), number);
  return e.splat(e.load(group.block.valueScales, f32, at), across);
}

/// values = values * keep, then one multiply-add for each key that all rows
/// have in range.
void AttentionBlock::emitValueTile(Value column, int64_t vectors) {
  auto offset = [&](int64_t row, int64_t v) {
    return e.add(column, e.index(row * valueWidth + v * across));
  };
  int64_t pitch = group.block.valuePitch;
  SmallVector<Value> acc;
  for (int64_t row = 0; row < rows; ++row) {
    Value kept = e.splat(e.load(keep, f32, e.index(row)), across);
    for (int64_t v = 0; v < vectors; ++v) {
      Value before = e.load(group.values, f32, offset(row, v), Lanes{across});
      acc.push_back(mathOf(e, before).mul(before, kept));
    }
  }
  auto body = [&](Value key, ValueRange carried) {
    SmallVector<Value> next(carried), values(vectors);
    prefetch(group.block.nextValues, group.block.valueElement,
             e.add(e.mul(key, pitch), column), vectors * across);
    Value scale;
    for (auto [v, loaded] : llvm::enumerate(values)) {
      Value at = e.add(e.mul(key, pitch), offset(0, v));
      loaded = e.load(group.block.values, group.block.valueElement, at,
                      Lanes{across});
      loaded = toFloats(e, loaded);
      // A tile is whole blocks, or in one.
      if (int64_t inTile = v * across; inTile % kQuants == 0)
        scale = valueScale(
            key, e.add(e.div(column, kQuants), e.index(inTile / kQuants)));
      if (scale)
        loaded = mathOf(e, loaded).mul(loaded, scale);
    }
    for (int64_t row = 0; row < rows; ++row) {
      Value at = e.add(key, e.index(row * kBlock));
      Value weight = e.splat(e.load(scores, f32, at), across);
      for (int64_t v = 0; v < vectors; ++v) {
        Value &sum = next[row * vectors + v];
        sum = mathOf(e, sum).fma(weight, values[v], sum);
      }
    }
    return next;
  };
  acc = e.loop(group.from, group.to, 1, acc, body);
  e.countProducts(rows * vectors * across, e.sub(group.to, group.from));
  for (auto [i, sum] : llvm::enumerate(acc))
    e.store(sum, group.values, offset(i / vectors, i % vectors), Lanes{across});
}

// The keys that not every row has in range, row by row: those before the keys
// in range of all, which also applies what is kept; or those after.
void AttentionBlock::emitRowValues(bool isBefore) {
  auto keyOf = [&](Value array, Value row) {
    Value at = e.add(group.lanes, row);
    Value position = e.toIndex(e.load(array, e.builder.getI32Type(), at));
    return e.sub(position, group.block.position);
  };
  e.loop(e.index(0), e.index(rows), 1, [&](Value row) {
    Value from = e.max(keyOf(state.from, row), e.index(0));
    Value to = e.min(keyOf(state.to, row), e.index(kBlock));
    if (isBefore)
      to = e.min(to, group.from);
    else
      from = e.max(from, group.to);
    Value globalsTo; // of those before the window
    if (isBefore && shape.globals)
      globalsTo = e.min(e.min(keyOf(state.from, row), group.from),
                        e.sub(e.index(shape.globals), group.block.position));
    Value kept = e.splat(e.load(keep, f32, row), across);
    Value first = e.mul(row, valueWidth), weights = e.mul(row, kBlock);
    e.loop(e.index(0), e.index(valueWidth), across, [&](Value column) {
      Value at = e.add(first, column);
      Value acc = e.load(group.values, f32, at, Lanes{across});
      if (isBefore)
        acc = mathOf(e, acc).mul(acc, kept);
      auto body = [&](Value key, ValueRange carried) -> SmallVector<Value> {
        Value weight = e.load(scores, f32, e.add(weights, key));
        Value at = e.add(e.mul(key, group.block.valuePitch), column);
        Value value = e.load(group.block.values, group.block.valueElement, at,
                             Lanes{across});
        ir::Emit emit = mathOf(e, carried[0]);
        value = toFloats(e, value);
        if (Value scale = valueScale(key, e.div(column, kQuants)))
          value = emit.mul(value, scale);
        return {emit.fma(e.splat(weight, across), value, carried[0])};
      };
      if (globalsTo)
        acc = e.loop(e.index(0), globalsTo, 1, acc, body)[0];
      acc = e.loop(from, to, 1, acc, body)[0];
      e.store(acc, group.values, at, Lanes{across});
    });
    if (isBefore)
      e.store(e.f32(1), keep, row);
  });
}

void AttentionBlock::emitValues() {
  Value isPartial = mathOf(e, group.isFull).negate(group.isFull);
  e.ifThen(isPartial, [&] { emitRowValues(/*isBefore=*/true); });
  int64_t vectors = vectorsBeside(valueWidth / across);
  int64_t step = vectors * across, whole = valueWidth / step * step;
  e.loop(e.index(0), e.index(whole), step,
         [&](Value column) { emitValueTile(column, vectors); });
  if (whole < valueWidth)
    emitValueTile(e.index(whole), (valueWidth - whole) / across);
  e.ifThen(isPartial, [&] { emitRowValues(/*isBefore=*/false); });
}

// Ranges ascend by row, so that the first and the last row tell. In a block
// before every window, globals are what all rows have in range.
void AttentionBlock::findCommon() {
  auto keyOf = [&](Value position) {
    Value key = e.sub(position, group.block.position);
    return e.min(e.max(key, e.index(0)), e.index(kBlock));
  };
  group.from = keyOf(rowNumber(state.from, rows - 1));
  group.to = keyOf(rowNumber(state.to, 0));
  ir::Emit emit = mathOf(e, group.from);
  if (shape.globals) {
    Value firstFrom = keyOf(rowNumber(state.from, 0));
    Value isBefore = emit.negate(less(e, firstFrom, e.index(kBlock)));
    group.from = emit.select(isBefore, e.index(0), group.from);
    group.to = emit.select(isBefore, keyOf(e.index(shape.globals)), group.to);
  }
  Value isPartial = emit.either(less(e, e.index(0), group.from),
                                less(e, group.to, e.index(kBlock)));
  group.isFull = emit.negate(isPartial);
  group.to = e.max(group.from, group.to);
}

void AttentionBlock::emit(const KeyBlock &block, Value number) {
  Value row = e.mul(number, rows);
  group = {e.mul(number, lanes),
           row,
           e.address(state.q, f32, e.mul(row, width)),
           e.address(state.values, f32, e.mul(row, valueWidth)),
           Value(),
           Value(),
           Value(),
           block};
  Value end = e.add(block.position, e.index(kBlock));
  // Ranges ascend by row.
  ir::Emit emit = mathOf(e, row);
  Value starts = less(e, rowNumber(state.from, 0), end);
  if (shape.globals)
    starts =
        emit.either(starts, less(e, block.position, e.index(shape.globals)));
  Value isActive =
      emit.both(starts, less(e, block.position, rowNumber(state.to, rows - 1)));
  e.ifThen(isActive, [&] {
    findCommon();
    Value isPartial = mathOf(e, group.isFull).negate(group.isFull);
    emitScores();
    e.ifThen(isPartial, [&] { emitMask(); });
    emitMaxima();
    emitStatistics();
    emitWeights();
    emitSums();
    emitValues();
  });
}

} // namespace tenon::codegen::cpu
