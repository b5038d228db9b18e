//===- PackQuants.cpp - One reader for each format of a file --------------===//
//
// Offsets are those of runtime/base/BlockLayouts.h.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/PackQuants.h"

#include "runtime/base/BlockLayouts.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <cstddef>

namespace tenon::codegen::cpu {

using namespace mlir;
using base::ElementType;

QuantReader::QuantReader(KernelEmitter &e, RankedTensorType tensor,
                         Value source)
    : e(e), type(ir::storageOf(tensor.getElementType())), source(source) {
  const base::ElementInfo &info = base::info(type);
  groupsPerBlock = info.blockElements / kQuantGroup;
  blocksPerRow = tensor.getShape().back() / info.blockElements;
  blockBytes = info.blockBytes;
}

QuantRow QuantReader::row(Value number, Value group) const {
  Value block =
      e.add(e.mul(number, blocksPerRow), e.div(group, groupsPerBlock));
  Value pointer =
      e.address(source, e.builder.getI8Type(), e.mul(block, blockBytes));
  return {pointer, e.rem(group, groupsPerBlock), {}};
}

//===----------------------------------------------------------------------===//
// Integers
//===----------------------------------------------------------------------===//

Value QuantReader::bytes(const QuantRow &row, Value at, int64_t count) const {
  return e.load(row.block, e.builder.getI8Type(), at, Lanes{count});
}

Value QuantReader::byte(const QuantRow &row, Value at) const {
  Value value = e.load(row.block, e.builder.getI8Type(), at);
  return arith::ExtUIOp::create(e.builder, e.builder.getI32Type(), value);
}

Value QuantReader::constant(Value like, int64_t value) const {
  Type element = getElementTypeOrSelf(like.getType());
  TypedAttr attribute = e.builder.getIntegerAttr(element, value);
  if (auto shaped = dyn_cast<VectorType>(like.getType()))
    attribute = SplatElementsAttr::get(shaped, attribute);
  return arith::ConstantOp::create(e.builder, attribute);
}

Value QuantReader::bitAnd(Value a, int64_t b) const {
  return arith::AndIOp::create(e.builder, a, constant(a, b));
}

Value QuantReader::shiftRight(Value a, int64_t by) const {
  return arith::ShRUIOp::create(e.builder, a, constant(a, by));
}

Value QuantReader::shiftRight(Value a, Value by) const {
  Value amount = e.fromIndex(by, getElementTypeOrSelf(a.getType()));
  if (auto shaped = dyn_cast<VectorType>(a.getType()))
    amount = e.splat(amount, shaped.getDimSize(0));
  return arith::ShRUIOp::create(e.builder, a, amount);
}

Value QuantReader::shiftLeft(Value a, int64_t by) const {
  return arith::ShLIOp::create(e.builder, a, constant(a, by));
}

Value QuantReader::bitOr(Value a, Value b) const {
  return arith::OrIOp::create(e.builder, a, b);
}

//===----------------------------------------------------------------------===//
// Quants
//===----------------------------------------------------------------------===//

// 16 bytes: elements 0..15 in the low halves, 16..31 in the high ones.
Value QuantReader::nibbles(const QuantRow &row, Value at) const {
  Value packed = bytes(row, at, kQuantGroup / 2);
  auto inOrder = llvm::to_vector(llvm::seq<int64_t>(0, kQuantGroup));
  return vector::ShuffleOp::create(e.builder, bitAnd(packed, 15),
                                   shiftRight(packed, 4), inOrder);
}

Value QuantReader::nibbles(const QuantRow &row, int64_t at) const {
  return nibbles(row, e.index(at));
}

// Each group has 16 bytes of its own.
Value QuantReader::nibbleRuns(const QuantRow &row, int64_t at) const {
  return nibbles(row, e.add(e.index(at), e.mul(row.group, kQuantGroup / 2)));
}

// Bit i of the word at `high` is the fifth bit of element i.
Value QuantReader::fiveBits(const QuantRow &row, int64_t high,
                            int64_t low) const {
  Value quant = nibbles(row, low);
  Value at = e.address(row.block, e.builder.getI8Type(), e.index(high));
  Value word = e.load(at, e.builder.getI32Type(), e.index(0));
  auto mask = VectorType::get({kQuantGroup}, e.builder.getI1Type());
  Value isSet = LLVM::BitcastOp::create(e.builder, mask, word);
  Value with = bitOr(quant, constant(quant, 16));
  return arith::SelectOp::create(e.builder, isSet, with, quant);
}

// Two groups share 32 bytes, the even one in the low halves.
Value QuantReader::nibblesK(const QuantRow &row, int64_t at) const {
  Value run = e.mul(e.div(row.group, 2), kQuantGroup);
  Value packed = bytes(row, e.add(e.index(at), run), kQuantGroup);
  return bitAnd(shiftRight(packed, e.mul(e.rem(row.group, 2), 4)), 15);
}

Value QuantReader::fiveBitsK(const QuantRow &row) const {
  Value low = nibblesK(row, offsetof(base::BlockQ5_K, qs));
  Value packed =
      bytes(row, e.index(offsetof(base::BlockQ5_K, qh)), kQuantGroup);
  Value high = bitAnd(shiftRight(packed, row.group), 1);
  return bitOr(low, shiftLeft(high, 4));
}

Value QuantReader::sixBits(const QuantRow &row) const {
  Value half = e.div(row.group, 4), run = e.rem(row.group, 4);
  Value lowAt = e.add(e.mul(half, 64), e.mul(e.rem(run, 2), kQuantGroup));
  Value highAt =
      e.add(e.mul(half, kQuantGroup), e.index(offsetof(base::BlockQ6_K, qh)));
  Value low = bitAnd(
      shiftRight(bytes(row, lowAt, kQuantGroup), e.mul(e.div(run, 2), 4)), 15);
  Value high =
      bitAnd(shiftRight(bytes(row, highAt, kQuantGroup), e.mul(run, 2)), 3);
  return bitOr(low, shiftLeft(high, 4));
}

Value QuantReader::orZero(const QuantRow &row, Value value) const {
  Value zero = arith::ConstantOp::create(
      e.builder, e.builder.getZeroAttr(value.getType()));
  return arith::SelectOp::create(e.builder, row.isPresent, value, zero);
}

Value QuantReader::quants(const QuantRow &row) const {
  switch (type) {
  case ElementType::Q8_0: {
    constexpr int64_t kSign = 0x80;
    Value quants =
        bytes(row, e.index(offsetof(base::BlockQ8_0, qs)), kQuantGroup);
    Value offset =
        arith::XOrIOp::create(e.builder, quants, constant(quants, kSign));
    return orZero(row, offset);
  }
  case ElementType::Q4_0:
    return orZero(row, nibbles(row, offsetof(base::BlockQ4_0, qs)));
  case ElementType::Int4_G64:
  case ElementType::Int4_G128:
    return orZero(row, nibbleRuns(row, offsetof(base::BlockInt4_G64, qs)));
  case ElementType::Q4_1:
    return orZero(row, nibbles(row, offsetof(base::BlockQ4_1, qs)));
  case ElementType::Q5_0:
    return orZero(row, fiveBits(row, offsetof(base::BlockQ5_0, qh),
                                offsetof(base::BlockQ5_0, qs)));
  case ElementType::Q5_1:
    return orZero(row, fiveBits(row, offsetof(base::BlockQ5_1, qh),
                                offsetof(base::BlockQ5_1, qs)));
  case ElementType::Q4_K:
    return orZero(row, nibblesK(row, offsetof(base::BlockQ4_K, qs)));
  case ElementType::Q5_K:
    return orZero(row, fiveBitsK(row));
  default:
    return orZero(row, sixBits(row));
  }
}

//===----------------------------------------------------------------------===//
// Scales
//===----------------------------------------------------------------------===//

// The f16 at a byte of the block, as its bits.
Value QuantReader::half(const QuantRow &row, int64_t at) const {
  Value address = e.address(row.block, e.builder.getI8Type(), e.index(at));
  return orZero(row, e.load(address, e.builder.getI16Type(), e.index(0)));
}

// See base::scaleAndMin: groups 0..3 have a byte for each; the others take four
// bits of one byte and the top two of another.
Value QuantReader::scaleOrMinK(const QuantRow &row, bool isMin) const {
  int64_t scales = offsetof(base::BlockQ4_K, scales);
  auto at = [&](int64_t shift) {
    return byte(row, e.add(row.group, e.index(scales + shift)));
  };
  Value isLow = arith::CmpIOp::create(e.builder, arith::CmpIPredicate::ult,
                                      row.group, e.index(4));
  Value low = bitAnd(isMin ? at(4) : at(0), 63);
  // Reading scales[group - 4] below is of another field for low groups, and
  // dropped then.
  Value four = isMin ? shiftRight(at(4), 4) : bitAnd(at(4), 15);
  Value two = shiftRight(isMin ? at(0) : at(-4), 6);
  Value high = bitOr(four, shiftLeft(two, 4));
  Value value = arith::SelectOp::create(e.builder, isLow, low, high);
  return orZero(
      row, arith::TruncIOp::create(e.builder, e.builder.getI8Type(), value));
}

static_assert(offsetof(base::BlockQ4_K, scales) ==
              offsetof(base::BlockQ5_K, scales));
static_assert(offsetof(base::BlockQ4_K, dmin) ==
              offsetof(base::BlockQ5_K, dmin));

Value QuantReader::scale(const QuantRow &row) const {
  // d comes first in all the others.
  return half(row, type == ElementType::Q6_K ? offsetof(base::BlockQ6_K, d)
                                             : offsetof(base::BlockQ4_K, d));
}

// The K formats subtract theirs.
Value QuantReader::minimum(const QuantRow &row) const {
  if (type == ElementType::Q4_1 || type == ElementType::Q5_1)
    return half(row, offsetof(base::BlockQ4_1, m));
  constexpr int64_t kSign = 0x8000;
  Value bits = half(row, offsetof(base::BlockQ4_K, dmin));
  Value negated = arith::XOrIOp::create(e.builder, bits, constant(bits, kSign));
  return orZero(row, negated);
}

Value QuantReader::factor(const QuantRow &row, int64_t sub) const {
  if (type != ElementType::Q6_K)
    return scaleOrMinK(row, /*isMin=*/false);
  Value at = e.add(e.mul(row.group, 2),
                   e.index(offsetof(base::BlockQ6_K, scales) + sub));
  return orZero(row, e.load(row.block, e.builder.getI8Type(), at));
}

Value QuantReader::minFactor(const QuantRow &row) const {
  return scaleOrMinK(row, /*isMin=*/true);
}

} // namespace tenon::codegen::cpu
