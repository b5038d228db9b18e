//===- MatmulTileBlocked.cpp - Blocked weights beside f32 rows ------------===//

#include "codegen/cpu/MatmulTileEmitter.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <algorithm>

namespace tenon::codegen::cpu {

using namespace mlir;

constexpr int64_t kStreamingRows = 2, kPrefetchBytes = 4096, kLineBytes = 64;

Value TileEmitter::laneOf(int64_t vector) { return e.index(vector * lanes); }

SubBlocks TileEmitter::addressSubBlocks(Value number) {
  SubBlocks blocks;
  for (Value panel : in.panels)
    blocks.panels.push_back(reader.at(panel, number));
  return blocks;
}

SubBlocks TileEmitter::loadSubBlocks(Value number) {
  SubBlocks blocks = addressSubBlocks(number);
  for (const PanelSubBlock &panel : blocks.panels)
    for (int64_t v = 0; v < vectors; ++v) {
      blocks.scales.push_back(reader.scale(panel, laneOf(v)));
      if (in.format.hasMin)
        blocks.minima.push_back(reader.minimum(panel, laneOf(v)));
    }
  return blocks;
}

// scale * quant is exact in f32 for every format, so that the fused form with
// the minimum rounds once, as the definition does.
Value TileEmitter::dequantise(const SubBlocks &blocks, int64_t vector,
                              Value number) {
  auto &b = e.builder;
  if (in.format.hasMin)
    return math::FmaOp::create(b, blocks.scales[vector], number,
                               blocks.minima[vector]);
  return arith::MulFOp::create(b, blocks.scales[vector], number);
}

// Few rows stream the weights from memory. Into the second-level cache: the
// first has too few misses in flight. An address past the end is harmless.
// Where sub-blocks have factors the hardware alone is faster by a half.
void TileEmitter::prefetch(const SubBlocks &blocks, Value quad, int64_t quads) {
  if (tile.rows > kStreamingRows || in.format.hasFactors)
    return;
  // With the bytes of scales, spread over the quads.
  int64_t perQuad =
      in.format.superBlockBytes() * ir::kQuad / in.format.superBlock;
  Value ahead = e.add(e.mul(quad, perQuad), e.index(kPrefetchBytes));
  for (const PanelSubBlock &panel : blocks.panels)
    for (int64_t byte = 0; byte < quads * perQuad; byte += kLineBytes)
      e.prefetch(e.address(panel.quants, e.builder.getI8Type(),
                           e.add(ahead, e.index(byte))));
}

// Elements [4 * quad, + 4) of a sub-block that starts at k.
void TileEmitter::accumulateQuad(const SubBlocks &blocks, Value k, Value quad,
                                 SmallVector<Value> &acc) {
  SmallVector<Value> quads;
  for (const PanelSubBlock &panel : blocks.panels)
    for (int64_t v = 0; v < vectors; ++v)
      quads.push_back(reader.quad(panel, quad, laneOf(v)));
  Value first = e.add(k, e.mul(quad, ir::kQuad));
  for (int64_t byte = 0; byte < ir::kQuad; ++byte) {
    SmallVector<Value> weights;
    for (auto [vector, words] : llvm::enumerate(quads))
      weights.push_back(dequantise(blocks, vector, reader.number(words, byte)));
    accumulate(e.add(first, e.index(byte)), weights, acc);
  }
}

SmallVector<Value> TileEmitter::blockedSteps(Value from, Value to,
                                             ValueRange carried) {
  const ir::PanelFormat &format = in.format;
  int64_t quads = format.subBlock / ir::kQuad;
  int64_t atOnce = std::max(unroll() / ir::kQuad, format.quadsPerWord());
  auto subBlock = [&](Value number, ValueRange sums) {
    SubBlocks blocks = loadSubBlocks(number);
    Value k = e.mul(number, format.subBlock);
    auto steps = [&](Value quad, ValueRange inner) {
      SmallVector<Value> acc(inner);
      prefetch(blocks, quad, atOnce);
      for (int64_t u = 0; u < atOnce; ++u)
        accumulateQuad(blocks, k, e.add(quad, e.index(u)), acc);
      return acc;
    };
    return e.loop(e.index(0), e.index(quads), atOnce, sums, steps);
  };
  return e.loop(e.div(from, format.subBlock), e.div(to, format.subBlock), 1,
                carried, subBlock);
}

} // namespace tenon::codegen::cpu
