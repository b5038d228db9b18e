//===- MatmulTileInteger.cpp - Products of integers -----------------------===//

#include "codegen/cpu/MatmulTileEmitter.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace tenon::codegen::cpu {

using namespace mlir;

Value TileEmitter::words(int32_t value) {
  auto &b = e.builder;
  auto type = VectorType::get({lanes}, b.getI32Type());
  return arith::ConstantOp::create(
      b, DenseElementsAttr::get(type, b.getI32IntegerAttr(value)));
}

// Stored quants are too large by the offset: sums start with what that adds,
// taken away.
SmallVector<Value> TileEmitter::startSums(Value number) {
  int64_t across = tile.panels * vectors;
  if (!in.format.offset)
    return SmallVector<Value>(accumulators(), words(0));
  SmallVector<Value> sums;
  Value stride = e.div(in.aStride, in.format.subBlock);
  for (int64_t row = 0; row < tile.rows; ++row) {
    Value at = e.add(number, e.mul(stride, row));
    Value start = e.load(in.quants.starts, e.builder.getI32Type(), at);
    sums.append(across, e.splat(start, lanes));
  }
  return sums;
}

// A quad of the activations, as `addQuad` multiplies it.
SmallVector<Value> TileEmitter::loadQuadOfRow(int64_t row, Value quad) {
  int64_t words = e.hasIntegerDot() ? 1 : 2;
  Value stride = e.div(e.mul(in.aStride, words), ir::kQuad);
  Value at = e.add(e.mul(quad, words), e.mul(stride, row));
  SmallVector<Value> a;
  for (int64_t i = 0; i < words; ++i) {
    Value word = e.load(in.a, e.builder.getI32Type(), e.add(at, e.index(i)));
    a.push_back(e.splat(word, lanes));
  }
  return a;
}

// sum + the products of four k, exactly. Without an instruction for that, pairs
// of i16: of even k, then of odd ones.
Value TileEmitter::addQuad(Value sum, ValueRange a, Value weights) {
  auto &b = e.builder;
  auto call = [&](StringRef name, ValueRange operands) -> Value {
    return LLVM::CallIntrinsicOp::create(b, sum.getType(),
                                         b.getStringAttr(name), operands)
        .getResult(0);
  };
  auto cast = [&](int64_t count, Type element, Value x) -> Value {
    return LLVM::BitcastOp::create(b, VectorType::get({count}, element), x);
  };
  if (e.hasIntegerDot()) {
    Type i8 = b.getI8Type();
    return call("llvm.x86.avx512.vpdpbusd.512",
                {sum, cast(4 * lanes, i8, weights), cast(4 * lanes, i8, a[0])});
  }
  constexpr int32_t kEven = 0x00ff00ff;
  Value halves[] = {
      arith::AndIOp::create(b, weights, words(kEven)),
      arith::AndIOp::create(b, arith::ShRUIOp::create(b, weights, words(8)),
                            words(kEven))};
  for (auto [x, y] : llvm::zip_equal(a, halves)) {
    Value operands[] = {cast(2 * lanes, b.getI16Type(), x),
                        cast(2 * lanes, b.getI16Type(), y)};
    StringRef name =
        lanes == 16 ? "llvm.x86.avx512.pmaddw.d.512" : "llvm.x86.avx2.pmadd.wd";
    sum = arith::AddIOp::create(b, sum, call(name, operands));
  }
  return sum;
}

SmallVector<Value> TileEmitter::integerSums(const SubBlocks &blocks,
                                            Value number) {
  int64_t quads = in.format.subBlock / ir::kQuad;
  int64_t across = tile.panels * vectors;
  SmallVector<Value> sums = startSums(number);
  // A stream of 4 bits an element the hardware alone fetches faster by a sixth.
  if (in.format.bits == 8 || in.format.highBits > 0)
    prefetch(blocks, e.index(0), quads);
  Value first = e.mul(number, quads);
  for (int64_t q = 0; q < quads; ++q) {
    SmallVector<Value> weights;
    for (const PanelSubBlock &panel : blocks.panels)
      for (int64_t v = 0; v < vectors; ++v)
        weights.push_back(reader.quad(panel, e.index(q), laneOf(v)));
    for (int64_t row = 0; row < tile.rows; ++row) {
      SmallVector<Value> a = loadQuadOfRow(row, e.add(first, e.index(q)));
      for (int64_t i = 0; i < across; ++i) {
        Value &sum = sums[row * across + i];
        sum = addQuad(sum, a, weights[i]);
      }
    }
  }
  return sums;
}

void TileEmitter::scaleSums(const SubBlocks &blocks, Value number,
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
      Value scale = arith::MulFOp::create(b, scaleA, blocks.scales[i]);
      sum = math::FmaOp::create(b, exact, scale, sum);
      if (shift)
        sum = math::FmaOp::create(b, shift, blocks.minima[i], sum);
    }
  }
}

SmallVector<Value> TileEmitter::integerSteps(Value from, Value to,
                                             ValueRange carried) {
  auto subBlock = [&](Value number, ValueRange before) {
    prefetchNext(e.mul(number, in.format.subBlock), in.format.subBlock);
    SmallVector<Value> sums = integerSums(addressSubBlocks(number), number);
    SmallVector<Value> acc(before);
    scaleSums(loadSubBlocks(number), number, sums, acc);
    return acc;
  };
  int64_t perBlock = in.format.subBlock;
  return e.loop(e.div(from, perBlock), e.div(to, perBlock), 1, carried,
                subBlock);
}

//===----------------------------------------------------------------------===//
// Rows of i8
//===----------------------------------------------------------------------===//

// Whole segments are exact sums; the first one takes the offset of all away.
SmallVector<Value> TileEmitter::byteSteps(Value from, Value to) {
  auto &b = e.builder;
  Type i32 = b.getI32Type();
  Value none = arith::ConstantOp::create(b, b.getI32IntegerAttr(0));
  Value isFirst =
      arith::CmpIOp::create(b, arith::CmpIPredicate::eq, from, e.index(0));
  int64_t across = tile.panels * vectors;
  SmallVector<Value> sums;
  for (int64_t row = 0; row < tile.rows; ++row) {
    Value start = e.load(in.quants.starts, i32, e.index(row));
    start = arith::SelectOp::create(b, isFirst, start, none);
    sums.append(across, e.splat(start, lanes));
  }
  auto steps = [&](int64_t count) {
    return [this, across, count](Value first, ValueRange carried) {
      SmallVector<Value> acc(carried);
      prefetchNext(e.mul(first, ir::kQuad), count * ir::kQuad);
      for (int64_t u = 0; u < count; ++u) {
        Value quad = e.add(first, e.index(u));
        SmallVector<Value> weights;
        for (Value panel : in.panels)
          for (int64_t v = 0; v < vectors; ++v)
            weights.push_back(reader.quad({{}, {}, panel}, quad, laneOf(v)));
        for (int64_t row = 0; row < tile.rows; ++row) {
          SmallVector<Value> a = loadQuadOfRow(row, quad);
          for (int64_t i = 0; i < across; ++i) {
            Value &sum = acc[row * across + i];
            sum = addQuad(sum, a, weights[i]);
          }
        }
      }
      return acc;
    };
  };
  constexpr int64_t kProducts = 192;
  int64_t count = unroll(kProducts);
  Value first = e.div(from, ir::kQuad);
  Value end = e.div(e.add(to, e.index(ir::kQuad - 1)), ir::kQuad);
  Value whole = e.mul(e.div(e.sub(end, first), count), count);
  Value middle = e.add(first, whole);
  sums = e.loop(first, middle, count, sums, steps(count));
  std::optional<int64_t> known = getConstantIntValue(in.segment.count);
  if (known && *known % (count * ir::kQuad) == 0)
    return sums;
  return e.loop(middle, end, 1, sums, steps(1));
}

} // namespace tenon::codegen::cpu
