//===- PanelReader.cpp - Sub-blocks of a packed weight --------------------===//

#include "codegen/cpu/PanelReader.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

namespace tenon::codegen::cpu {

using namespace mlir;

namespace {

// An f32 from 2^23 on has its units in the lowest bit.
constexpr int32_t kUnitsBits = 0x4b000000;
constexpr double kUnits = 8388608;

/// A byte in each byte of a word.
int32_t everyByte(int64_t value) {
  return static_cast<int32_t>(value * 0x01010101);
}

} // namespace

Value plainElement(KernelEmitter &e, const ir::PanelFormat &format, Value k,
                   Value lane) {
  int64_t group = format.group();
  Value word = e.add(e.mul(e.div(k, group), ir::kPanelLanes), lane);
  Value inWord = e.rem(k, group);
  if (!format.isBytes())
    inWord = e.sub(e.index(group - 1), inWord);
  return e.add(e.mul(word, group), inWord);
}

ir::Emit PanelReader::emit(Value like) const {
  return ir::Emit(e.builder, e.builder.getLoc(), like.getType());
}

PanelSubBlock PanelReader::at(Value panel, Value number) const {
  Type i8 = e.builder.getI8Type();
  auto from = [&](Value base, Value times, int64_t bytes, int64_t offset) {
    return e.address(base, i8, e.add(e.mul(times, bytes), e.index(offset)));
  };
  int64_t subBlocks = format.subBlocks(), perGroup = format.perGroup();
  Value inSuper = e.rem(number, subBlocks), inGroup = e.rem(number, perGroup);
  PanelSubBlock block;
  block.superBlock =
      from(panel, e.div(number, subBlocks), format.superBlockBytes(), 0);
  Value group = from(block.superBlock, e.div(inSuper, perGroup),
                     format.groupBytes(), format.groupsByte());
  block.factors = from(group, inGroup, ir::kByteRowBytes, 0);
  block.quants =
      from(group, inGroup, format.subBlockBytes(), format.quantsByte());
  return block;
}

//===----------------------------------------------------------------------===//
// Scales
//===----------------------------------------------------------------------===//

Value PanelReader::half(const PanelSubBlock &block, int64_t byte,
                        Value lane) const {
  Value row = e.address(block.superBlock, e.builder.getI8Type(), e.index(byte));
  Value stored = e.load(row, e.builder.getF16Type(), lane, Lanes{width});
  return emit(stored).extend(stored);
}

/// A sub-block's integer; those of minima are below 64.
Value PanelReader::integer(const PanelSubBlock &block, int64_t byte,
                           Value lane) const {
  Value stored = e.load(block.factors, e.builder.getI8Type(),
                        e.add(e.index(byte), lane), Lanes{width});
  Type i32 = e.vectorOf(e.builder.getI32Type(), Lanes{width});
  return arith::ExtSIOp::create(e.builder, i32, stored);
}

Value PanelReader::factor(const PanelSubBlock &block, Value lane) const {
  return integer(block, 0, lane);
}

Value PanelReader::minFactor(const PanelSubBlock &block, Value lane) const {
  return integer(block, format.minFactorByte(), lane);
}

Value PanelReader::superScale(const PanelSubBlock &block, Value lane) const {
  return half(block, 0, lane);
}

Value PanelReader::superMinimum(const PanelSubBlock &block, Value lane) const {
  return half(block, format.minimumByte(), lane);
}

/// A sub-block's part of the super-block's f16: times its integer, if any.
Value PanelReader::scaled(Value half, const PanelSubBlock &block, int64_t byte,
                          Value lane) const {
  if (!format.hasFactors)
    return half;
  ir::Emit a = emit(half);
  return a.mul(half, a.toFloat(integer(block, byte, lane)));
}

Value PanelReader::scale(const PanelSubBlock &block, Value lane) const {
  return scaled(half(block, 0, lane), block, 0, lane);
}

Value PanelReader::minimum(const PanelSubBlock &block, Value lane) const {
  return scaled(half(block, format.minimumByte(), lane), block,
                format.minFactorByte(), lane);
}

//===----------------------------------------------------------------------===//
// Quants
//===----------------------------------------------------------------------===//

Value PanelReader::word(const PanelSubBlock &block, Value number, int64_t byte,
                        Value lane) const {
  Value at = e.add(e.mul(number, ir::kWordRowBytes), e.index(byte));
  Value row = e.address(block.quants, e.builder.getI8Type(), at);
  return e.load(row, e.builder.getI32Type(), lane, Lanes{width});
}

Value PanelReader::shiftRight(Value word, Value by) const {
  Value amount = e.fromIndex(by, e.builder.getI32Type());
  if (width > 1)
    amount = e.splat(amount, width);
  return arith::ShRUIOp::create(e.builder, word, amount);
}

Value PanelReader::quad(const PanelSubBlock &block, Value quad,
                        Value lane) const {
  int64_t perWord = format.quadsPerWord();
  Value low = word(block, e.div(quad, perWord), 0, lane);
  if (format.bits == 8)
    return low;
  ir::Emit a = emit(low);
  low = shiftRight(low, e.mul(e.rem(quad, perWord), format.bits));
  low = a.bitAnd(low, a.integer(everyByte((1 << format.bits) - 1)));
  if (!format.highBits)
    return low;
  int64_t perHigh = format.quadsPerHighWord();
  Value high = word(block, e.div(quad, perHigh), format.highByte(0), lane);
  high = shiftRight(high, e.mul(e.rem(quad, perHigh), format.highBits));
  high = a.bitAnd(high, a.integer(everyByte((1 << format.highBits) - 1)));
  high = a.shiftLeft(high, static_cast<int32_t>(format.bits));
  return arith::OrIOp::create(e.builder, low, high);
}

// An integer below 2^23 put below the bits of 2^23 makes their sum: one
// operation that any unit does, and an addition that takes the offset away.
Value PanelReader::number(Value quad, int64_t byte) const {
  ir::Emit a = emit(quad);
  constexpr int32_t kByteBits = 8, kByteMask = 0xff;
  Value quant = quad;
  if (byte > 0)
    quant = shiftRight(quant, e.index(byte * kByteBits));
  if (byte + 1 < ir::kQuad)
    quant = a.bitAnd(quant, a.integer(kByteMask));
  Value sum =
      a.fromBits(arith::OrIOp::create(e.builder, quant, a.integer(kUnitsBits)));
  return a.sub(sum, a.constant(kUnits + static_cast<double>(format.offset)));
}

} // namespace tenon::codegen::cpu
