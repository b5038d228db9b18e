//===- MatmulTile.cpp - Accumulation by the matmul rule -------------------===//

#include "codegen/cpu/MatmulTile.h"

#include "ir/tn/Emit.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

#include <algorithm>

namespace tenon::codegen::cpu {

using namespace mlir;
using base::ElementType;
using ir::kPanelLanes;

namespace {

constexpr int64_t kStreamingRows = 2, kPrefetchBytes = 2560, kLineBytes = 64;

/// Weights of one sub-block: scales and minima in registers, quants in memory.
struct SubBlock {
  SmallVector<Value> pointers;       // of each panel's sub-block
  SmallVector<Value> scales, minima; // of each panel and vector
};

class TileEmitter {
public:
  TileEmitter(KernelEmitter &e, const RegisterTile &tile,
              const TileOperands &operands)
      : e(e), tile(tile), in(operands), lanes(e.vectorWidth()),
        vectors(kPanelLanes / lanes) {}

  void emit();

private:
  int64_t accumulators() const { return tile.rows * tile.panels * vectors; }
  int64_t unroll() const;
  SmallVector<Value> segment(Value from, Value to);
  SmallVector<Value> plainSteps(Value from, Value to, ValueRange carried);
  SmallVector<Value> blockedSteps(Value from, Value to, ValueRange carried);
  SmallVector<Value> integerSteps(Value from, Value to, ValueRange carried);
  SmallVector<Value> integerSums(const SubBlock &block, Value number);
  Value loadPair(Value pointer, Value pair, int64_t vector);
  Value addPair(Value sum, Value a, Value weights);
  void scaleSums(const SubBlock &block, Value number, ArrayRef<Value> sums,
                 SmallVector<Value> &acc);
  SubBlock addressSubBlock(Value number);
  SubBlock loadSubBlock(Value number);
  Value words(int32_t value);
  Value loadScale(Value pointer, int64_t byte, int64_t vector);
  Value loadPlain(Value panel, Value k, int64_t vector);
  void loadQuants(const SubBlock &block, int64_t panel, int64_t vector,
                  Value row, SmallVectorImpl<Value> &weights);
  Value dequantise(const SubBlock &block, int64_t panel, int64_t vector,
                   Value quant);
  void prefetch(const SubBlock &block, Value row, int64_t rows);
  void accumulate(Value k, ArrayRef<Value> weights, SmallVector<Value> &acc);
  void storeSegment(Value from, ValueRange acc);

  KernelEmitter &e;
  const RegisterTile &tile;
  const TileOperands &in;
  int64_t lanes, vectors;
};

// Enough multiply-adds in a loop body to hide its overhead; code size (compile
// time) grows with it, too.
int64_t TileEmitter::unroll() const {
  int64_t steps = llvm::PowerOf2Ceil(64 / accumulators());
  return std::clamp<int64_t>(steps, 2, 8);
}

void TileEmitter::accumulate(Value k, ArrayRef<Value> weights,
                             SmallVector<Value> &acc) {
  int64_t across = tile.panels * vectors;
  for (int64_t row = 0; row < tile.rows; ++row) {
    Value at = e.add(k, e.mul(in.aStride, row));
    Value a = e.splat(e.load(in.a, e.builder.getF32Type(), at), lanes);
    for (int64_t i = 0; i < across; ++i) {
      Value &sum = acc[row * across + i];
      sum = math::FmaOp::create(e.builder, a, weights[i], sum);
    }
  }
}

//===----------------------------------------------------------------------===//
// Plain weights
//===----------------------------------------------------------------------===//

Value TileEmitter::loadPlain(Value panel, Value k, int64_t vector) {
  auto &b = e.builder;
  Type element = b.getF32Type();
  if (in.format.type == ElementType::F16)
    element = b.getF16Type();
  if (in.format.type == ElementType::BF16)
    element = b.getBF16Type();
  Value at = e.add(e.mul(k, kPanelLanes), e.index(vector * lanes));
  Value weight = e.load(panel, element, at, Lanes{lanes});
  return ir::Emit(b, b.getLoc(), weight.getType()).extend(weight);
}

SmallVector<Value> TileEmitter::plainSteps(Value from, Value to,
                                           ValueRange carried) {
  auto steps = [&](int64_t count) {
    return [this, count](Value k, ValueRange sums) {
      SmallVector<Value> acc(sums);
      for (int64_t u = 0; u < count; ++u) {
        Value at = e.add(k, e.index(u));
        SmallVector<Value> weights;
        for (Value panel : in.panels)
          for (int64_t v = 0; v < vectors; ++v)
            weights.push_back(loadPlain(panel, at, v));
        accumulate(at, weights, acc);
      }
      return acc;
    };
  };
  int64_t count = unroll();
  Value whole = e.mul(e.div(e.sub(to, from), count), count);
  Value middle = e.add(from, whole);
  SmallVector<Value> acc = e.loop(from, middle, count, carried, steps(count));
  std::optional<int64_t> k = getConstantIntValue(in.k);
  if (k && *k % count == 0) // Segments are multiples of every count.
    return acc;
  return e.loop(middle, to, 1, acc, steps(1));
}

//===----------------------------------------------------------------------===//
// Blocked weights
//===----------------------------------------------------------------------===//

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

//===----------------------------------------------------------------------===//
// Products of integers
//===----------------------------------------------------------------------===//

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

//===----------------------------------------------------------------------===//
// Segments
//===----------------------------------------------------------------------===//

SmallVector<Value> TileEmitter::segment(Value from, Value to) {
  Value zero = e.splat(e.f32(0), lanes);
  SmallVector<Value> acc(accumulators(), zero);
  if (in.quants.scales)
    return integerSteps(from, to, acc);
  if (in.format.hasScale)
    return blockedSteps(from, to, acc);
  return plainSteps(from, to, acc);
}

// The first segment's sums are stored, later ones are added to what stands.
void TileEmitter::storeSegment(Value from, ValueRange acc) {
  auto &b = e.builder;
  bool isOnly = getConstantIntValue(from).has_value();
  Value isFirst;
  if (!isOnly)
    isFirst =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, from, e.index(0));
  int64_t across = tile.panels * vectors;
  for (auto [i, sum] : llvm::enumerate(acc)) {
    int64_t row = i / across, column = i % across * lanes;
    Value at = e.index(row * tile.columns() + column);
    Value total = sum;
    if (!isOnly) {
      Value before = e.load(in.out, b.getF32Type(), at, Lanes{lanes});
      Value added = arith::AddFOp::create(b, before, sum);
      total = arith::SelectOp::create(b, isFirst, sum, added);
    }
    e.store(total, in.out, at, Lanes{lanes});
  }
}

void TileEmitter::emit() {
  std::optional<int64_t> k = getConstantIntValue(in.k);
  if (k && *k <= kSegment) {
    storeSegment(e.index(0), segment(e.index(0), in.k));
    return;
  }
  e.loop(e.index(0), in.k, kSegment, [&](Value from) {
    Value to = e.min(e.add(from, e.index(kSegment)), in.k);
    storeSegment(from, segment(from, to));
  });
}

} // namespace

void emitRegisterTile(KernelEmitter &e, const RegisterTile &tile,
                      const TileOperands &operands) {
  TileEmitter(e, tile, operands).emit();
}

} // namespace tenon::codegen::cpu
