//===- AttentionNestGradKeys.cpp - The gradients for keys and values ------===//
//
// A tile is 64 rows of keys, cut into runs of one sequence, and one head. The
// tokens that have keys of a run in range, to the end of the sequence, pass by
// in chunks; a chunk's rows are its tokens and the heads of the group.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/AttentionNestGrad.h"
#include "codegen/cpu/AttentionNestRows.h"
#include "codegen/cpu/AttentionNestTile.h"
#include "codegen/cpu/AttentionNests.h"

#include "ir/tn/Emit.h"
#include "tenon/abi.h"

namespace tenon::codegen::cpu {

using namespace mlir;

namespace {

constexpr int64_t kBlock = TENON_CACHE_BLOCK;
// Rows of a chunk, about: they stay in the first-level cache for a slice of the
// width, and share each pass over the sums.
constexpr int64_t kChunkRows = 48;
// Keys beside each other in a register tile of sums.
constexpr int64_t kKeysBeside = 4;

class GradKeysNest {
public:
  GradKeysNest(KernelEmitter &e, const Nest &nest);

  LogicalResult emit(Value number);

private:
  void emitRun(TokenRuns &runs, const TokenRun &run);
  void emitSegment(const TokenRun &run, Value end, Value segment);
  void emitChunk(const TokenRun &run, Value token, Value tokens);
  void addChunk(const TokenRun &run, Value token, Value tokens);
  void mergeSegment(const TokenRun &run, Value segment);
  Value less(Value a, Value b) {
    return arith::CmpIOp::create(e.builder, arith::CmpIPredicate::slt, a, b);
  }

  KernelEmitter &e;
  const Nest &nest;
  ir::AttentionShape shape;
  ir::SelfAttentionGradKeysOp op;
  int64_t groupRows, chunkTokens;
  Elements elements;
  GradRows rows;
  HeadRows keyRows;
  std::optional<HeadRows> valueRows; // none: in the keys
  Value keyHead;
  Value keys, values;           // f32 [width][64]
  Value keySums, valueSums;     // f32 [64][pitch], of the segment
  Value keyTotals, valueTotals; // f32 [64][pitch], of the segments before
};

int64_t mostChunkTokens(const ir::AttentionShape &shape) {
  return std::max<int64_t>(kChunkRows / shape.group(), 1);
}

GradKeysNest::GradKeysNest(KernelEmitter &e, const Nest &nest)
    : e(e), nest(nest), shape(attentionOf(nest)),
      op(cast<ir::SelfAttentionGradKeysOp>(shape.op)),
      groupRows(
          nest.schedule.getRegisterRows()[static_cast<size_t>(e.features())]),
      chunkTokens(mostChunkTokens(shape)), elements(e),
      rows(elements, shape,
           llvm::alignTo(chunkTokens * shape.group(), groupRows), groupRows),
      keyRows(elements, op.getK()) {
  auto floats = [&](int64_t count) { return e.scratch(count * sizeof(float)); };
  keys = values = floats(shape.width * kBlock);
  if (!op.isLatent()) {
    valueRows.emplace(elements, op.getV());
    values = floats(shape.valueWidth * kBlock);
  }
  for (Value *each : {&keySums, &valueSums, &keyTotals, &valueTotals})
    *each = floats(kBlock * rows.pitch());
}

/// Sums of the keys over the chunk's rows.
void GradKeysNest::addChunk(const TokenRun &run, Value token, Value tokens) {
  // Tokens of the chunk that have a key in range are [key - token, + window).
  auto inChunk = [&](Value offset) {
    offset = e.min(e.max(offset, e.index(0)), tokens);
    return e.mul(offset, shape.group());
  };
  Value ahead = e.sub(run.first, token);
  auto rangeOf = [&](Value key) {
    Value real = e.min(key, e.sub(run.tokens, e.index(1)));
    Value from = e.add(real, ahead), to = tokens;
    if (shape.window)
      to = e.add(from, e.index(shape.window));
    return std::pair(inChunk(from), inChunk(to));
  };
  // A global key is in range of every token after that; others of none.
  auto beyondWindow = [&](Value key) {
    Value isGlobal = less(e.add(run.position, key), e.index(shape.globals));
    ir::Emit emit(e.builder, e.builder.getLoc(), key.getType());
    Value from = emit.select(isGlobal, rangeOf(key).second, inChunk(tokens));
    return std::pair(from, inChunk(tokens));
  };
  WeightedSums ofValues{valueSums, rows.dy, rows.weights,
                        1,         kBlock,  rows.valueColumns()};
  WeightedSums ofKeys{keySums, rows.q, rows.slopes, 1, kBlock, rows.columns()};
  auto addTo = [&](Value count, GradRows::RangeOf range) {
    for (const WeightedSums *sums : {&ofValues, &ofKeys})
      e.loop(e.index(0), count, kKeysBeside,
             [&](Value key) { rows.addTerms(*sums, kKeysBeside, key, range); });
  };
  addTo(run.tokens, rangeOf);
  if (shape.globals)
    addTo(e.min(run.tokens, e.sub(e.index(shape.globals), run.position)),
          beyondWindow);
}

void GradKeysNest::emitChunk(const TokenRun &run, Value token, Value tokens) {
  int64_t heads = shape.group();
  Value count = e.mul(tokens, heads), last = e.sub(count, e.index(1));
  Value groups = e.div(e.add(count, e.index(groupRows - 1)), groupRows);
  e.loop(e.index(0), e.mul(groups, groupRows), 1, [&](Value row) {
    Value real = e.min(row, last);
    rows.stage(row, e.add(token, e.div(real, heads)),
               e.add(e.mul(keyHead, heads), e.rem(real, heads)));
  });
  e.loop(e.index(0), groups, 1, [&](Value group) {
    rows.emitGroup(e.mul(group, groupRows), keys, values);
  });
  addChunk(run, token, tokens);
}

// Keys from the segment's end on have no token in it, nor those so far behind
// that they are in no token's window, unless they are global.
void GradKeysNest::mergeSegment(const TokenRun &run, Value segment) {
  Value segmentEnd = e.add(segment, e.index(kGradSegment));
  e.loop(e.index(0), run.tokens, 1, [&](Value key) {
    Value position = e.add(run.position, key);
    ir::Emit emit(e.builder, e.builder.getLoc(), key.getType());
    Value isIn = less(position, segmentEnd);
    if (shape.window) {
      Value end = e.add(position, e.index(shape.window));
      Value isSeen = less(segment, end);
      if (shape.globals)
        isSeen = emit.either(isSeen, less(position, e.index(shape.globals)));
      isIn = emit.both(isIn, isSeen);
    }
    Value isFirst = emit.negate(less(position, segment));
    e.ifThen(isIn, [&] {
      rows.mergeRow(keySums, keyTotals, key, isFirst);
      rows.mergeRow(valueSums, valueTotals, key, isFirst);
    });
  });
}

/// The tokens of the run's sequence, up to `end`, in a segment of positions.
void GradKeysNest::emitSegment(const TokenRun &run, Value end, Value segment) {
  rows.clear(keySums, e.index(kBlock));
  rows.clear(valueSums, e.index(kBlock));
  auto tokenAt = [&](Value position) {
    Value offset = e.max(e.sub(position, run.position), e.index(0));
    return e.min(e.add(run.first, offset), end);
  };
  Value from = tokenAt(segment);
  Value to = tokenAt(e.add(segment, e.index(kGradSegment)));
  e.loop(from, to, chunkTokens, [&](Value token) {
    emitChunk(run, token, e.min(e.index(chunkTokens), e.sub(to, token)));
  });
  mergeSegment(run, segment);
}

void GradKeysNest::emitRun(TokenRuns &runs, const TokenRun &run) {
  HeadRows::Range range{run.first, run.tokens, keyHead};
  keyRows.stageTransposed(range, keys);
  if (valueRows)
    valueRows->stageTransposed(range, values);
  Value limit = e.extent(shape.q.getType(), 0);
  // The last key is in range of so many tokens, a global one of all.
  if (shape.window) {
    Value last = e.add(run.first, e.sub(run.tokens, e.index(1)));
    Value seen = e.min(limit, e.add(last, e.index(shape.window)));
    ir::Emit emit(e.builder, e.builder.getLoc(), last.getType());
    limit =
        emit.select(less(run.position, e.index(shape.globals)), limit, seen);
  }
  Value end = runs.endOf(run, limit);
  Value positionEnd = e.add(run.position, e.sub(end, run.first));
  Value start = e.mul(e.div(run.position, kGradSegment), kGradSegment);
  e.loop(start, positionEnd, kGradSegment,
         [&](Value segment) { emitSegment(run, end, segment); });
  e.loop(e.index(0), run.tokens, 1, [&](Value key) {
    SmallVector<Value> leading{e.add(run.first, key), keyHead};
    rows.scaleRow(keyTotals, key, shape.scale);
    if (op.isLatent())
      rows.addLatent(valueTotals, keyTotals, key);
    else
      rows.storeRow(nest, op.getDv(), leading, valueTotals, key);
    rows.storeRow(nest, op.getDk(), leading, keyTotals, key);
  });
}

LogicalResult GradKeysNest::emit(Value number) {
  BatchPointers batch = e.batch(shape.batch);
  Value tokens = e.extent(shape.q.getType(), 0);
  Value tiles = e.div(e.add(tokens, e.index(kBlock - 1)), kBlock);
  keyHead = e.div(number, tiles);
  // Keys at a sequence's start have most tokens: the longest tiles come first.
  Value first = e.mul(e.rem(number, tiles), kBlock);
  Value end = e.min(e.add(first, e.index(kBlock)), tokens);
  TokenRuns runs(e, batch, kBlock);
  runs.forEach(
      first, end,
      [&](Value token) { return isOutOfOrder(e, op, batch, token); },
      [&](const TokenRun &run) { emitRun(runs, run); });
  return elements.status();
}

} // namespace

LogicalResult emitGradKeysNest(KernelEmitter &emitter, const Nest &nest,
                               Value tile) {
  return GradKeysNest(emitter, nest).emit(tile);
}

} // namespace tenon::codegen::cpu
