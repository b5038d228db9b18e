//===- AttentionNestCaches.cpp - Keys and values in paged caches ----------===//

#include "codegen/cpu/AttentionNestKeys.h"
#include "codegen/cpu/AttentionNestRows.h"

#include "ir/tn/Emit.h"

#include "tenon/abi.h"

namespace tenon::codegen::cpu {

using namespace mlir;

namespace {

constexpr int64_t kBlock = TENON_CACHE_BLOCK;

class CacheKeys final : public KeySource {
public:
  CacheKeys(KernelEmitter &e, ir::AttentionOp op, const BatchPointers &batch,
            bool isOneGroup);

  Value isMissing(Value token) override;
  KeyBlock block(const TokenRun &run, Value keyHead, Value position) override;

private:
  Value blockPointer(ir::CacheType type, Value base, const TokenRun &run,
                     Value keyHead, Value position);
  Value inScratch(ir::CacheType type, Value block, Value scratch);
  Value dequantized(ir::CacheType type, Value block, Value scratch);
  void dequantizeRun(Value block, Value at, Value scratch, Value scale);
  Value scalesOf(ir::CacheType type, Value block);
  Value valueScales(Value block, Value next);
  Value latents(Value keys);
  void transposeLatents(Value keys, Value key, Value column, int64_t columns);
  ir::Emit math(Value like) {
    return ir::Emit(e.builder, e.builder.getLoc(), like.getType());
  }
  Value less(Value a, Value b) {
    return arith::CmpIOp::create(e.builder, arith::CmpIPredicate::slt, a, b);
  }

  KernelEmitter &e;
  ir::AttentionOp op;
  ir::CacheType keysType, valuesType; // null: values are latent in the keys
  int64_t valueWidth;
  BatchPointers batch;
  bool isInPlace; // blocks are read where they lie, for one group of rows
  int64_t lanes;
  // f32 of a block, or of a block's scales; null: not converted
  Value keysScratch, valuesScratch;
};

CacheKeys::CacheKeys(KernelEmitter &e, ir::AttentionOp op,
                     const BatchPointers &batch, bool isOneGroup)
    : e(e), op(op), keysType(op.getKeys().getType()),
      valueWidth(ir::attentionShape(op)->valueWidth), batch(batch),
      isInPlace(isOneGroup && !op.isLatent()), lanes(e.vectorWidth()) {
  auto floats = [&](int64_t count) { return e.scratch(count * sizeof(float)); };
  if (!op.isLatent())
    valuesType = op.getValues().getType();
  if (!isInPlace && !keysType.getElementType().isF32())
    keysScratch = floats(keysType.getWidth() * kBlock);
  if (op.isLatent() || (!isInPlace && !valuesType.getElementType().isF32()))
    valuesScratch = floats(valueWidth * kBlock);
  else if (isInPlace && valuesType.isQuantized())
    valuesScratch = floats(valueWidth * kBlock / kQuants);
}

/// Whether a position that the token attends to has no page, which is noted.
Value CacheKeys::isMissing(Value token) {
  Value position = readBatch(e, batch.position, token);
  Value last = e.max(position, e.index(0)), from = e.index(0);
  if (int64_t window = op.getWindow())
    from = e.max(from, e.sub(last, e.index(window - 1)));
  Value pageKeys = e.mul(e.dim("pageBlocks"), kBlock), pages = e.dim("P");
  Value row = e.mul(readBatch(e, batch.sequence, token), pages);
  Value lastPage = e.div(last, pageKeys);
  ir::Emit emit = math(position);
  Value outside = emit.either(less(position, e.index(0)),
                              emit.negate(less(lastPage, pages)));
  auto isMissing = [&](Value page, ValueRange carried) -> SmallVector<Value> {
    Value number = readBatch(e, batch.pages, e.add(row, page));
    return {emit.either(carried[0], less(number, e.index(0)))};
  };
  auto anyMissing = [&](Value firstPage, Value endPage) {
    endPage = e.min(endPage, pages);
    return e.loop(firstPage, endPage, 1, outside, isMissing)[0];
  };
  Value missing =
      anyMissing(e.div(from, pageKeys), e.add(lastPage, e.index(1)));
  if (op.getGlobals()) {
    Value globals = e.min(from, e.index(op.getGlobals()));
    Value endPage =
        e.div(e.sub(e.add(globals, pageKeys), e.index(1)), pageKeys);
    missing = emit.either(missing, anyMissing(e.index(0), endPage));
  }
  e.emitFailure(missing, TENON_FAILURE_NO_PAGE, op, token, position);
  return missing;
}

// Where the block of keys at `position` starts, for the tile's head.
Value CacheKeys::blockPointer(ir::CacheType type, Value base,
                              const TokenRun &run, Value keyHead,
                              Value position) {
  Value block = e.div(position, kBlock), pageBlocks = e.dim("pageBlocks");
  Value at = e.add(e.mul(run.sequence, e.dim("P")), e.div(block, pageBlocks));
  Value page = readBatch(e, batch.pages, at);
  Value slot = e.add(e.mul(page, pageBlocks), e.rem(block, pageBlocks));
  Value rows = e.add(e.mul(slot, type.getHeads()), keyHead);
  return e.address(base, e.builder.getI8Type(), e.mul(rows, type.headBytes()));
}

/// A block as f32 in scratch.
Value CacheKeys::inScratch(ir::CacheType type, Value block, Value scratch) {
  if (type.isQuantized())
    return dequantized(type, block, scratch);
  Type element = type.getElementType();
  int64_t step = 4 * lanes; // A block has 64 elements for each of the width.
  Value count = e.index(type.getWidth() * kBlock);
  e.loop(e.index(0), count, step, [&](Value from) {
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

Value CacheKeys::scalesOf(ir::CacheType type, Value block) {
  return e.address(block, e.builder.getI8Type(), e.index(type.scalesOffset()));
}

/// The quants of one vector at `at`, multiplied, to scratch.
void CacheKeys::dequantizeRun(Value block, Value at, Value scratch,
                              Value scale) {
  Value quants = e.load(block, e.builder.getI8Type(), at, Lanes{lanes});
  Value number = toFloats(e, quants);
  e.store(math(number).mul(number, scale), scratch, at, Lanes{lanes});
}

/// A block of quants as f32 in scratch. What shares scales is 32 rows of keys,
/// or 32 elements of a value.
Value CacheKeys::dequantized(ir::CacheType type, Value block, Value scratch) {
  Type f16 = e.builder.getF16Type();
  Value scales = scalesOf(type, block);
  if (type.getLayout() == ir::CacheLayout::Values) {
    Value count = e.index(type.getWidth() * kBlock);
    e.loop(e.index(0), count, kQuants, [&](Value first) {
      Value half = e.load(scales, f16, e.div(first, kQuants));
      Value scale = e.splat(toFloats(e, half), lanes);
      for (int64_t i = 0; i < kQuants; i += lanes)
        dequantizeRun(block, e.add(first, e.index(i)), scratch, scale);
    });
    return scratch;
  }
  e.loop(e.index(0), e.index(type.getWidth()), kQuants, [&](Value d) {
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
Value CacheKeys::valueScales(Value block, Value next) {
  Type f16 = e.builder.getF16Type();
  Value from = scalesOf(valuesType, block), ahead = scalesOf(valuesType, next);
  constexpr int64_t kLine = 64 / sizeof(uint16_t);
  Value count = e.index(kBlock * valueWidth / kQuants);
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

//===----------------------------------------------------------------------===//
// Latents
//===----------------------------------------------------------------------===//

/// Elements [column, column + columns) of the keys from `key` on.
void CacheKeys::transposeLatents(Value keys, Value key, Value column,
                                 int64_t columns) {
  Type f32 = e.builder.getF32Type();
  SmallVector<Value> vectors;
  for (int64_t i = 0; i < lanes; ++i) {
    Value row = e.add(column, e.index(std::min(i, columns - 1)));
    vectors.push_back(
        e.load(keys, f32, e.add(e.mul(row, kBlock), key), Lanes{lanes}));
  }
  transposeLanes(e, vectors);
  Lanes access{lanes};
  if (columns < lanes)
    access.mask = e.firstLanes(e.index(columns), lanes);
  for (auto [i, vector] : llvm::enumerate(vectors)) {
    Value row = e.mul(e.add(key, e.index(i)), valueWidth);
    e.store(vector, valuesScratch, e.add(row, column), access);
  }
}

/// The values in a block of keys, f32 [width][64], as f32 in scratch.
Value CacheKeys::latents(Value keys) {
  int64_t whole = valueWidth / lanes * lanes;
  e.loop(e.index(0), e.index(kBlock), lanes, [&](Value key) {
    e.loop(e.index(0), e.index(whole), lanes,
           [&](Value column) { transposeLatents(keys, key, column, lanes); });
    if (whole < valueWidth)
      transposeLatents(keys, key, e.index(whole), valueWidth - whole);
  });
  return valuesScratch;
}

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

KeyBlock CacheKeys::block(const TokenRun &run, Value keyHead, Value position) {
  Value keys = e.pointer(op.getKeys());
  Value keyBlock = blockPointer(keysType, keys, run, keyHead, position);
  Type f32 = e.builder.getF32Type();
  if (!isInPlace && keysScratch)
    keyBlock = inScratch(keysType, keyBlock, keysScratch);
  if (op.isLatent())
    return {position, keyBlock, latents(keyBlock), f32, f32, valueWidth};
  Value values = e.pointer(op.getValues());
  Value valueBlock = blockPointer(valuesType, values, run, keyHead, position);
  if (!isInPlace) {
    if (valuesScratch)
      valueBlock = inScratch(valuesType, valueBlock, valuesScratch);
    return {position, keyBlock, valueBlock, f32, f32, valueWidth};
  }
  auto stored = [&](ir::CacheType type) -> Type {
    return type.isQuantized() ? e.builder.getI8Type() : type.getElementType();
  };
  KeyBlock block{position,         keyBlock,           valueBlock,
                 stored(keysType), stored(valuesType), valueWidth};
  // Few rows wait for memory.
  Value next = e.add(position, e.index(kBlock));
  next = e.min(next, e.sub(run.end(e), e.index(1)));
  block.nextKeys = blockPointer(keysType, keys, run, keyHead, next);
  block.nextValues = blockPointer(valuesType, values, run, keyHead, next);
  if (keysType.isQuantized()) {
    block.keyScales = scalesOf(keysType, block.keys);
    block.nextKeyScales = scalesOf(keysType, block.nextKeys);
  }
  if (valuesType.isQuantized())
    block.valueScales = valueScales(block.values, block.nextValues);
  return block;
}

} // namespace

std::unique_ptr<KeySource> makeCacheKeys(KernelEmitter &emitter,
                                         ir::AttentionOp op,
                                         const BatchPointers &batch,
                                         bool isOneGroup) {
  return std::make_unique<CacheKeys>(emitter, op, batch, isOneGroup);
}

} // namespace tenon::codegen::cpu
