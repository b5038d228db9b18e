//===- ElementBlocks.cpp - Rows of blocked and packed weights -------------===//
//
// A row is unpacked to scratch, once, before the columns that read it. Values
// are those of base::unpack bit for bit: see runtime/base/Blocks.h.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Element.h"

#include "codegen/cpu/PanelReader.h"

namespace tenon::codegen::cpu {

using namespace mlir;

namespace {

using base::ElementType;

/// Where the parts of a block lie, in bytes, and how quants become values.
/// Source: runtime/base/BlockLayouts.h.
struct BlockParts {
  int64_t quants;       // the low bits of the quants
  int64_t bits;         // 8 or 4 of them
  int64_t sharing;      // elements of a half byte group: 16, 32 or 64
  int64_t high = -1;    // the bytes of the high bits
  int64_t offset = 0;   // subtracted from a quant
  int64_t minimum = -1; // an f16
};

BlockParts partsOf(ElementType type) {
  switch (type) {
  case ElementType::Q8_0:
    return {.quants = 2, .bits = 8, .sharing = 32};
  case ElementType::Q4_0:
  case ElementType::Int4_G64:
  case ElementType::Int4_G128:
    return {.quants = 2, .bits = 4, .sharing = 32, .offset = 8};
  case ElementType::Q4_1:
    return {.quants = 4, .bits = 4, .sharing = 32, .minimum = 2};
  case ElementType::Q5_0:
    return {.quants = 6, .bits = 4, .sharing = 32, .high = 2, .offset = 16};
  case ElementType::Q5_1:
    return {.quants = 8, .bits = 4, .sharing = 32, .high = 4, .minimum = 2};
  case ElementType::Q4_K:
    return {.quants = 16, .bits = 4, .sharing = 64, .minimum = 2};
  case ElementType::Q5_K:
    return {.quants = 48, .bits = 4, .sharing = 64, .high = 16, .minimum = 2};
  case ElementType::Q8_K:
    return {.quants = 4, .bits = 8, .sharing = 256};
  default: // Q6_K
    return {.quants = 0, .bits = 4, .sharing = 128, .high = 128, .offset = 32};
  }
}

/// Emits the values of a group of columns of one row: as many as lanes, which
/// divide every group that shares a scale, a byte's half or a high bit.
class BlockRow {
public:
  BlockRow(KernelEmitter &emitter, ElementType type, Value row)
      : e(emitter), type(type), row(row), parts(partsOf(type)),
        width(std::min<int64_t>(emitter.vectorWidth(), 16)) {}

  int64_t lanes() const { return width; }

  Value values(Value column) {
    const base::ElementInfo &info = base::info(type);
    block = e.mul(e.div(column, info.blockElements), info.blockBytes);
    within = e.rem(column, info.blockElements);
    Value scale, minimum;
    std::tie(scale, minimum) = scaleAndMinimum();
    Value number = quants();
    ir::Emit a(e.builder, e.builder.getLoc(), number.getType());
    Value y = a.mul(e.splat(scale, width), a.toFloat(number));
    if (!minimum)
      return y;
    bool isSubtracted = type == ElementType::Q4_K || type == ElementType::Q5_K;
    minimum = e.splat(minimum, width);
    return isSubtracted ? a.sub(y, minimum) : a.add(y, minimum);
  }

private:
  Value byteAt(Value offset) { // i32, unsigned
    Value byte = e.load(row, e.builder.getI8Type(), e.add(block, offset));
    return arith::ExtUIOp::create(e.builder, e.builder.getI32Type(), byte);
  }
  Value halfAt(int64_t offset) { // an f16 as f32
    Value at =
        e.address(row, e.builder.getI8Type(), e.add(block, e.index(offset)));
    Value half = e.load(at, e.builder.getF16Type(), e.index(0));
    return scalar(half).extend(half);
  }
  ir::Emit scalar(Value like) {
    return ir::Emit(e.builder, e.builder.getLoc(), like.getType());
  }
  Value toI32(Value x) { return e.fromIndex(x, e.builder.getI32Type()); }

  /// Bytes from `offset`, as a vector of i32.
  Value bytes(Value offset, bool isSigned) {
    Value stored = e.load(row, e.builder.getI8Type(), e.add(block, offset),
                          Lanes{width, Value(), Value()});
    auto wide = VectorType::get({width}, e.builder.getI32Type());
    if (isSigned)
      return arith::ExtSIOp::create(e.builder, wide, stored);
    return arith::ExtUIOp::create(e.builder, wide, stored);
  }
  /// (x >> shift) & mask; the shift is an index.
  Value bitsOf(Value x, Value shift, int32_t mask) {
    Value by = e.splat(toI32(shift), width);
    Value shifted = arith::ShRUIOp::create(e.builder, x, by);
    ir::Emit a = scalar(x);
    return a.bitAnd(shifted, a.integer(mask));
  }

  Value quants();
  Value highBits();
  std::pair<Value, Value> scaleAndMinimum();
  std::pair<Value, Value> sixBitScales();

  KernelEmitter &e;
  ElementType type;
  Value row;
  BlockParts parts;
  int64_t width;
  Value block, within; // the block's byte, the column in it
};

Value BlockRow::quants() {
  if (parts.bits == 8)
    return bytes(e.add(e.index(parts.quants), within), /*isSigned=*/true);
  // Elements j and j + sharing/2 share a byte; a q6_k half of 128 has 64.
  int64_t half = parts.sharing / 2;
  Value group = e.div(within, parts.sharing);
  Value byte = e.add(e.index(parts.quants),
                     e.add(e.mul(group, half), e.rem(within, half)));
  Value shift = e.mul(e.div(e.rem(within, parts.sharing), half), 4);
  Value low = bitsOf(bytes(byte, /*isSigned=*/false), shift, 15);
  ir::Emit a = scalar(low);
  if (parts.high >= 0)
    low = arith::OrIOp::create(e.builder, low, a.shiftLeft(highBits(), 4));
  return parts.offset ? a.sub(low, a.integer(parts.offset)) : low;
}

Value BlockRow::highBits() {
  if (type == ElementType::Q6_K) { // two bits; four runs of 32 share 32 bytes
    Value byte = e.add(e.mul(e.div(within, 128), 32), e.rem(within, 32));
    Value run = e.div(e.rem(within, 128), 32);
    return bitsOf(bytes(e.add(e.index(parts.high), byte), false), e.mul(run, 2),
                  3);
  }
  if (type == ElementType::Q5_K) { // one bit; eight runs share 32 bytes
    Value byte = e.add(e.index(parts.high), e.rem(within, 32));
    return bitsOf(bytes(byte, false), e.div(within, 32), 1);
  }
  // One bit an element of a little-endian word.
  Value at =
      e.address(row, e.builder.getI8Type(), e.add(block, e.index(parts.high)));
  Value word = e.splat(e.load(at, e.builder.getI32Type(), e.index(0)), width);
  SmallVector<int32_t> numbers = llvm::to_vector(llvm::seq<int32_t>(0, width));
  Value each =
      arith::ConstantOp::create(e.builder, e.builder.getI32VectorAttr(numbers));
  word = arith::ShRUIOp::create(e.builder, word, each);
  return bitsOf(word, within, 1);
}

std::pair<Value, Value> BlockRow::scaleAndMinimum() {
  if (type == ElementType::Q4_K || type == ElementType::Q5_K)
    return sixBitScales();
  if (type == ElementType::Q8_K) {
    Value at = e.address(row, e.builder.getI8Type(), block);
    return {e.load(at, e.builder.getF32Type(), e.index(0)), Value()};
  }
  if (type == ElementType::Q6_K) {
    Value at = e.add(e.index(192), e.div(within, 16));
    Value byte = e.load(row, e.builder.getI8Type(), e.add(block, at));
    Value d = halfAt(208);
    return {scalar(d).mul(d, scalar(byte).toFloat(byte)), Value()};
  }
  return {halfAt(0), parts.minimum < 0 ? Value() : halfAt(parts.minimum)};
}

// The first four sub-blocks have a byte each for scale and minimum; the others
// borrow the top bits of those bytes.
std::pair<Value, Value> BlockRow::sixBitScales() {
  Value j = e.div(within, 32);
  auto byte = [&](Value number) { return byteAt(e.add(e.index(4), number)); };
  Value own = byte(j), after = byte(e.add(j, e.index(4)));
  Value before = byte(e.max(e.sub(j, e.index(4)), e.index(0)));
  ir::Emit a = scalar(own);
  auto join = [&](Value low, Value high) -> Value {
    return arith::OrIOp::create(e.builder, low,
                                a.shiftLeft(a.shiftRight(high, 6), 4));
  };
  Value isEarly = arith::CmpIOp::create(e.builder, arith::CmpIPredicate::slt, j,
                                        e.index(4));
  Value scale = a.select(isEarly, a.bitAnd(own, a.integer(63)),
                         join(a.bitAnd(after, a.integer(15)), before));
  Value minimum = a.select(isEarly, a.bitAnd(after, a.integer(63)),
                           join(a.shiftRight(after, 4), own));
  Value d = halfAt(0), dMinimum = halfAt(2);
  return {a.mul(d, a.toFloat(scale)), a.mul(dMinimum, a.toFloat(minimum))};
}

/// The elements of one row of a packed weight, in order.
void forPackedRow(KernelEmitter &e, const ir::PanelFormat &format, Value bytes,
                  int64_t columns, Value row,
                  function_ref<void(Value column, Value value)> body) {
  Value lane = e.rem(row, ir::kPanelLanes);
  Value panel =
      e.address(bytes, e.builder.getI8Type(),
                e.mul(e.div(row, ir::kPanelLanes), format.panelBytes(columns)));
  if (!format.hasScale) {
    Type element = e.builder.getF32Type();
    if (format.type == ElementType::F16)
      element = e.builder.getF16Type();
    if (format.type == ElementType::BF16)
      element = e.builder.getBF16Type();
    e.loop(e.index(0), e.index(columns), 1, [&](Value k) {
      Value stored = e.load(panel, element, plainElement(e, format, k, lane));
      body(k, ir::Emit(e.builder, e.builder.getLoc(), element).extend(stored));
    });
    return;
  }
  PanelReader reader(e, format, /*width=*/1);
  ir::Emit a(e.builder, e.builder.getLoc(), e.builder.getF32Type());
  e.loop(e.index(0), e.index(columns / format.subBlock), 1, [&](Value number) {
    PanelSubBlock block = reader.at(panel, number);
    Value scale = reader.scale(block, lane), minimum;
    if (format.hasMin)
      minimum = reader.minimum(block, lane);
    Value first = e.mul(number, format.subBlock);
    e.loop(e.index(0), e.index(format.subBlock / ir::kQuad), 1, [&](Value at) {
      Value quad = reader.quad(block, at, lane);
      for (int64_t byte = 0; byte < ir::kQuad; ++byte) {
        Value y = a.mul(scale, reader.number(quad, byte));
        Value k = e.add(e.mul(at, ir::kQuad), e.index(byte));
        body(e.add(first, k), minimum ? a.add(y, minimum) : y);
      }
    });
  });
}

} // namespace

Value blockedValues(KernelEmitter &emitter, ElementType type, Value row,
                    Value column) {
  return BlockRow(emitter, type, row).values(column);
}

void Elements::stageBlocked(Value result, Value table, Value row,
                            ValueRange index) {
  auto type = cast<RankedTensorType>(table.getType());
  Type element = cast<RankedTensorType>(result.getType()).getElementType();
  if (isa<ir::BlockType>(element)) // An operand that means its values.
    element = e.builder.getF32Type();
  int64_t columns = type.getShape().back();
  Value staged = e.scratch(columns * 4), bytes = e.pointer(table);
  ElementType format = ir::storageOf(type.getElementType());
  auto keep = [&](Value column, Value value, int64_t width) {
    e.store(rounded(value, element), staged, column,
            Lanes{width, Value(), Value()});
  };
  if (isa_and_nonnull<ir::PanelsAttr>(type.getEncoding())) {
    forPackedRow(e, ir::panelFormat(format), bytes, columns, row,
                 [&](Value column, Value value) { keep(column, value, 1); });
  } else {
    const base::ElementInfo &info = base::info(format);
    Value start =
        e.address(bytes, e.builder.getI8Type(),
                  e.mul(row, columns / info.blockElements * info.blockBytes));
    BlockRow blocks(e, format, start);
    e.loop(e.index(0), e.index(columns), blocks.lanes(), [&](Value column) {
      keep(column, blocks.values(column), blocks.lanes());
    });
  }
  prepared.push_back({nullptr, result, Index(index.drop_back()), {staged}});
}

} // namespace tenon::codegen::cpu
