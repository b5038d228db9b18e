//===- AttentionNestGradQuery.cpp - The gradient for queries --------------===//
//
// As forward, the rows of a run walk the blocks of 64 keys together. A block's
// keys and values are staged transposed, for products, and its keys as they
// are, for sums over them.
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

class GradQueryNest {
public:
  GradQueryNest(KernelEmitter &e, const Nest &nest);

  LogicalResult emit(Value number);

private:
  void emitRun(const TokenRun &run);
  void emitSegment(const TokenRun &run, Value segment);
  void emitBlock(const TokenRun &run, Value position);
  Value less(Value a, Value b) {
    return arith::CmpIOp::create(e.builder, arith::CmpIPredicate::slt, a, b);
  }

  KernelEmitter &e;
  const Nest &nest;
  QueryTile tile;
  ir::SelfAttentionGradQueryOp op;
  Elements elements;
  GradRows rows;
  HeadRows keyRows;
  std::optional<HeadRows> valueRows; // none: in the keys
  Value keys, values, keyTerms;      // f32 [width][64] twice, [64][pitch]
  Value sums, total; // f32 [rows][pitch]: of the segment, before it
};

GradQueryNest::GradQueryNest(KernelEmitter &e, const Nest &nest)
    : e(e), nest(nest), tile(e, nest),
      op(cast<ir::SelfAttentionGradQueryOp>(tile.shape.op)), elements(e),
      rows(elements, tile.shape, tile.groups * tile.groupRows, tile.groupRows),
      keyRows(elements, op.getK()) {
  auto floats = [&](int64_t count) { return e.scratch(count * sizeof(float)); };
  keys = values = floats(tile.shape.width * kBlock);
  if (!op.isLatent()) {
    valueRows.emplace(elements, op.getV());
    values = floats(tile.shape.valueWidth * kBlock);
  }
  keyTerms = floats(rows.pitch() * kBlock);
  sums = floats(tile.groups * tile.groupRows * rows.pitch());
  total = floats(tile.groups * tile.groupRows * rows.pitch());
}

void GradQueryNest::emitBlock(const TokenRun &run, Value position) {
  Value first = e.add(e.sub(run.first, run.position), position);
  Value count = e.min(e.sub(run.end(e), position), e.index(kBlock));
  HeadRows::Range range{first, count, tile.keyHead};
  keyRows.stageTransposed(range, keys);
  if (valueRows)
    valueRows->stageTransposed(range, values);
  keyRows.stage(range, keyTerms, rows.pitch());
  auto inBlock = [&](Value limit) {
    Value offset = e.max(e.sub(limit, position), e.index(0));
    return e.min(offset, e.index(kBlock));
  };
  auto rangeOf = [&](Value row) {
    return std::pair(inBlock(tile.fromOf(run, row)),
                     inBlock(tile.toOf(run, row)));
  };
  auto globalsOf = [&](Value row) {
    Value end = e.min(e.index(tile.shape.globals), tile.fromOf(run, row));
    return std::pair(e.index(0), inBlock(end));
  };
  WeightedSums weighted{sums, keyTerms, rows.slopes, kBlock, 1, rows.columns()};
  e.loop(e.index(0), tile.groupsOf(run), 1, [&](Value group) {
    Value row = e.mul(group, tile.groupRows);
    Value last = e.add(row, e.index(tile.groupRows - 1));
    Value isActive = less(rangeOf(row).first, rangeOf(last).second);
    if (tile.shape.globals) {
      ir::Emit emit(e.builder, e.builder.getLoc(), row.getType());
      Value hasGlobals = less(e.index(0), globalsOf(last).second);
      isActive = emit.either(isActive, hasGlobals);
    }
    e.ifThen(isActive, [&] {
      rows.emitGroup(row, keys, values);
      if (tile.shape.globals) // They come before the window.
        rows.addTerms(weighted, tile.groupRows, row, globalsOf);
      rows.addTerms(weighted, tile.groupRows, row, rangeOf);
    });
  });
}

void GradQueryNest::emitSegment(const TokenRun &run, Value segment) {
  rows.clear(sums, e.mul(tile.groupsOf(run), tile.groupRows));
  tile.forSteps(run, segment, e.add(segment, e.index(kGradSegment)), kBlock,
                [&](Value position) { emitBlock(run, position); });
  e.loop(e.index(0), tile.rowsOf(run), 1, [&](Value row) {
    auto [isIn, isFirst] = tile.inSegment(run, row, segment, kGradSegment);
    e.ifThen(isIn, [&] { rows.mergeRow(sums, total, row, isFirst); });
  });
}

void GradQueryNest::emitRun(const TokenRun &run) {
  e.loop(e.index(0), e.mul(tile.groupsOf(run), tile.groupRows), 1,
         [&](Value row) {
           rows.stage(row, tile.tokenOf(run, row), tile.headOf(run, row));
         });
  tile.forSteps(run, e.index(0), run.end(e), kGradSegment,
                [&](Value segment) { emitSegment(run, segment); });
  e.loop(e.index(0), tile.rowsOf(run), 1, [&](Value row) {
    SmallVector<Value> leading{tile.tokenOf(run, row), tile.headOf(run, row)};
    rows.scaleRow(total, row, tile.shape.scale);
    rows.storeRow(nest, op.getDq(), leading, total, row);
  });
}

LogicalResult GradQueryNest::emit(Value number) {
  BatchPointers batch = e.batch(tile.shape.batch);
  TokenRuns runs(e, batch, tile.tileTokens);
  tile.locate(number);
  runs.forEach(
      tile.first, tile.end,
      [&](Value token) { return isOutOfOrder(e, op, batch, token); },
      [&](const TokenRun &run) { emitRun(run); });
  return elements.status();
}

} // namespace

LogicalResult emitGradQueryNest(KernelEmitter &emitter, const Nest &nest,
                                Value tile) {
  return GradQueryNest(emitter, nest).emit(tile);
}

} // namespace tenon::codegen::cpu
