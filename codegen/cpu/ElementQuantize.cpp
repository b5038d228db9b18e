//===- ElementQuantize.cpp - Rows that are stored in blocks ---------------===//
//
// `tn.quantize` at the end of a nest: 32 elements are pulled, their scale found
// in registers, and one block of q8_0 is stored.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Element.h"

#include "runtime/base/BlockLayouts.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace tenon::codegen::cpu {

using namespace mlir;

namespace {

using Block = base::BlockQ8_0;
constexpr int64_t kElements = 32;
constexpr int32_t kNoSign = 0x7fffffff, kInfinity = 0x7f800000;
constexpr double kSteps = 127, kMostHalf = 65504;

/// What the elements of a block are divided by.
struct Scale {
  Value stored;  // f16
  Value divisor; // f32; 1 where the block has none
  Value isUsed;  // i1: otherwise all quants are 0
};

/// The order of magnitudes is that of their bits, NaN above infinity.
Value largestMagnitude(KernelEmitter &e, ArrayRef<Value> parts) {
  Value largest;
  for (Value part : parts) {
    ir::Emit a(e.builder, e.builder.getLoc(), part.getType());
    Value bits = a.bitAnd(a.bits(part), a.integer(kNoSign));
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

/// vector<i8>
Value quantsOf(KernelEmitter &e, Value part, const Scale &scale) {
  ir::Emit a(e.builder, e.builder.getLoc(), part.getType());
  int64_t width = cast<VectorType>(part.getType()).getNumElements();
  Value isUsed = e.splat(scale.isUsed, width);
  Value x = a.select(isUsed, part, a.constant(0));
  Value ratio = a.div(x, e.splat(scale.divisor, width));
  Value low = a.constant(-kSteps), high = a.constant(kSteps);
  ratio = a.select(a.less(ratio, low), low, ratio);
  ratio = a.select(a.less(high, ratio), high, ratio);
  return arith::TruncIOp::create(
      e.builder, VectorType::get({width}, e.builder.getI8Type()),
      a.toNumber(a.roundEven(ratio), 32));
}

} // namespace

void Elements::forQuantized(
    Value x, ValueRange row,
    llvm::function_ref<void(Value number, const QuantizedBlock &)> body) {
  Index start(row);
  start.push_back(e.index(0));
  // Blocks cut shorter runs: those rows are computed first.
  if (runLength(x) != 0)
    stage(x, start);
  else
    prepare(x, start);
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
      block.quants.push_back(quantsOf(e, part, scale));
    body(number, block);
  });
}

void Elements::storeQuantized(ir::QuantizeOp op, ValueRange row,
                              Value pointer) {
  Value x = op.getX();
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

} // namespace tenon::codegen::cpu
