//===- MatmulTileInteger.cpp - Products of integers -----------------------===//

#include "codegen/cpu/MatmulTileEmitter.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <algorithm>

namespace tenon::codegen::cpu {

using namespace mlir;
using ir::kPanelLanes;

// Quants 2 * pair and 2 * pair + 1 of the lanes, as the halves of an i32.
Value TileEmitter::loadPair(Value pointer, Value pair, int64_t vector) {
  auto &b = e.builder;
  auto type = VectorType::get({lanes}, b.getI32Type());
  auto bytesOf = [&](Value row) {
    Value at = e.add(e.mul(row, kPanelLanes),
                     e.index(in.format.quantsOffset() + vector * lanes));
    return e.load(pointer, b.getI8Type(), at, Lanes{lanes});
  };
  auto join = [&](Value low, Value high) -> Value {
    return arith::OrIOp::create(b, low, high);
  };
  if (in.format.bits == 8) {
    Value row = e.mul(pair, 2);
    Value even = arith::ExtSIOp::create(b, type, bytesOf(row));
    Value odd =
        arith::ExtSIOp::create(b, type, bytesOf(e.add(row, e.index(1))));
    return join(arith::AndIOp::create(b, even, words(0xffff)),
                arith::ShLIOp::create(b, odd, words(16)));
  }
  Value both = arith::ExtUIOp::create(b, type, bytesOf(pair));
  Value odd = arith::AndIOp::create(b, both, words(0xf0));
  Value joined = join(arith::AndIOp::create(b, both, words(15)),
                      arith::ShLIOp::create(b, odd, words(12)));
  if (!in.format.offset)
    return joined;
  auto halves = VectorType::get({2 * lanes}, b.getI16Type());
  Value offset = arith::ConstantOp::create(
      b,
      DenseElementsAttr::get(
          halves, b.getI16IntegerAttr(static_cast<int16_t>(in.format.offset))));
  Value shifted = arith::SubIOp::create(
      b, LLVM::BitcastOp::create(b, halves, joined), offset);
  return LLVM::BitcastOp::create(b, type, shifted);
}

// sum + a's even half * the weights' even one + odd * odd, exactly.
Value TileEmitter::addPair(Value sum, Value a, Value weights) {
  auto &b = e.builder;
  auto halves = VectorType::get({2 * lanes}, b.getI16Type());
  Value x = LLVM::BitcastOp::create(b, halves, a);
  Value y = LLVM::BitcastOp::create(b, halves, weights);
  auto call = [&](StringRef name, ValueRange operands) -> Value {
    return LLVM::CallIntrinsicOp::create(b, sum.getType(),
                                         b.getStringAttr(name), operands)
        .getResult(0);
  };
  if (e.hasIntegerDot())
    return call("llvm.x86.avx512.vpdpwssd.512", {sum, x, y});
  Value products = lanes == 16 ? call("llvm.x86.avx512.pmaddw.d.512", {x, y})
                               : call("llvm.x86.avx2.pmadd.wd", {x, y});
  return arith::AddIOp::create(b, sum, products);
}

SmallVector<Value> TileEmitter::integerSums(const SubBlock &block,
                                            Value number) {
  int64_t pairs = in.format.subBlock / 2, across = tile.panels * vectors;
  int64_t atOnce = std::max<int64_t>(unroll() / 2, 1);
  int64_t rowsOfPair = in.format.bits == 8 ? 2 : 1;
  Type i32 = e.builder.getI32Type();
  Value first = e.mul(number, pairs), stride = e.div(in.aStride, 2);
  auto step = [&](Value from, ValueRange carried) {
    SmallVector<Value> sums(carried);
    prefetch(block, e.mul(from, rowsOfPair), atOnce * rowsOfPair);
    for (int64_t u = 0; u < atOnce; ++u) {
      Value pair = e.add(from, e.index(u));
      SmallVector<Value> weights;
      for (Value pointer : block.pointers)
        for (int64_t v = 0; v < vectors; ++v)
          weights.push_back(loadPair(pointer, pair, v));
      for (int64_t row = 0; row < tile.rows; ++row) {
        Value at = e.add(e.add(first, pair), e.mul(stride, row));
        Value a = e.splat(e.load(in.a, i32, at), lanes);
        for (int64_t i = 0; i < across; ++i)
          sums[row * across + i] =
              addPair(sums[row * across + i], a, weights[i]);
      }
    }
    return sums;
  };
  SmallVector<Value> zeros(accumulators(), words(0));
  return e.loop(e.index(0), e.index(pairs), atOnce, zeros, step);
}

void TileEmitter::scaleSums(const SubBlock &block, Value number,
                            ArrayRef<Value> sums, SmallVector<Value> &acc) {
  auto &b = e.builder;
  Type f32 = b.getF32Type(), floats = VectorType::get({lanes}, f32);
  int64_t across = tile.panels * vectors;
  Value blockOf = e.div(e.mul(number, in.format.subBlock), kQuantBlock);
  Value stride = e.div(in.aStride, kQuantBlock);
  for (int64_t row = 0; row < tile.rows; ++row) {
    Value at = e.add(blockOf, e.mul(stride, row));
    Value scaleA = e.splat(e.load(in.quants.scales, f32, at), lanes);
    Value shift;
    if (in.format.hasMin)
      shift = e.splat(e.load(in.quants.shifts, f32, at), lanes);
    for (int64_t i = 0; i < across; ++i) {
      Value &sum = acc[row * across + i];
      Value exact = arith::SIToFPOp::create(b, floats, sums[row * across + i]);
      Value scale = arith::MulFOp::create(b, scaleA, block.scales[i]);
      sum = math::FmaOp::create(b, exact, scale, sum);
      if (shift)
        sum = math::FmaOp::create(b, shift, block.minima[i], sum);
    }
  }
}

SmallVector<Value> TileEmitter::integerSteps(Value from, Value to,
                                             ValueRange carried) {
  auto subBlock = [&](Value number, ValueRange before) {
    SmallVector<Value> sums = integerSums(addressSubBlock(number), number);
    SmallVector<Value> acc(before);
    scaleSums(loadSubBlock(number), number, sums, acc);
    return acc;
  };
  int64_t elements = in.format.subBlock;
  return e.loop(e.div(from, elements), e.div(to, elements), 1, carried,
                subBlock);
}

} // namespace tenon::codegen::cpu
