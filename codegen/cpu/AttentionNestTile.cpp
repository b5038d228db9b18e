//===- AttentionNestTile.cpp - Query rows of a tile; the nests' tiles -----===//

#include "codegen/cpu/AttentionNestTile.h"
#include "codegen/cpu/AttentionNests.h"

#include "ir/tn/Emit.h"
#include "tenon/abi.h"

namespace tenon::codegen::cpu {

using namespace mlir;

static Value less(KernelEmitter &e, Value a, Value b) {
  return arith::CmpIOp::create(e.builder, arith::CmpIPredicate::slt, a, b);
}

ir::AttentionShape attentionOf(const Nest &nest) {
  for (Operation &op : *nest.body)
    if (std::optional<ir::AttentionShape> shape = ir::attentionShape(&op))
      return *shape;
  llvm_unreachable("an attention nest has an op of attention");
}

std::optional<unsigned> yieldNumber(const Nest &nest, Value result) {
  for (auto [number, yielded] : llvm::enumerate(nest.yield()->getOperands()))
    if (yielded == result)
      return number;
  return std::nullopt;
}

QueryTile::QueryTile(KernelEmitter &emitter, const Nest &nest)
    : e(emitter), shape(attentionOf(nest)),
      tileTokens(nest.schedule.getTileRows()),
      tileHeads(nest.schedule.getTileCols()),
      // A group's numbers are one vector.
      groupRows(std::min(
          e.vectorWidth(),
          nest.schedule.getRegisterRows()[static_cast<size_t>(e.features())])),
      groups(llvm::divideCeil(tileTokens * tileHeads, groupRows)) {}

// A head's tiles follow each other, the longest first: they share its keys, and
// threads end together.
void QueryTile::locate(Value tile) {
  Value tokens = e.extent(shape.q.getType(), 0);
  Value tokenTiles = e.div(e.add(tokens, e.index(tileTokens - 1)), tileTokens);
  firstHead = e.mul(e.div(tile, tokenTiles), tileHeads);
  keyHead = e.div(firstHead, shape.group());
  Value ahead = e.add(e.rem(tile, tokenTiles), e.index(1));
  first = e.mul(e.sub(tokenTiles, ahead), tileTokens);
  end = e.min(e.add(first, e.index(tileTokens)), tokens);
}

Value QueryTile::real(const TokenRun &run, Value row) {
  return e.min(row, e.sub(rowsOf(run), e.index(1)));
}

Value QueryTile::tokenOf(const TokenRun &run, Value row) {
  return e.add(run.first, e.div(real(run, row), tileHeads));
}

Value QueryTile::headOf(const TokenRun &run, Value row) {
  return e.add(firstHead, e.rem(real(run, row), tileHeads));
}

Value QueryTile::toOf(const TokenRun &run, Value row) {
  Value ahead = e.div(real(run, row), tileHeads);
  return e.add(e.add(run.position, ahead), e.index(1));
}

Value QueryTile::fromOf(const TokenRun &run, Value row) {
  if (!shape.window)
    return e.index(0);
  return e.max(e.index(0), e.sub(toOf(run, row), e.index(shape.window)));
}

void QueryTile::forSteps(const TokenRun &run, Value begin, Value limit,
                         int64_t step, function_ref<void(Value)> body) {
  Value from = fromOf(run, e.index(0));
  limit = e.min(limit, run.end(e));
  Value far = e.max(begin, e.mul(e.div(from, step), step));
  if (!shape.globals)
    return e.loop(far, limit, step, body);
  // One loop, which leaves out the gap between both ranges.
  far = e.min(far, limit);
  Value near = e.index(llvm::alignTo(shape.globals, step));
  near = e.max(begin, e.min(near, far));
  Value gap = e.sub(far, near);
  e.loop(begin, e.sub(limit, gap), step, [&](Value position) {
    ir::Emit emit(e.builder, e.builder.getLoc(), position.getType());
    Value beyond = e.add(position, gap);
    body(emit.select(less(e, position, near), position, beyond));
  });
}

QueryTile::InSegment QueryTile::inSegment(const TokenRun &run, Value row,
                                          Value segment, int64_t keys) {
  Value from = fromOf(run, row), to = toOf(run, row);
  Value starts = less(e, from, e.add(segment, e.index(keys)));
  ir::Emit emit(e.builder, e.builder.getLoc(), row.getType());
  if (shape.globals) {
    starts = emit.either(starts, less(e, segment, e.index(shape.globals)));
    from = e.index(0); // The first key is a global one.
  }
  return {emit.both(starts, less(e, segment, to)),
          emit.negate(less(e, from, segment))};
}

//===----------------------------------------------------------------------===//
// The nests
//===----------------------------------------------------------------------===//

Size attentionTiles(KernelEmitter &emitter, const Nest &nest) {
  ir::AttentionShape shape = attentionOf(nest);
  Size tokens = emitter.ceilDiv(emitter.size(shape.q.getType(), 0),
                                nest.schedule.getTileRows());
  int64_t heads =
      isa<ir::SelfAttentionGradKeysOp>(shape.op) ? shape.keyHeads : shape.heads;
  return emitter.mul(tokens, emitter.size(heads / nest.schedule.getTileCols()));
}

LogicalResult emitAttentionNest(KernelEmitter &emitter, const Nest &nest,
                                Value tile) {
  Operation *op = attentionOf(nest).op;
  if (isa<ir::SelfAttentionGradQueryOp>(op))
    return emitGradQueryNest(emitter, nest, tile);
  if (isa<ir::SelfAttentionGradKeysOp>(op))
    return emitGradKeysNest(emitter, nest, tile);
  return emitForwardNest(emitter, nest, tile);
}

} // namespace tenon::codegen::cpu
