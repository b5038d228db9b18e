//===- ElementQuantize.cpp - Rows that are stored in blocks ---------------===//
//
// `tn.quantize` at the end of a nest. Of q8_0, 32 elements are pulled, their
// scale found in registers, and one block is stored; of q8_k 256 are kept in
// scratch meanwhile.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Element.h"

#include "runtime/base/BlockLayouts.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace tenon::codegen::cpu {

using namespace mlir;

namespace {

using Block = base::BlockQ8_0;
using Super = base::BlockQ8_K;
constexpr int64_t kElements = 32, kSuperElements = 256;
constexpr int64_t kSummed = kSuperElements / std::size(Super().sums);
constexpr int32_t kNoSign = 0x7fffffff, kInfinity = 0x7f800000;
constexpr double kSteps = 127, kMostHalf = 65504;
constexpr double kLeastStep = 0x1p-100; // of q8_k

/// What the elements of a block are divided by.
struct Scale {
  Value stored;  // f16, of q8_k f32
  Value divisor; // f32; 1 where the block has none
  Value isUsed;  // i1: otherwise all quants are 0
};

/// The order of magnitudes is that of their bits, NaN above infinity.
Value magnitude(KernelEmitter &e, Value part) {
  ir::Emit a(e.builder, e.builder.getLoc(), part.getType());
  return a.bitAnd(a.bits(part), a.integer(kNoSign));
}

Value largestMagnitude(KernelEmitter &e, ArrayRef<Value> parts) {
  Value largest;
  for (Value part : parts) {
    Value bits = magnitude(e, part);
    largest = largest ? Value(arith::MaxSIOp::create(e.builder, largest, bits))
                      : bits;
  }
  return vector::ReductionOp::create(e.builder, vector::CombiningKind::MAXSI,
                                     largest);
}

Scale scaleOf(KernelEmitter &e, ArrayRef<Value> parts) {
  Type f16 = e.builder.getF16Type(), f32 = e.builder.getF32Type();
  ir::Emit a(e.builder, e.builder.getLoc(), f32);
  Value bits = largestMagnitude(e, parts);
  Value isFinite = a.less(bits, a.integer(kInfinity));
  Value step = a.div(a.fromBits(bits), a.constant(kSteps));
  Value most = a.constant(kMostHalf);
  step = a.select(a.less(step, most), step, most); // of a NaN: any number
  Scale scale;
  Value half = a.roundTo(step, f16);
  Value value = a.extend(half);
  auto nan = FloatAttr::get(f16, APFloat::getQNaN(APFloat::IEEEhalf()));
  Value none = arith::ConstantOp::create(e.builder, nan);
  scale.stored = arith::SelectOp::create(e.builder, isFinite, half, none);
  scale.isUsed = a.both(isFinite, a.less(a.constant(0), value));
  scale.divisor = a.select(scale.isUsed, value, a.constant(1));
  return scale;
}

/// Of a q8_k block whose largest magnitude has these bits.
Scale superScaleOf(KernelEmitter &e, Value bits) {
  Type f32 = e.builder.getF32Type();
  ir::Emit a(e.builder, e.builder.getLoc(), f32);
  Value isFinite = a.less(bits, a.integer(kInfinity));
  Value step = a.div(a.fromBits(bits), a.constant(kSteps));
  Scale scale;
  scale.isUsed = a.both(isFinite, a.lessEqual(a.constant(kLeastStep), step));
  scale.divisor = a.select(scale.isUsed, step, a.constant(1));
  auto nan = FloatAttr::get(f32, APFloat::getQNaN(APFloat::IEEEsingle()));
  Value none = arith::ConstantOp::create(e.builder, nan);
  scale.stored = a.select(
      scale.isUsed, step,
      arith::SelectOp::create(e.builder, isFinite, a.constant(0), none));
  return scale;
}

/// vector<i32>
Value quantsOf(KernelEmitter &e, Value part, const Scale &scale) {
  ir::Emit a(e.builder, e.builder.getLoc(), part.getType());
  int64_t width = cast<VectorType>(part.getType()).getNumElements();
  Value isUsed = e.splat(scale.isUsed, width);
  Value x = a.select(isUsed, part, a.constant(0));
  Value ratio = a.div(x, e.splat(scale.divisor, width));
  Value low = a.constant(-kSteps), high = a.constant(kSteps);
  ratio = a.select(a.less(ratio, low), low, ratio);
  ratio = a.select(a.less(high, ratio), high, ratio);
  return a.toNumber(a.roundEven(ratio), 32);
}

/// vector<i8> of one of i32
Value bytesOf(KernelEmitter &e, Value quants) {
  int64_t width = cast<VectorType>(quants.getType()).getNumElements();
  return arith::TruncIOp::create(
      e.builder, VectorType::get({width}, e.builder.getI8Type()), quants);
}

/// Stores 256 elements that lie in scratch, whose largest magnitude has these
/// bits, as a block of q8_k.
void storeSuperBlock(KernelEmitter &e, Value elements, Value bits,
                     Value block) {
  auto &b = e.builder;
  Scale scale = superScaleOf(e, bits);
  e.store(scale.stored, block, e.index(0));
  static_assert(offsetof(Super, d) == 0);
  Value sums = e.address(block, b.getI8Type(), e.index(offsetof(Super, sums)));
  int64_t width = e.vectorWidth();
  e.loop(e.index(0), e.index(std::size(Super().sums)), 1, [&](Value group) {
    Value first = e.mul(group, kSummed), sum;
    for (int64_t at = 0; at < kSummed; at += width) {
      Value k = e.add(first, e.index(at));
      Value part = e.load(elements, b.getF32Type(), k, Lanes{width});
      Value quants = quantsOf(e, part, scale);
      e.store(bytesOf(e, quants), block, e.add(e.index(offsetof(Super, qs)), k),
              Lanes{width});
      sum = sum ? Value(arith::AddIOp::create(b, sum, quants)) : quants;
    }
    Value total =
        vector::ReductionOp::create(b, vector::CombiningKind::ADD, sum);
    e.store(arith::TruncIOp::create(b, b.getI16Type(), total), sums, group);
  });
}

} // namespace

Elements::Index Elements::prepareBlocks(Value x, ValueRange row) {
  Index start(row);
  start.push_back(e.index(0));
  // Blocks cut shorter runs: those rows are computed first.
  if (runLength(x) != 0)
    stage(x, start);
  else
    prepare(x, start);
  return start;
}

void Elements::forQuantized(
    Value x, ValueRange row,
    llvm::function_ref<void(Value number, const QuantizedBlock &)> body) {
  Index start = prepareBlocks(x, row);
  int64_t columns = cast<RankedTensorType>(x.getType()).getShape().back();
  int64_t width = e.vectorWidth();
  e.loop(e.index(0), e.index(columns / kElements), 1, [&](Value number) {
    Scope scope(*this);
    SmallVector<Value> parts;
    for (int64_t at = 0; at < kElements; at += width) {
      Value offset = e.add(e.mul(number, kElements), e.index(at));
      parts.push_back(element(x, start, Lanes{width, Value(), offset}));
    }
    Scale scale = scaleOf(e, parts);
    QuantizedBlock block{scale.stored, {}};
    for (Value part : parts)
      block.quants.push_back(bytesOf(e, quantsOf(e, part, scale)));
    body(number, block);
  });
}

void Elements::storeQuantized(ir::QuantizeOp op, ValueRange row,
                              Value pointer) {
  Value x = op.getX();
  Type blocked = cast<RankedTensorType>(op.getY().getType()).getElementType();
  if (ir::storageOf(blocked) == base::ElementType::Q8_K)
    return storeSuperBlocks(op, row, prepareBlocks(x, row), pointer);
  Type i8 = e.builder.getI8Type();
  int64_t blocks = op.getY().getType().getShape().back() / kElements;
  int64_t width = e.vectorWidth();
  Value first = e.mul(rowNumber(x, row), blocks);
  forQuantized(x, row, [&](Value number, const QuantizedBlock &made) {
    Value block =
        e.address(pointer, i8, e.mul(e.add(first, number), sizeof(Block)));
    e.store(made.scale, block, e.index(0));
    static_assert(offsetof(Block, d) == 0);
    for (auto [i, quants] : llvm::enumerate(made.quants))
      e.store(quants, block, e.index(offsetof(Block, qs) + i * width),
              Lanes{width});
  });
}

// The elements of a row that is prepared or staged, from `start` on.
void Elements::storeSuperBlocks(ir::QuantizeOp op, ValueRange row,
                                const Index &start, Value pointer) {
  Value x = op.getX();
  int64_t blocks = op.getY().getType().getShape().back() / kSuperElements;
  int64_t width = e.vectorWidth();
  Value first = e.mul(rowNumber(x, row), blocks);
  int64_t mark = e.scratchMark();
  Value kept = e.scratch(kSuperElements * sizeof(float));
  Type i32 = e.vectorOf(e.builder.getI32Type(), Lanes{width});
  Value zero = arith::ConstantOp::create(e.builder, e.builder.getZeroAttr(i32));
  auto keep = [&](Value number) {
    return [&, number](Value at, ValueRange largest) -> SmallVector<Value> {
      Scope scope(*this);
      Value offset = e.add(e.mul(number, kSuperElements), at);
      Value part = element(x, start, Lanes{width, Value(), offset});
      e.store(part, kept, at, Lanes{width});
      return {
          arith::MaxSIOp::create(e.builder, largest[0], magnitude(e, part))};
    };
  };
  e.loop(e.index(0), e.index(blocks), 1, [&](Value number) {
    Value largest = e.loop(e.index(0), e.index(kSuperElements), width, zero,
                           keep(number))[0];
    Value bits = vector::ReductionOp::create(
        e.builder, vector::CombiningKind::MAXSI, largest);
    Value at = e.mul(e.add(first, number), sizeof(Super));
    storeSuperBlock(e, kept, bits,
                    e.address(pointer, e.builder.getI8Type(), at));
  });
  e.restoreScratch(mark);
}

} // namespace tenon::codegen::cpu
