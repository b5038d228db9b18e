//===- MatmulTileBlocked.cpp - Blocked weights beside f32 rows ------------===//

#include "codegen/cpu/MatmulTileEmitter.h"

#include "ir/tn/Emit.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <algorithm>

namespace tenon::codegen::cpu {

using namespace mlir;
using base::ElementType;
using ir::kPanelLanes;

constexpr int64_t kStreamingRows = 2, kPrefetchBytes = 2560, kLineBytes = 64;

Value TileEmitter::loadScale(Value pointer, int64_t byte, int64_t vector) {
  OpBuilder &b = e.builder;
  bool isHalf = in.format.scaleType == ElementType::F16;
  Type element = isHalf ? Type(b.getF16Type()) : Type(b.getF32Type());
  int64_t at =
      byte + vector * lanes * base::info(in.format.scaleType).blockBytes;
  Value address = e.address(pointer, b.getI8Type(), e.index(at));
  Value scale = e.load(address, element, e.index(0), Lanes{lanes});
  return ir::Emit(b, e.builder.getLoc(), scale.getType()).extend(scale);
}

SubBlock TileEmitter::addressSubBlock(Value number) {
  SubBlock block;
  Value byte = e.mul(number, in.format.bytesPerSubBlock());
  for (Value panel : in.panels)
    block.pointers.push_back(e.address(panel, e.builder.getI8Type(), byte));
  return block;
}

SubBlock TileEmitter::loadSubBlock(Value number) {
  SubBlock block = addressSubBlock(number);
  for (Value pointer : block.pointers) {
    for (int64_t v = 0; v < vectors; ++v) {
      block.scales.push_back(loadScale(pointer, 0, v));
      if (in.format.hasMin)
        block.minima.push_back(
            loadScale(pointer, in.format.scaleRowBytes(), v));
    }
  }
  return block;
}

// scale * quant is exact in f32 for every format, so that the fused form with
// the minimum rounds once, as the definition does.
Value TileEmitter::dequantise(const SubBlock &block, int64_t panel,
                              int64_t vector, Value quant) {
  auto &b = e.builder;
  Type floats = VectorType::get({lanes}, b.getF32Type());
  Value value = arith::SIToFPOp::create(b, floats, quant);
  int64_t at = panel * vectors + vector;
  if (in.format.hasMin)
    return math::FmaOp::create(b, block.scales[at], value, block.minima[at]);
  return arith::MulFOp::create(b, block.scales[at], value);
}

Value TileEmitter::words(int32_t value) {
  auto &b = e.builder;
  auto type = VectorType::get({lanes}, b.getI32Type());
  return arith::ConstantOp::create(
      b, DenseElementsAttr::get(type, b.getI32IntegerAttr(value)));
}

// Appends the weights of one row of quants: one k, or two for 4 bits.
void TileEmitter::loadQuants(const SubBlock &block, int64_t panel,
                             int64_t vector, Value row,
                             SmallVectorImpl<Value> &weights) {
  auto &b = e.builder;
  auto type = VectorType::get({lanes}, b.getI32Type());
  Value at = e.add(e.mul(row, kPanelLanes),
                   e.index(in.format.quantsOffset() + vector * lanes));
  Value bytes = e.load(block.pointers[panel], b.getI8Type(), at, Lanes{lanes});
  if (in.format.bits == 8) {
    Value quant = arith::ExtSIOp::create(b, type, bytes);
    weights.push_back(dequantise(block, panel, vector, quant));
    return;
  }
  Value pair = arith::ExtUIOp::create(b, type, bytes);
  Value even = arith::AndIOp::create(b, pair, words(15));
  Value odd = arith::ShRUIOp::create(b, pair, words(4));
  for (Value quant : {even, odd}) {
    if (in.format.offset)
      quant = arith::SubIOp::create(
          b, quant, words(static_cast<int32_t>(in.format.offset)));
    weights.push_back(dequantise(block, panel, vector, quant));
  }
}

// Few rows stream the weights from memory, over several panels at once and with
// arithmetic between the loads: more than the hardware's prefetcher keeps ahead
// of. An address past the end is harmless.
void TileEmitter::prefetch(const SubBlock &block, Value row, int64_t rows) {
  if (tile.rows > kStreamingRows)
    return;
  Value ahead = e.add(e.mul(row, kPanelLanes), e.index(kPrefetchBytes));
  for (Value pointer : block.pointers)
    for (int64_t byte = 0; byte < rows * kPanelLanes; byte += kLineBytes) {
      Value at = e.address(pointer, e.builder.getI8Type(),
                           e.add(ahead, e.index(byte)));
      LLVM::Prefetch::create(e.builder, at, /*rw=*/0, /*hint=*/3, /*cache=*/1);
    }
}

SmallVector<Value> TileEmitter::blockedSteps(Value from, Value to,
                                             ValueRange carried) {
  const ir::PanelFormat &format = in.format;
  int64_t perRow = format.bits == 4 ? 2 : 1;
  int64_t rows = format.subBlock / perRow;
  int64_t rowsAtOnce = std::max<int64_t>(unroll() / perRow, 1);
  auto subBlock = [&](Value number, ValueRange sums) {
    SubBlock block = loadSubBlock(number);
    Value first = e.mul(number, format.subBlock);
    auto steps = [&](Value row, ValueRange inner) {
      SmallVector<Value> acc(inner);
      prefetch(block, row, rowsAtOnce);
      for (int64_t u = 0; u < rowsAtOnce; ++u) {
        Value at = e.add(row, e.index(u));
        SmallVector<SmallVector<Value>, 2> weights(perRow);
        for (int64_t p = 0; p < tile.panels; ++p)
          for (int64_t v = 0; v < vectors; ++v) {
            SmallVector<Value, 2> loaded;
            loadQuants(block, p, v, at, loaded);
            for (int64_t i = 0; i < perRow; ++i)
              weights[i].push_back(loaded[i]);
          }
        Value k = e.add(first, e.mul(at, perRow));
        for (int64_t i = 0; i < perRow; ++i)
          accumulate(e.add(k, e.index(i)), weights[i], acc);
      }
      return acc;
    };
    return e.loop(e.index(0), e.index(rows), rowsAtOnce, sums, steps);
  };
  return e.loop(e.div(from, format.subBlock), e.div(to, format.subBlock), 1,
                carried, subBlock);
}

} // namespace tenon::codegen::cpu
