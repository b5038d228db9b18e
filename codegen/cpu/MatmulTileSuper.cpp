//===- MatmulTileSuper.cpp - Products of integers by super-blocks ---------===//
//
// Rows of q8_k beside K formats: the sub-blocks' integers multiply exact sums,
// so that scales are applied once in 256 elements.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/MatmulTileEmitter.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"

namespace tenon::codegen::cpu {

using namespace mlir;

// sum + the products of the halves of words, i16.
Value TileEmitter::addPair(Value sum, Value a, Value b) {
  auto &builder = e.builder;
  auto halves = VectorType::get({2 * lanes}, builder.getI16Type());
  auto call = [&](StringRef name, ValueRange operands) -> Value {
    return LLVM::CallIntrinsicOp::create(builder, sum.getType(),
                                         builder.getStringAttr(name), operands)
        .getResult(0);
  };
  Value x = LLVM::BitcastOp::create(builder, halves, a);
  Value y = LLVM::BitcastOp::create(builder, halves, b);
  if (e.hasIntegerDot())
    return call("llvm.x86.avx512.vpdpwssd.512", {sum, x, y});
  StringRef name =
      lanes == 16 ? "llvm.x86.avx512.pmaddw.d.512" : "llvm.x86.avx2.pmadd.wd";
  return arith::AddIOp::create(builder, sum, call(name, {x, y}));
}

// sum over the sub-blocks of: factor * sum of products, exactly.
SmallVector<Value> TileEmitter::sumSuperBlock(Value number) {
  int64_t subBlocks = in.format.subBlocks(), across = tile.panels * vectors;
  Value first = e.mul(number, subBlocks);
  SmallVector<Value> none(accumulators(), words(0));
  auto subBlock = [&](Value at, ValueRange before) {
    Value sub = e.add(first, at);
    prefetchNext(e.mul(sub, in.format.subBlock), in.format.subBlock);
    SubBlocks blocks = addressSubBlocks(sub);
    SmallVector<Value> sums = integerSums(blocks, sub), factors;
    for (const PanelSubBlock &panel : blocks.panels)
      for (int64_t v = 0; v < vectors; ++v)
        factors.push_back(reader.factor(panel, laneOf(v)));
    for (auto [i, sum] : llvm::enumerate(sums)) {
      Value scaled = arith::MulIOp::create(e.builder, sum, factors[i % across]);
      sum = arith::AddIOp::create(e.builder, before[i], scaled);
    }
    return sums;
  };
  return e.loop(e.index(0), e.index(subBlocks), 1, none, subBlock);
}

// The minima of two sub-blocks as the halves of words.
SmallVector<Value> TileEmitter::minPairs(Value subBlock) {
  constexpr int32_t kHalfBits = 16;
  SubBlocks even = addressSubBlocks(subBlock);
  SubBlocks odd = addressSubBlocks(e.add(subBlock, e.index(1)));
  SmallVector<Value> pairs;
  for (auto [low, high] : llvm::zip_equal(even.panels, odd.panels))
    for (int64_t v = 0; v < vectors; ++v) {
      Value shifted = arith::ShLIOp::create(
          e.builder, reader.minFactor(high, laneOf(v)), words(kHalfBits));
      pairs.push_back(arith::OrIOp::create(
          e.builder, reader.minFactor(low, laneOf(v)), shifted));
    }
  return pairs;
}

// sum over the sub-blocks of: minimum's integer * sum of a's quants, exactly.
SmallVector<Value> TileEmitter::sumMinima(Value number) {
  int64_t subBlocks = in.format.subBlocks(), across = tile.panels * vectors;
  Value first = e.mul(number, subBlocks);
  Value stride = e.div(in.aStride, 2 * in.format.subBlock);
  SmallVector<Value> sums(accumulators(), words(0));
  for (int64_t sub = 0; sub < subBlocks; sub += 2) {
    Value at = e.add(first, e.index(sub));
    SmallVector<Value> minima = minPairs(at);
    for (int64_t row = 0; row < tile.rows; ++row) {
      Value word = e.add(e.div(at, 2), e.mul(stride, row));
      Value pair =
          e.splat(e.load(in.quants.pairs, e.builder.getI32Type(), word), lanes);
      for (int64_t i = 0; i < across; ++i) {
        Value &sum = sums[row * across + i];
        sum = addPair(sum, minima[i], pair);
      }
    }
  }
  return sums;
}

// acc = fma(f32(sum), d_a * scale, acc)
void TileEmitter::addScaled(Value number, ValueRange sums,
                            ArrayRef<Value> scales, SmallVector<Value> &acc) {
  auto &b = e.builder;
  Type f32 = b.getF32Type(), floats = VectorType::get({lanes}, f32);
  int64_t across = tile.panels * vectors;
  Value stride = e.div(in.aStride, kSuperBlock);
  for (int64_t row = 0; row < tile.rows; ++row) {
    Value at = e.add(number, e.mul(stride, row));
    Value scaleA = e.splat(e.load(in.quants.scales, f32, at), lanes);
    for (int64_t i = 0; i < across; ++i) {
      int64_t n = row * across + i;
      Value exact = arith::SIToFPOp::create(b, floats, sums[n]);
      Value scale = arith::MulFOp::create(b, scaleA, scales[i]);
      acc[n] = math::FmaOp::create(b, exact, scale, acc[n]);
    }
  }
}

SmallVector<Value> TileEmitter::superSteps(Value from, Value to,
                                           ValueRange carried) {
  auto superBlock = [&](Value number, ValueRange before) {
    SmallVector<Value> acc(before), scales, minima;
    SmallVector<Value> sums = sumSuperBlock(number);
    SubBlocks blocks = addressSubBlocks(e.mul(number, in.format.subBlocks()));
    for (const PanelSubBlock &panel : blocks.panels)
      for (int64_t v = 0; v < vectors; ++v) {
        scales.push_back(reader.superScale(panel, laneOf(v)));
        if (in.format.hasMin)
          minima.push_back(reader.superMinimum(panel, laneOf(v)));
      }
    addScaled(number, sums, scales, acc);
    if (in.format.hasMin)
      addScaled(number, sumMinima(number), minima, acc);
    return acc;
  };
  return e.loop(e.div(from, kSuperBlock), e.div(to, kSuperBlock), 1, carried,
                superBlock);
}

} // namespace tenon::codegen::cpu
