//===- ElementSelect.cpp - Choosing elements of a row: argmax, top-k ------===//
//
// Elements are ordered by an i32 key that is monotone in the float, so that -0
// equals +0 and the lowest index wins among equals. The k largest of many are
// found by narrowing the k-th key down, 12, 12 and 8 bits at a time, with
// histograms: five passes, whatever the values. Of a long row few keys are left
// by then: the k-th largest of the maxima of groups is no larger than the k-th
// key, and whole vectors are below it.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Select.h"

#include "tenon/abi.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <limits>

namespace tenon::codegen::cpu {

using namespace mlir;

namespace {

// Keys of which the largest is taken, where a row is long.
constexpr int64_t kGroup = 64, kLongRow = 8192;

RankedTensorType tensorType(Value tensor) {
  return cast<RankedTensorType>(tensor.getType());
}

/// lanes.offset + 0, 1, .. as i32.
Value columnNumbers(KernelEmitter &e, const Lanes &lanes) {
  Value first = e.fromIndex(lanes.offset, e.builder.getI32Type());
  if (lanes.width == 1)
    return first;
  SmallVector<int32_t> numbers =
      llvm::to_vector(llvm::seq<int32_t>(0, lanes.width));
  Value each =
      arith::ConstantOp::create(e.builder, e.builder.getI32VectorAttr(numbers));
  return arith::AddIOp::create(e.builder, e.splat(first, lanes.width), each);
}

Value upperHalf(KernelEmitter &e, Value vector, bool isUpper) {
  int64_t half = cast<VectorType>(vector.getType()).getNumElements() / 2;
  return vector::ExtractStridedSliceOp::create(
      e.builder, vector, ArrayRef<int64_t>{isUpper ? half : 0},
      ArrayRef<int64_t>{half}, ArrayRef<int64_t>{1});
}

/// The larger element, of equal ones that of the lower number, across lanes.
std::pair<Value, Value> bestLane(KernelEmitter &e, Value best, Value number) {
  while (cast<VectorType>(best.getType()).getNumElements() > 1) {
    Value low = upperHalf(e, best, false), high = upperHalf(e, best, true);
    Value i = upperHalf(e, number, false), j = upperHalf(e, number, true);
    ir::Emit a(e.builder, e.builder.getLoc(), low.getType());
    Value isHigh =
        a.either(a.less(low, high), a.both(a.equal(low, high), a.less(j, i)));
    best = a.select(isHigh, high, low);
    number = a.select(isHigh, j, i);
  }
  return {vector::ExtractOp::create(e.builder, best, 0),
          vector::ExtractOp::create(e.builder, number, 0)};
}

} // namespace

Best emitArgmax(KernelEmitter &e, Value count, Value least, RowSource values) {
  int64_t width = e.vectorWidth();
  Location loc = e.builder.getLoc();
  auto i32s = VectorType::get({width}, e.builder.getI32Type());
  auto i1s = VectorType::get({width}, e.builder.getI1Type());
  Value zeros =
      arith::ConstantOp::create(e.builder, e.builder.getZeroAttr(i32s));
  Value none = arith::ConstantOp::create(e.builder, e.builder.getZeroAttr(i1s));
  SmallVector<Value> found =
      e.columns(count, width, ValueRange{e.splat(least, width), zeros, none},
                [&](ValueRange so, const Lanes &lanes) -> SmallVector<Value> {
                  Value value = values(lanes);
                  ir::Emit a(e.builder, loc, value.getType());
                  Value isBetter = a.less(so[0], value), isNan = a.isNan(value);
                  if (lanes.mask) {
                    isBetter = a.both(isBetter, lanes.mask);
                    isNan = a.both(isNan, lanes.mask);
                  }
                  return {a.select(isBetter, value, so[0]),
                          a.select(isBetter, columnNumbers(e, lanes), so[1]),
                          a.either(so[2], isNan)};
                });
  auto [best, number] = bestLane(e, found[0], found[1]);
  return {best, number, e.any(found[2])};
}

Value emitKey(KernelEmitter &e, Value value) {
  ir::Emit a(e.builder, e.builder.getLoc(), value.getType());
  Value bits = a.bits(a.add(value, a.constant(0))); // -0 and subnormals: +0
  Value flip = a.bitAnd(a.shiftRight(bits, 31), a.integer(0x7fffffff));
  return a.bitXor(bits, flip);
}

Value emitKeys(KernelEmitter &e, Value count, Value keys, RowSource values) {
  int64_t width = e.vectorWidth();
  auto i1s = VectorType::get({width}, e.builder.getI1Type());
  Value none = arith::ConstantOp::create(e.builder, e.builder.getZeroAttr(i1s));
  Value isNan =
      e.columns(count, width, none,
                [&](ValueRange so, const Lanes &lanes) -> SmallVector<Value> {
                  Value value = values(lanes);
                  ir::Emit a(e.builder, e.builder.getLoc(), value.getType());
                  Value here = a.isNan(value);
                  if (lanes.mask)
                    here = a.both(here, lanes.mask);
                  e.store(emitKey(e, value), keys, lanes.offset, lanes);
                  return {a.either(so[0], here)};
                })[0];
  return e.any(isNan);
}

//===----------------------------------------------------------------------===//
// The k largest
//===----------------------------------------------------------------------===//

namespace {

Value i32(KernelEmitter &e, int32_t value) {
  return arith::ConstantOp::create(e.builder,
                                   e.builder.getI32IntegerAttr(value));
}

/// A key as an unsigned number in the same order.
Value unsignedKey(KernelEmitter &e, Value keys, Value at) {
  Value key = e.load(keys, e.builder.getI32Type(), at);
  return arith::XOrIOp::create(e.builder, key,
                               i32(e, std::numeric_limits<int32_t>::min()));
}

/// One step of narrowing: of the keys whose bits above shift + bits are
/// `prefix`, counts those of each next `bits`, and finds the value that the
/// wanted-th largest has there.
struct Narrowed {
  Value prefix; // i32, with the bits found appended
  Value wanted; // i32: the rank among those of the prefix, from 1
};

Narrowed narrow(KernelEmitter &e, Value keys, Value count, Value histogram,
                int shift, int bits, Narrowed so) {
  int64_t bins = int64_t(1) << bits;
  Type type = e.builder.getI32Type();
  auto shiftRight = [&](Value x, int by) -> Value {
    return arith::ShRUIOp::create(e.builder, x, i32(e, by));
  };
  e.loop(e.index(0), e.index(bins), 1,
         [&](Value bin) { e.store(i32(e, 0), histogram, bin); });
  e.loop(e.index(0), count, 1, [&](Value at) {
    Value key = unsignedKey(e, keys, at);
    Value bin = arith::AndIOp::create(e.builder, shiftRight(key, shift),
                                      i32(e, int32_t(bins - 1)));
    auto note = [&] {
      Value slot = e.toIndex(bin);
      Value seen = e.load(histogram, type, slot);
      e.store(arith::AddIOp::create(e.builder, seen, i32(e, 1)), histogram,
              slot);
    };
    if (shift + bits == 32)
      return note();
    Value isOurs =
        arith::CmpIOp::create(e.builder, arith::CmpIPredicate::eq,
                              shiftRight(key, shift + bits), so.prefix);
    e.ifThen(isOurs, note);
  });
  Value no = arith::ConstantOp::create(e.builder, e.builder.getBoolAttr(false));
  SmallVector<Value> found = e.loop(
      e.index(0), e.index(bins), 1, ValueRange{so.wanted, i32(e, 0), no},
      [&](Value step, ValueRange carried) -> SmallVector<Value> {
        Value bin = e.sub(e.index(bins - 1), step);
        Value seen = e.load(histogram, type, bin);
        Value reaches = arith::CmpIOp::create(
            e.builder, arith::CmpIPredicate::sle, carried[0], seen);
        Value isDone = arith::OrIOp::create(e.builder, carried[2], reaches);
        Value rest = arith::SubIOp::create(e.builder, carried[0], seen);
        return {arith::SelectOp::create(e.builder, isDone, carried[0], rest),
                arith::SelectOp::create(e.builder, carried[2], carried[1],
                                        e.fromIndex(bin, type)),
                isDone};
      });
  Value prefix = arith::ShLIOp::create(e.builder, so.prefix, i32(e, bits));
  return {arith::OrIOp::create(e.builder, prefix, found[1]), found[0]};
}

Narrowed narrowAll(KernelEmitter &e, Value keys, Value count, Value k) {
  int64_t mark = e.scratchMark();
  Value histogram = e.scratch(4096 * 4);
  Narrowed so{i32(e, 0), e.fromIndex(k, e.builder.getI32Type())};
  so = narrow(e, keys, count, histogram, 20, 12, so);
  so = narrow(e, keys, count, histogram, 8, 12, so);
  so = narrow(e, keys, count, histogram, 0, 8, so);
  e.restoreScratch(mark);
  return so;
}

/// A key (i32) that the k-th largest reaches: the k-th largest of the maxima of
/// kGroup keys, if there are as many. `maxima` has room for them.
Value lowerBound(KernelEmitter &e, Value keys, Value count, Value k,
                 Value maxima) {
  int64_t width = e.vectorWidth(), stride = kGroup * width;
  Type type = e.builder.getI32Type();
  Value groups = e.div(count, stride);
  e.loop(e.index(0), groups, 1, [&](Value group) {
    Value first = e.mul(group, stride);
    Value start = e.load(keys, type, first, Lanes{width});
    auto step = [&](Value at, ValueRange so) -> SmallVector<Value> {
      Value key = e.load(keys, type, e.add(first, at), Lanes{width});
      return {arith::MaxSIOp::create(e.builder, so[0], key)};
    };
    Value most = e.loop(e.index(width), e.index(stride), width, start, step)[0];
    e.store(most, maxima, e.mul(group, width));
  });
  Value found = e.mul(groups, width);
  Value bound = narrowAll(e, maxima, found, e.min(k, found)).prefix;
  Value lowest = i32(e, std::numeric_limits<int32_t>::min());
  bound = arith::XOrIOp::create(e.builder, bound, lowest);
  Value isEnough =
      arith::CmpIOp::create(e.builder, arith::CmpIPredicate::sle, k, found);
  return arith::SelectOp::create(e.builder, isEnough, bound, lowest);
}

/// Moves the keys that reach `bound` to the front, in order, and stores the
/// index of each; returns how many they are.
Value keepLarge(KernelEmitter &e, Value keys, Value count, Value bound,
                Value indices) {
  int64_t width = e.vectorWidth();
  Type type = e.builder.getI32Type();
  auto reaches = [&](Value key, Value least) -> Value {
    return arith::CmpIOp::create(e.builder, arith::CmpIPredicate::sge, key,
                                 least);
  };
  auto keep = [&](Value at, ValueRange next) -> SmallVector<Value> {
    Value key = e.load(keys, type, at);
    e.store(key, keys, next[0]); // What lay there has been seen.
    e.store(e.fromIndex(at, type), indices, next[0]);
    Value after = e.add(next[0], e.index(1));
    return {arith::SelectOp::create(e.builder, reaches(key, bound), after,
                                    next[0])};
  };
  Value bounds = e.splat(bound, width);
  Value whole = e.sub(count, e.rem(count, width));
  auto step = [&](Value from, ValueRange next) -> SmallVector<Value> {
    Value some = e.load(keys, type, from, Lanes{width});
    auto choice = scf::IfOp::create(
        e.builder, TypeRange{e.builder.getIndexType()},
        e.any(reaches(some, bounds)), /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(e.builder);
    e.builder.setInsertionPointToStart(choice.thenBlock());
    Value to = e.add(from, e.index(width));
    scf::YieldOp::create(e.builder, e.loop(from, to, 1, next, keep));
    e.builder.setInsertionPointToStart(choice.elseBlock());
    scf::YieldOp::create(e.builder, next);
    return {choice.getResult(0)};
  };
  Value kept = e.loop(e.index(0), whole, width, e.index(0), step)[0];
  return e.loop(whole, count, 1, kept, keep)[0];
}

/// Collects, in order of index, the keys above the k-th and as many equal to
/// it as are wanted, each with its index below: (key << 32) | ~index. The
/// index is a key's place where `indices` is null.
void collect(KernelEmitter &e, Value keys, Value indices, Value count,
             Narrowed least, Value chosen) {
  Type type = e.builder.getI32Type(), wide = e.builder.getI64Type();
  e.loop(
      e.index(0), count, 1, ValueRange{i32(e, 0), least.wanted},
      [&](Value at, ValueRange carried) -> SmallVector<Value> {
        Value key = unsignedKey(e, keys, at);
        auto compare = [&](arith::CmpIPredicate how, Value x,
                           Value y) -> Value {
          return arith::CmpIOp::create(e.builder, how, x, y);
        };
        Value isAbove = compare(arith::CmpIPredicate::ugt, key, least.prefix);
        Value isEqual = compare(arith::CmpIPredicate::eq, key, least.prefix);
        Value isWanted =
            compare(arith::CmpIPredicate::sgt, carried[1], i32(e, 0));
        Value takesEqual = arith::AndIOp::create(e.builder, isEqual, isWanted);
        Value taken = arith::OrIOp::create(e.builder, isAbove, takesEqual);
        e.ifThen(taken, [&] {
          ir::Emit a(e.builder, e.builder.getLoc(), wide);
          Value signedKey = e.load(keys, type, at);
          Value high = a.shiftLeft(a.resize(signedKey, 64), 32);
          Value index = indices ? e.toIndex(e.load(indices, type, at)) : at;
          Value low = a.sub(a.number(0xffffffff, 64), e.fromIndex(index, wide));
          e.store(arith::OrIOp::create(e.builder, high, low), chosen,
                  e.toIndex(carried[0]));
        });
        auto count01 = [&](Value bit) -> Value {
          return arith::ExtUIOp::create(e.builder, type, bit);
        };
        return {
            arith::AddIOp::create(e.builder, carried[0], count01(taken)),
            arith::SubIOp::create(e.builder, carried[1], count01(takesEqual))};
      });
}

/// Stores the index of each chosen key at its rank. All keys differ.
void sortByRank(KernelEmitter &e, Value chosen, Value k, Value order) {
  int64_t width = e.vectorWidth() / 2;
  Type wide = e.builder.getI64Type();
  auto i64s = VectorType::get({width}, wide);
  Value zeros =
      arith::ConstantOp::create(e.builder, e.builder.getZeroAttr(i64s));
  ir::Emit a(e.builder, e.builder.getLoc(), i64s);
  e.loop(e.index(0), k, 1, [&](Value at) {
    Value own = e.load(chosen, wide, at);
    Value owns = e.splat(own, width);
    Value ranks =
        e.columns(k, width, zeros,
                  [&](ValueRange so, const Lanes &lanes) -> SmallVector<Value> {
                    Value others = e.load(chosen, wide, lanes.offset, lanes);
                    Value isBefore = a.less(owns, others);
                    if (lanes.mask)
                      isBefore = a.both(isBefore, lanes.mask);
                    Value ones =
                        arith::ExtUIOp::create(e.builder, i64s, isBefore);
                    return {a.add(so[0], ones)};
                  })[0];
    Value rank = vector::ReductionOp::create(e.builder,
                                             vector::CombiningKind::ADD, ranks);
    Value low = arith::TruncIOp::create(e.builder, e.builder.getI32Type(), own);
    Value index = arith::XOrIOp::create(e.builder, low, i32(e, -1));
    e.store(index, order, e.toIndex(rank));
  });
}

} // namespace

void emitLargest(KernelEmitter &e, const KeyRow &row, Value k, int64_t mostK,
                 Value order) {
  int64_t mark = e.scratchMark();
  Value count = row.count, chosen = e.scratch(mostK * 8), indices;
  if (row.most >= kLongRow) {
    indices = e.scratch(row.most * 4);
    Value maxima = indices; // They are done with when indices are stored.
    Value bound = lowerBound(e, row.keys, count, k, maxima);
    count = keepLarge(e, row.keys, count, bound, indices);
  }
  Narrowed so = narrowAll(e, row.keys, count, k);
  collect(e, row.keys, indices, count, so, chosen);
  sortByRank(e, chosen, k, order);
  e.restoreScratch(mark);
}

void emitFewLargest(KernelEmitter &e, Value keys, Value count, Value k,
                    Value order) {
  Value least = i32(e, std::numeric_limits<int32_t>::min());
  e.loop(e.index(0), k, 1, [&](Value rank) {
    Best best = emitArgmax(e, count, least, [&](const Lanes &lanes) {
      return e.load(keys, e.builder.getI32Type(), lanes.offset, lanes);
    });
    e.store(best.number, order, rank);
    e.store(least, keys, e.toIndex(best.number)); // It is taken.
  });
}

//===----------------------------------------------------------------------===//
// The ops
//===----------------------------------------------------------------------===//

Value Elements::prepareWholeRow(Value x, ValueRange row) {
  Index start(row);
  start.push_back(e.index(0));
  if (runLength(x) != 0 || isExpensive(x))
    stage(x, start);
  else
    prepare(x, start);
  RankedTensorType type = tensorType(x);
  return e.extent(type, type.getRank() - 1);
}

Value Elements::wholeRowElement(Value x, ValueRange row, const Lanes &lanes) {
  Scope scope(*this);
  Index start(row);
  start.push_back(e.index(0));
  return pull(x, start, lanes);
}

/// The number of a row, for failures.
Value Elements::rowNumber(Value x, ValueRange row) {
  RankedTensorType type = tensorType(x);
  Value number = e.index(0);
  for (auto [axis, at] : llvm::enumerate(row))
    number = axis == 0 ? at : e.add(e.mul(number, e.extent(type, axis)), at);
  return number;
}

void Elements::prepareArgmax(ir::ArgmaxOp op, ValueRange row) {
  if (find(op, Value(), row))
    return;
  Value count = prepareWholeRow(op.getX(), row);
  Value least = e.f32(-std::numeric_limits<float>::infinity());
  Best best = emitArgmax(e, count, least, [&](const Lanes &lanes) {
    return wholeRowElement(op.getX(), row, lanes);
  });
  e.emitFailure(best.hasNan, TENON_FAILURE_NAN, op, rowNumber(op.getX(), row),
                e.index(0));
  Value number =
      arith::SelectOp::create(e.builder, best.hasNan, i32(e, 0), best.number);
  prepared.push_back({op, Value(), Index(row), {number}});
}

void Elements::prepareTopK(ir::TopKOp op, ValueRange row) {
  if (find(nullptr, op.getValues(), row))
    return;
  // Rows of experts are short and k small; a vocabulary needs the histograms.
  constexpr int64_t kFew = 16;
  int64_t columns = tensorType(op.getX()).getShape().back(), k = op.getK();
  Value values = e.scratch(k * 4), order = e.scratch(k * 4);
  Value count = prepareWholeRow(op.getX(), row);
  Value keys = e.scratch(columns * 4);
  Value hasNan = emitKeys(e, count, keys, [&](const Lanes &lanes) {
    return wholeRowElement(op.getX(), row, lanes);
  });
  e.emitFailure(hasNan, TENON_FAILURE_NAN, op, rowNumber(op.getX(), row),
                e.index(0));
  if (k <= kFew)
    emitFewLargest(e, keys, count, e.index(k), order);
  else
    emitLargest(e, {keys, count, columns}, e.index(k), k, order);
  Value zero = i32(e, 0);
  e.loop(e.index(0), e.index(k), 1, [&](Value rank) {
    Value number = e.load(order, e.builder.getI32Type(), rank);
    Value value =
        wholeRowElement(op.getX(), row, Lanes{1, Value(), e.toIndex(number)});
    number = arith::SelectOp::create(e.builder, hasNan, zero, number);
    value = arith::SelectOp::create(e.builder, hasNan, e.f32(0), value);
    e.store(number, order, rank);
    e.store(value, values, rank);
  });
  prepared.push_back({nullptr, op.getValues(), Index(row), {values}});
  prepared.push_back({nullptr, op.getIndices(), Index(row), {order}});
}

} // namespace tenon::codegen::cpu
