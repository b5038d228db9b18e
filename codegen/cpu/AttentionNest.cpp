//===- AttentionNest.cpp - Attention over caches or rows ------------------===//
//
// The rows of a run (AttentionNestTile.h) walk the blocks of 64 keys together
// (AttentionNestBlock.h), so that a block is read once for all of them; running
// sums of a segment of 512 keys and of the segments before it lie in scratch.
// The order of every sum is that of `tn.attention`.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/AttentionNestRows.h"
#include "codegen/cpu/AttentionNestTile.h"
#include "codegen/cpu/AttentionNests.h"
#include "ir/tn/Emit.h"

#include "tenon/abi.h"

#include <limits>
#include <numeric>

namespace tenon::codegen::cpu {

using namespace mlir;

namespace {

constexpr int64_t kBlock = TENON_CACHE_BLOCK;
constexpr int64_t kSegment = 512; // keys

constexpr float kNegativeInfinity = -std::numeric_limits<float>::infinity();

class AttentionNest {
public:
  AttentionNest(KernelEmitter &e, const Nest &nest);

  LogicalResult emit(Value number);

private:
  void emitRun(const TokenRun &run);
  void startRows(const TokenRun &run);
  void emitSegment(const TokenRun &run, Value segment);
  void startSegment(const TokenRun &run);
  void mergeRow(Value row, Value at, Value isFirst);
  void storeRow(const TokenRun &run, Value row);
  void storeLogSum(const TokenRun &run, Value row);
  Value numberAt(Value row); // in an array [groups][lanes]
  Value load(Value array, Value at) { return e.load(array, f32, at); }
  ir::Emit math(Value like) {
    return ir::Emit(e.builder, e.builder.getLoc(), like.getType());
  }

  KernelEmitter &e;
  const Nest &nest;
  QueryTile tile;
  ir::AttentionShape shape;
  Elements elements;
  Type f32, i32;
  int64_t lanes, width, valueWidth;
  int64_t across; // lanes along the values' width: a power of two dividing it
  std::unique_ptr<KeySource> keys;
  AttentionState state;
  Value total, totalMaximum, totalSum; // f32, of the segments before
};

AttentionNest::AttentionNest(KernelEmitter &e, const Nest &nest)
    : e(e), nest(nest), tile(e, nest), shape(tile.shape), elements(e),
      f32(e.builder.getF32Type()), i32(e.builder.getI32Type()),
      lanes(e.vectorWidth()), width(shape.width), valueWidth(shape.valueWidth),
      across(std::gcd(valueWidth, lanes)) {}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

Value AttentionNest::numberAt(Value row) {
  return e.add(e.mul(e.div(row, tile.groupRows), lanes),
               e.rem(row, tile.groupRows));
}

void AttentionNest::startRows(const TokenRun &run) {
  Value rows = e.mul(tile.groupsOf(run), tile.groupRows);
  e.loop(e.index(0), rows, 1, [&](Value row) {
    stageRow(elements, shape.q, {tile.tokenOf(run, row), tile.headOf(run, row)},
             state.q, e.mul(row, width));
    Value at = numberAt(row);
    e.store(e.fromIndex(tile.fromOf(run, row), i32), state.from, at);
    e.store(e.fromIndex(tile.toOf(run, row), i32), state.to, at);
  });
}

void AttentionNest::startSegment(const TokenRun &run) {
  Value zero = e.splat(e.f32(0), lanes);
  Value lowest = e.splat(e.f32(kNegativeInfinity), lanes);
  Value groupCount = tile.groupsOf(run);
  e.loop(e.index(0), e.mul(groupCount, tile.groupRows * valueWidth), lanes,
         [&](Value at) { e.store(zero, state.values, at, Lanes{lanes}); });
  e.loop(e.index(0), e.mul(groupCount, lanes), lanes, [&](Value at) {
    e.store(lowest, state.maximum, at, Lanes{lanes});
    e.store(zero, state.sum, at, Lanes{lanes});
  });
}

// Adds the segment's sums to those before; the first one's are copied.
void AttentionNest::mergeRow(Value row, Value at, Value isFirst) {
  Value maximum = load(state.maximum, at), sum = load(state.sum, at);
  Value oldMaximum = load(totalMaximum, at), oldSum = load(totalSum, at);
  ir::Emit emit = math(maximum);
  Value larger =
      emit.select(emit.less(oldMaximum, maximum), maximum, oldMaximum);
  Value keep = emit.exp(emit.sub(oldMaximum, larger));
  Value join = emit.exp(emit.sub(maximum, larger));
  Value keeps = e.splat(keep, across), joins = e.splat(join, across);
  Value first = e.mul(row, valueWidth);
  e.loop(e.index(0), e.index(valueWidth), across, [&](Value column) {
    Value place = e.add(first, column);
    Value old = e.load(total, f32, place, Lanes{across});
    Value next = e.load(state.values, f32, place, Lanes{across});
    ir::Emit each = math(next);
    Value merged = each.add(each.mul(old, keeps), each.mul(next, joins));
    e.store(each.select(isFirst, next, merged), total, place, Lanes{across});
  });
  Value merged = emit.add(emit.mul(oldSum, keep), emit.mul(sum, join));
  e.store(emit.select(isFirst, maximum, larger), totalMaximum, at);
  e.store(emit.select(isFirst, sum, merged), totalSum, at);
}

void AttentionNest::storeRow(const TokenRun &run, Value row) {
  std::optional<unsigned> number = yieldNumber(nest, shape.op->getResult(0));
  if (!number)
    return;
  auto type = cast<RankedTensorType>(shape.op->getResult(0).getType());
  Value pointer = e.resultPointer(nest, *number);
  Value sum = e.splat(load(totalSum, numberAt(row)), across);
  Value token = tile.tokenOf(run, row), head = tile.headOf(run, row);
  Value first = e.mul(row, valueWidth);
  e.loop(e.index(0), e.index(valueWidth), across, [&](Value column) {
    Value value = e.load(total, f32, e.add(first, column), Lanes{across});
    SmallVector<Value> index{token, head, column};
    elements.store(math(value).div(value, sum), type, pointer, index,
                   Lanes{across});
  });
}

void AttentionNest::storeLogSum(const TokenRun &run, Value row) {
  auto op = dyn_cast<ir::SelfAttentionOp>(shape.op);
  std::optional<unsigned> number;
  if (op)
    number = yieldNumber(nest, op.getLse());
  if (!number)
    return;
  Value sum = load(totalSum, numberAt(row));
  ir::Emit emit = math(sum);
  Value logSum = emit.add(load(totalMaximum, numberAt(row)), emit.log(sum));
  SmallVector<Value> index{tile.tokenOf(run, row), tile.headOf(run, row)};
  elements.store(logSum, op.getLse().getType(), e.resultPointer(nest, *number),
                 index, Lanes{});
}

//===----------------------------------------------------------------------===//
// Runs
//===----------------------------------------------------------------------===//

void AttentionNest::emitSegment(const TokenRun &run, Value segment) {
  startSegment(run);
  Value segmentEnd = e.add(segment, e.index(kSegment));
  int64_t mark = e.scratchMark();
  AttentionBlock rows(e, shape, tile.groupRows, state,
                      [&](Value row) { return tile.tokenOf(run, row); });
  tile.forSteps(run, segment, segmentEnd, kBlock, [&](Value position) {
    KeyBlock block = keys->block(run, tile.keyHead, position);
    e.loop(e.index(0), tile.groupsOf(run), 1,
           [&](Value group) { rows.emit(block, group); });
  });
  e.restoreScratch(mark);

  e.loop(e.index(0), tile.rowsOf(run), 1, [&](Value row) {
    auto [isIn, isFirst] = tile.inSegment(run, row, segment, kSegment);
    e.ifThen(isIn, [&] { mergeRow(row, numberAt(row), isFirst); });
  });
}

void AttentionNest::emitRun(const TokenRun &run) {
  startRows(run);
  tile.forSteps(run, e.index(0), run.end(e), kSegment,
                [&](Value segment) { emitSegment(run, segment); });
  e.loop(e.index(0), tile.rowsOf(run), 1, [&](Value row) {
    storeRow(run, row);
    storeLogSum(run, row);
  });
}

LogicalResult AttentionNest::emit(Value number) {
  BatchPointers batch = e.batch(shape.batch);
  int64_t rows = tile.groups * tile.groupRows;
  auto floats = [&](int64_t count) { return e.scratch(count * sizeof(float)); };
  state.q = floats(llvm::alignTo(rows * width, lanes));
  for (Value *each : {&state.values, &total})
    *each = floats(llvm::alignTo(rows * valueWidth, lanes));
  for (Value *each : {&state.from, &state.to, &state.maximum, &state.sum,
                      &totalMaximum, &totalSum})
    *each = floats(tile.groups * lanes);
  TokenRuns runs(e, batch, tile.tileTokens);
  if (auto op = dyn_cast<ir::AttentionOp>(shape.op))
    keys = makeCacheKeys(e, op, batch, tile.groups == 1);
  else
    keys = makeRowKeys(e, elements, cast<ir::SelfAttentionOp>(shape.op), batch);
  tile.locate(number);
  runs.forEach(
      tile.first, tile.end, [&](Value token) { return keys->isMissing(token); },
      [&](const TokenRun &run) { emitRun(run); });
  return elements.status();
}

} // namespace

LogicalResult emitForwardNest(KernelEmitter &emitter, const Nest &nest,
                              Value tile) {
  return AttentionNest(emitter, nest).emit(tile);
}

} // namespace tenon::codegen::cpu
