//===- AttentionNest.cpp - Attention over paged caches --------------------===//
//
// A tile is some tokens by some query heads that share a head of the caches.
// Its tokens are cut into runs of following positions of one sequence; a row is
// a token and a head of a run. The rows of a run walk the blocks of 64 keys
// together (AttentionNestBlock.h), so that a block is read once for all of
// them; running sums of a segment of 512 keys and of the segments before it lie
// in scratch. The order of every sum is that of `tn.attention`.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/AttentionNestBlock.h"
#include "codegen/cpu/Element.h"
#include "codegen/cpu/Schedule.h"
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

ir::AttentionOp attentionOf(const Nest &nest) {
  return *nest.body->getOps<ir::AttentionOp>().begin();
}

/// Tokens of following positions of one sequence, all with pages.
struct Run {
  Value first, tokens;      // of the batch
  Value sequence, position; // of the first
  Value rows;               // tokens by the tile's heads
};

class AttentionNest {
public:
  AttentionNest(KernelEmitter &e, const Nest &nest);

  LogicalResult emit(Value tile);

private:
  Value readBatch(Value pointer, Value at);
  Value isMissing(Value token);
  void findRuns(Value first, Value end);
  Value blockPointer(ir::CacheType type, Value base, const Run &run,
                     Value position);
  Value inScratch(ir::CacheType type, Value block, Value scratch);
  Value dequantized(ir::CacheType type, Value block, Value scratch);
  void dequantizeRun(Value block, Value at, Value scratch, Value scale);
  Value scalesOf(ir::CacheType type, Value block);
  Value valueScales(Value block, Value next);
  KeyBlock keyBlock(const Run &run, Value position);
  void emitRun(Value first, Value tokens);
  void startRows(const Run &run);
  void stageQuery(Value token, Value head, Value row);
  void emitSegment(const Run &run, Value segment);
  void startSegment(const Run &run);
  void mergeRow(Value row, Value at, Value isFirst);
  void storeRow(const Run &run, Value row);
  Value tokenOf(const Run &run, Value row);
  Value lastRow(const Run &run) { return e.sub(run.rows, e.index(1)); }
  Value numberAt(Value row); // in an array [groups][lanes]
  Value groupsOf(const Run &run);
  Value load(Value array, Value at) { return e.load(array, f32, at); }
  ir::Emit math(Value like) {
    return ir::Emit(e.builder, e.builder.getLoc(), like.getType());
  }
  Value less(Value a, Value b) {
    return arith::CmpIOp::create(e.builder, arith::CmpIPredicate::slt, a, b);
  }

  KernelEmitter &e;
  const Nest &nest;
  ir::AttentionOp op;
  ir::CacheType keysType, valuesType;
  Elements elements;
  Type f32, i32;
  int64_t lanes, width, heads;
  int64_t tileTokens, tileHeads;
  int64_t groupRows; // rows that registers hold
  int64_t groups;    // of a tile, at most
  int64_t across;    // lanes along the width: a power of two that divides it
  Value firstHead, cacheHead;
  BatchPointers batch;
  AttentionState state;
  Value total, totalMaximum, totalSum; // f32, of the segments before
  Value runLengths;                    // i32 [tileTokens]
  // f32 of a block, or of a block's scales; null: not converted
  Value keysScratch, valuesScratch;
};

AttentionNest::AttentionNest(KernelEmitter &e, const Nest &nest)
    : e(e), nest(nest), op(attentionOf(nest)),
      keysType(cast<ir::CacheType>(op.getKeys().getType())),
      valuesType(cast<ir::CacheType>(op.getValues().getType())), elements(e),
      f32(e.builder.getF32Type()), i32(e.builder.getI32Type()),
      lanes(e.vectorWidth()), width(keysType.getWidth()),
      heads(cast<RankedTensorType>(op.getQ().getType()).getDimSize(1)),
      tileTokens(nest.schedule.getTileRows()),
      tileHeads(nest.schedule.getTileCols()),
      // A group's numbers are one vector.
      groupRows(std::min(
          lanes,
          nest.schedule.getRegisterRows()[static_cast<size_t>(e.features())])),
      groups(llvm::divideCeil(tileTokens * tileHeads, groupRows)),
      across(std::gcd(width, lanes)) {}

//===----------------------------------------------------------------------===//
// The batch and its pages
//===----------------------------------------------------------------------===//

Value AttentionNest::readBatch(Value pointer, Value at) {
  return e.toIndex(e.load(pointer, i32, at));
}

/// Whether a position that the token attends to has no page, which is noted.
Value AttentionNest::isMissing(Value token) {
  auto &b = e.builder;
  Value position = readBatch(batch.position, token);
  Value last = e.max(position, e.index(0)), from = e.index(0);
  if (int64_t window = op.getWindow())
    from = e.max(from, e.sub(last, e.index(window - 1)));
  Value pageKeys = e.mul(e.dim("pageBlocks"), kBlock), pages = e.dim("P");
  Value row = e.mul(readBatch(batch.sequence, token), pages);
  Value lastPage = e.div(last, pageKeys);
  ir::Emit emit = math(position);
  Value outside = emit.either(less(position, e.index(0)),
                              emit.negate(less(lastPage, pages)));
  auto check = [&](Value page, ValueRange carried) -> SmallVector<Value> {
    Value number = readBatch(batch.pages, e.add(row, page));
    return {emit.either(carried[0], less(number, e.index(0)))};
  };
  Value end = e.min(e.add(lastPage, e.index(1)), pages);
  Value none = arith::ConstantOp::create(b, b.getBoolAttr(false));
  Value missing = e.loop(e.div(from, pageKeys), end, 1, none, check)[0];
  missing = emit.either(missing, outside);
  e.emitFailure(missing, TENON_FAILURE_NO_PAGE, op, token, position);
  return missing;
}

// Backwards: how many tokens the run that starts at each one has; 0 where a
// page is missing. The ranges of a run's tokens leave no gap between them, so
// that every page from the first to the last is there.
void AttentionNest::findRuns(Value first, Value end) {
  Value zero = e.index(0), one = e.index(1), last = e.sub(end, one);
  e.loop(zero, e.sub(end, first), 1, zero, [&](Value i, ValueRange after) {
    Value token = e.sub(last, i), next = e.min(e.add(token, one), last);
    auto sameAs = [&](Value a, Value b) -> Value {
      return arith::CmpIOp::create(e.builder, arith::CmpIPredicate::eq, a, b);
    };
    ir::Emit emit = math(token);
    Value joins = emit.both(sameAs(readBatch(batch.sequence, token),
                                   readBatch(batch.sequence, next)),
                            sameAs(e.add(readBatch(batch.position, token), one),
                                   readBatch(batch.position, next)));
    Value length = e.add(emit.select(joins, after[0], zero), one);
    length = emit.select(isMissing(token), zero, length);
    e.store(e.fromIndex(length, i32), runLengths, e.sub(token, first));
    return SmallVector<Value>{length};
  });
}

// Where the block of keys at `position` starts, for the tile's head.
Value AttentionNest::blockPointer(ir::CacheType type, Value base,
                                  const Run &run, Value position) {
  Value block = e.div(position, kBlock), pageBlocks = e.dim("pageBlocks");
  Value at = e.add(e.mul(run.sequence, e.dim("P")), e.div(block, pageBlocks));
  Value page = readBatch(batch.pages, at);
  Value slot = e.add(e.mul(page, pageBlocks), e.rem(block, pageBlocks));
  Value rows = e.add(e.mul(slot, type.getHeads()), cacheHead);
  return e.address(base, e.builder.getI8Type(), e.mul(rows, type.headBytes()));
}

/// A block as f32 in scratch.
Value AttentionNest::inScratch(ir::CacheType type, Value block, Value scratch) {
  if (type.isQuantized())
    return dequantized(type, block, scratch);
  Type element = type.getElementType();
  int64_t step = 4 * lanes; // A block has 64 elements for each of the width.
  e.loop(e.index(0), e.index(width * kBlock), step, [&](Value from) {
    for (int64_t i = 0; i < step; i += lanes) {
      Value at = e.add(from, e.index(i));
      Value value = e.load(block, element, at, Lanes{lanes});
      e.store(math(value).extend(value), scratch, at, Lanes{lanes});
    }
  });
  return scratch;
}

//===----------------------------------------------------------------------===//
// Quantised caches
//===----------------------------------------------------------------------===//

Value AttentionNest::scalesOf(ir::CacheType type, Value block) {
  return e.address(block, e.builder.getI8Type(), e.index(type.scalesOffset()));
}

/// The quants of one vector at `at`, multiplied, to scratch.
void AttentionNest::dequantizeRun(Value block, Value at, Value scratch,
                                  Value scale) {
  Value quants = e.load(block, e.builder.getI8Type(), at, Lanes{lanes});
  Value number = toFloats(e, quants);
  e.store(math(number).mul(number, scale), scratch, at, Lanes{lanes});
}

/// A block of quants as f32 in scratch. What shares scales is 32 rows of keys,
/// or 32 elements of a value.
Value AttentionNest::dequantized(ir::CacheType type, Value block,
                                 Value scratch) {
  Type f16 = e.builder.getF16Type();
  Value scales = scalesOf(type, block);
  if (type.getLayout() == ir::CacheLayout::Values) {
    e.loop(e.index(0), e.index(width * kBlock), kQuants, [&](Value first) {
      Value half = e.load(scales, f16, e.div(first, kQuants));
      Value scale = e.splat(toFloats(e, half), lanes);
      for (int64_t i = 0; i < kQuants; i += lanes)
        dequantizeRun(block, e.add(first, e.index(i)), scratch, scale);
    });
    return scratch;
  }
  e.loop(e.index(0), e.index(width), kQuants, [&](Value d) {
    SmallVector<Value> vectors;
    Value first = e.mul(e.div(d, kQuants), kBlock);
    for (int64_t lane = 0; lane < kBlock; lane += lanes) {
      Value at = e.add(first, e.index(lane));
      vectors.push_back(toFloats(e, e.load(scales, f16, at, Lanes{lanes})));
    }
    e.loop(d, e.add(d, e.index(kQuants)), 1, [&](Value row) {
      for (auto [v, scale] : llvm::enumerate(vectors)) {
        Value at = e.add(e.mul(row, kBlock), e.index(v * lanes));
        dequantizeRun(block, at, scratch, scale);
      }
    });
  });
  return scratch;
}

/// The scales of a block of values as f32 in scratch, to be broadcast from
/// there; `next` is the block to fetch the scales of.
Value AttentionNest::valueScales(Value block, Value next) {
  Type f16 = e.builder.getF16Type();
  Value from = scalesOf(valuesType, block), ahead = scalesOf(valuesType, next);
  constexpr int64_t kLine = 64 / sizeof(uint16_t);
  Value count = e.index(kBlock * width / kQuants);
  e.loop(e.index(0), count, kLine, [&](Value first) {
    e.prefetch(e.address(ahead, f16, first));
    for (int64_t i = 0; i < kLine; i += lanes) {
      Value at = e.add(first, e.index(i));
      Value scales = e.load(from, f16, at, Lanes{lanes});
      e.store(toFloats(e, scales), valuesScratch, at, Lanes{lanes});
    }
  });
  return valuesScratch;
}

KeyBlock AttentionNest::keyBlock(const Run &run, Value position) {
  auto stored = [&](ir::CacheType type) -> Type {
    return type.isQuantized() ? e.builder.getI8Type() : type.getElementType();
  };
  KeyBlock block{
      position, blockPointer(keysType, e.pointer(op.getKeys()), run, position),
      blockPointer(valuesType, e.pointer(op.getValues()), run, position),
      stored(keysType), stored(valuesType)};
  if (groups == 1) { // Few rows wait for memory.
    Value next = e.add(position, e.index(kBlock));
    Value last = e.sub(e.add(run.position, run.tokens), e.index(1));
    next = e.min(next, last);
    block.nextKeys = blockPointer(keysType, e.pointer(op.getKeys()), run, next);
    block.nextValues =
        blockPointer(valuesType, e.pointer(op.getValues()), run, next);
    if (keysType.isQuantized()) {
      block.keyScales = scalesOf(keysType, block.keys);
      block.nextKeyScales = scalesOf(keysType, block.nextKeys);
    }
    if (valuesType.isQuantized())
      block.valueScales = valueScales(block.values, block.nextValues);
    return block;
  }
  if (keysScratch)
    block.keys = inScratch(keysType, block.keys, keysScratch);
  if (valuesScratch)
    block.values = inScratch(valuesType, block.values, valuesScratch);
  block.keyElement = block.valueElement = f32;
  return block;
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

Value AttentionNest::tokenOf(const Run &run, Value row) {
  Value real = e.min(row, lastRow(run));
  return e.add(run.first, e.div(real, tileHeads));
}

Value AttentionNest::numberAt(Value row) {
  return e.add(e.mul(e.div(row, groupRows), lanes), e.rem(row, groupRows));
}

Value AttentionNest::groupsOf(const Run &run) {
  return e.div(e.add(run.rows, e.index(groupRows - 1)), groupRows);
}

void AttentionNest::stageQuery(Value token, Value head, Value row) {
  Elements::Scope scope(elements);
  Value first = e.mul(row, width);
  SmallVector<Value> index{token, head, e.index(0)};
  elements.forColumns(op.getQ(), index, [&](ValueRange at, const Lanes &run) {
    Value column = e.add(at.back(), run.offset ? run.offset : e.index(0));
    e.store(elements.element(op.getQ(), at, run), state.q, e.add(first, column),
            {run.width, run.mask});
  });
}

// Queries and ranges of the run's rows. The last group is filled up with copies
// of the last row, which nobody stores.
void AttentionNest::startRows(const Run &run) {
  Value rows = e.mul(groupsOf(run), groupRows);
  e.loop(e.index(0), rows, 1, [&](Value row) {
    Value token = tokenOf(run, row);
    Value head = e.add(firstHead, e.rem(e.min(row, lastRow(run)), tileHeads));
    stageQuery(token, head, row);
    Value ahead = e.sub(token, run.first), from = e.index(0);
    Value to = e.add(e.add(run.position, ahead), e.index(1));
    if (int64_t window = op.getWindow())
      from = e.max(from, e.sub(to, e.index(window)));
    Value at = numberAt(row);
    e.store(e.fromIndex(from, i32), state.from, at);
    e.store(e.fromIndex(to, i32), state.to, at);
  });
}

void AttentionNest::startSegment(const Run &run) {
  Value zero = e.splat(e.f32(0), lanes);
  Value lowest = e.splat(e.f32(kNegativeInfinity), lanes);
  Value groupCount = groupsOf(run);
  e.loop(e.index(0), e.mul(groupCount, groupRows * width), lanes,
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
  Value first = e.mul(row, width);
  e.loop(e.index(0), e.index(width), across, [&](Value column) {
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

void AttentionNest::storeRow(const Run &run, Value row) {
  auto type = cast<RankedTensorType>(op.getType());
  Value pointer = e.resultPointer(nest, 0);
  Value sum = e.splat(load(totalSum, numberAt(row)), across);
  Value head = e.add(firstHead, e.rem(row, tileHeads));
  Value token = tokenOf(run, row), first = e.mul(row, width);
  e.loop(e.index(0), e.index(width), across, [&](Value column) {
    Value value = e.load(total, f32, e.add(first, column), Lanes{across});
    SmallVector<Value> index{token, head, column};
    elements.store(math(value).div(value, sum), type, pointer, index,
                   Lanes{across});
  });
}

//===----------------------------------------------------------------------===//
// Runs
//===----------------------------------------------------------------------===//

void AttentionNest::emitSegment(const Run &run, Value segment) {
  startSegment(run);
  Value runFrom = e.toIndex(e.load(state.from, i32, e.index(0)));
  Value runTo = e.add(run.position, run.tokens);
  Value segmentEnd = e.add(segment, e.index(kSegment));
  Value first = e.max(segment, e.mul(e.div(runFrom, kBlock), kBlock));
  int64_t mark = e.scratchMark();
  AttentionBlock rows(e, op, groupRows, state,
                      [&](Value row) { return tokenOf(run, row); });
  e.loop(first, e.min(segmentEnd, runTo), kBlock, [&](Value position) {
    KeyBlock block = keyBlock(run, position);
    e.loop(e.index(0), groupsOf(run), 1,
           [&](Value group) { rows.emit(block, group); });
  });
  e.restoreScratch(mark);

  e.loop(e.index(0), run.rows, 1, [&](Value row) {
    Value at = numberAt(row);
    Value from = e.toIndex(e.load(state.from, i32, at));
    Value to = e.toIndex(e.load(state.to, i32, at));
    ir::Emit emit = math(row);
    Value isFirst = emit.negate(less(from, segment));
    Value isIn = emit.both(less(from, segmentEnd), less(segment, to));
    e.ifThen(isIn, [&] { mergeRow(row, at, isFirst); });
  });
}

void AttentionNest::emitRun(Value first, Value tokens) {
  Run run{first, tokens, readBatch(batch.sequence, first),
          readBatch(batch.position, first), e.mul(tokens, tileHeads)};
  startRows(run);
  Value from = e.toIndex(e.load(state.from, i32, e.index(0)));
  Value start = e.mul(e.div(from, kSegment), kSegment);
  e.loop(start, e.add(run.position, run.tokens), kSegment,
         [&](Value segment) { emitSegment(run, segment); });
  e.loop(e.index(0), run.rows, 1, [&](Value row) { storeRow(run, row); });
}

LogicalResult AttentionNest::emit(Value tile) {
  batch = e.batch(op.getBatch());
  int64_t rows = groups * groupRows;
  auto floats = [&](int64_t count) { return e.scratch(count * sizeof(float)); };
  for (Value *each : {&state.q, &state.values, &total})
    *each = floats(llvm::alignTo(rows * width, lanes));
  for (Value *each : {&state.from, &state.to, &state.maximum, &state.sum,
                      &totalMaximum, &totalSum})
    *each = floats(groups * lanes);
  runLengths = e.scratch(tileTokens * sizeof(int32_t));
  if (groups > 1 && !keysType.getElementType().isF32())
    keysScratch = floats(width * kBlock);
  if (groups > 1 && !valuesType.getElementType().isF32())
    valuesScratch = floats(width * kBlock);
  if (groups == 1 && valuesType.isQuantized())
    valuesScratch = floats(width * kBlock / kQuants);

  // A head's tiles follow each other, the longest first: they share its part of
  // the caches, and threads end together.
  Value tokens = e.extent(cast<RankedTensorType>(op.getType()), 0);
  Value tokenTiles = e.div(e.add(tokens, e.index(tileTokens - 1)), tileTokens);
  firstHead = e.mul(e.div(tile, tokenTiles), tileHeads);
  cacheHead = e.div(firstHead, heads / keysType.getHeads());
  Value ahead = e.add(e.rem(tile, tokenTiles), e.index(1));
  Value first = e.mul(e.sub(tokenTiles, ahead), tileTokens);
  Value end = e.min(e.add(first, e.index(tileTokens)), tokens);
  findRuns(first, end);
  e.loop(first, end, 1, first, [&](Value token, ValueRange next) {
    Value length = e.toIndex(e.load(runLengths, i32, e.sub(token, first)));
    ir::Emit emit = math(token);
    Value starts =
        emit.both(emit.equal(token, next[0]), less(e.index(0), length));
    e.ifThen(starts, [&] { emitRun(token, length); });
    Value after = e.add(token, e.max(length, e.index(1)));
    return SmallVector<Value>{
        emit.select(emit.equal(token, next[0]), after, next[0])};
  });
  return elements.status();
}

} // namespace

Size attentionTiles(KernelEmitter &emitter, const Nest &nest) {
  auto type = cast<RankedTensorType>(attentionOf(nest).getType());
  Size tokens =
      emitter.ceilDiv(emitter.size(type, 0), nest.schedule.getTileRows());
  int64_t groups = type.getDimSize(1) / nest.schedule.getTileCols();
  return emitter.mul(tokens, emitter.size(groups));
}

LogicalResult emitAttentionNest(KernelEmitter &emitter, const Nest &nest,
                                Value tile) {
  return AttentionNest(emitter, nest).emit(tile);
}

} // namespace tenon::codegen::cpu
