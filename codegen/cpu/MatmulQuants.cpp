//===- MatmulQuants.cpp - Rows of quants taken apart ----------------------===//

#include "codegen/cpu/MatmulQuants.h"

#include "codegen/cpu/PackQuants.h"
#include "ir/tn/Emit.h"
#include "runtime/base/BlockLayouts.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace tenon::codegen::cpu {

using namespace mlir;
using Block = base::BlockQ8_0;

namespace {

/// i32: the sum of signed bytes, as one of unsigned ones, for which there is an
/// instruction.
Value sumOf(KernelEmitter &e, Value bytes) {
  auto type = cast<VectorType>(bytes.getType());
  int64_t count = type.getNumElements();
  constexpr int64_t kSign = 128;
  auto sign = arith::ConstantOp::create(
      e.builder, DenseElementsAttr::get(type, APInt(8, kSign)));
  Value wide =
      arith::ExtUIOp::create(e.builder, type.clone(e.builder.getI32Type()),
                             arith::XOrIOp::create(e.builder, bytes, sign));
  Value sum =
      vector::ReductionOp::create(e.builder, vector::CombiningKind::ADD, wide);
  Value excess = arith::ConstantOp::create(
      e.builder,
      e.builder.getI32IntegerAttr(static_cast<int32_t>(count * kSign)));
  return arith::SubIOp::create(e.builder, sum, excess);
}

/// Stores a block of quants as the machine multiplies them.
void storeQuants(KernelEmitter &e, Value quants, Value target, Value at) {
  if (!e.hasIntegerDot()) {
    SmallVector<int64_t> evenFirst;
    for (int64_t quad = 0; quad < kQuantBlock; quad += ir::kQuad)
      evenFirst.append({quad, quad + 2, quad + 1, quad + 3});
    auto halves = VectorType::get({kQuantBlock}, e.builder.getI16Type());
    quants = vector::ShuffleOp::create(e.builder, quants, quants, evenFirst);
    quants = arith::ExtSIOp::create(e.builder, halves, quants);
  }
  e.store(quants, target, at, Lanes{kQuantBlock});
}

class RowStager {
public:
  RowStager(KernelEmitter &e, QuantRows &staged) : e(e), staged(staged) {}

  /// Takes apart the block at `block`, number `number` of all rows.
  void stage(Value block, Value number) {
    Value quants = e.load(block, e.builder.getI8Type(),
                          e.index(offsetof(Block, qs)), Lanes{kQuantBlock});
    storeQuants(e, quants, staged.quants, e.mul(number, kQuantBlock));
    static_assert(offsetof(Block, d) == 0);
    ir::Emit emit(e.builder, e.builder.getLoc(), e.builder.getF32Type());
    Value scale =
        emit.extend(e.load(block, e.builder.getF16Type(), e.index(0)));
    e.store(scale, staged.scales, number);
    if (staged.shifts)
      e.store(emit.mul(scale, emit.toFloat(sumOf(e, quants))), staged.shifts,
              number);
    for (const QuantRows::Starts &starts : staged.starts)
      storeStarts(starts, quants, number);
  }

private:
  void storeStarts(const QuantRows::Starts &starts, Value quants, Value number);

  KernelEmitter &e;
  QuantRows &staged;
};

void RowStager::storeStarts(const QuantRows::Starts &starts, Value quants,
                            Value number) {
  int64_t parts = kQuantBlock / starts.subBlock;
  for (int64_t part = 0; part < parts; ++part) {
    Value some = quants;
    if (parts > 1)
      some = vector::ExtractStridedSliceOp::create(
          e.builder, quants, part * starts.subBlock, starts.subBlock, 1);
    ir::Emit emit(e.builder, e.builder.getLoc(), e.builder.getI32Type());
    Value start = emit.mul(sumOf(e, some),
                           emit.integer(-static_cast<int32_t>(starts.offset)));
    e.store(start, starts.values, e.add(e.mul(number, parts), e.index(part)));
  }
}

/// Takes apart the q8_k block at `block`, number `number` of all rows.
void stageSuperBlock(KernelEmitter &e, const QuantRows &staged, Value block,
                     Value number) {
  using Super = base::BlockQ8_K;
  auto &b = e.builder;
  static_assert(offsetof(Super, d) == 0);
  e.store(e.load(block, b.getF32Type(), e.index(0)), staged.scales, number);
  for (int64_t at = 0; at < kSuperBlock; at += kQuantBlock) {
    Value quants =
        e.load(block, b.getI8Type(), e.index(offsetof(Super, qs) + at),
               Lanes{kQuantBlock});
    storeQuants(e, quants, staged.quants,
                e.add(e.mul(number, kSuperBlock), e.index(at)));
  }
  constexpr int64_t kSums = kSuperBlock / kSummedQuants;
  Value bytes = e.address(block, b.getI8Type(), e.index(offsetof(Super, sums)));
  Value sums = e.load(bytes, b.getI16Type(), e.index(0), Lanes{kSums});
  if (staged.pairs) {
    SmallVector<int64_t> even, odd;
    for (int64_t i = 0; i < kSums; i += 2) {
      even.push_back(i);
      odd.push_back(i + 1);
    }
    Value sum =
        arith::AddIOp::create(b, vector::ShuffleOp::create(b, sums, sums, even),
                              vector::ShuffleOp::create(b, sums, sums, odd));
    e.store(sum, staged.pairs, e.mul(number, kSums / 2), Lanes{kSums / 2});
  }
  for (const QuantRows::Starts &starts : staged.starts) {
    assert(starts.subBlock == kSummedQuants && "sums are of a sub-block");
    auto type = VectorType::get({kSums}, b.getI32Type());
    ir::Emit emit(b, b.getLoc(), type);
    Value start = emit.mul(arith::ExtSIOp::create(b, type, sums),
                           emit.integer(-static_cast<int32_t>(starts.offset)));
    e.store(start, starts.values, e.mul(number, kSums), Lanes{kSums});
  }
}

} // namespace

Value QuantRows::startsFor(const ir::PanelFormat &format) const {
  for (const Starts &each : starts)
    if (each.offset == format.offset && each.subBlock == format.subBlock)
      return each.values;
  return {};
}

QuantScales QuantRows::of(KernelEmitter &e, Value row,
                          const ir::PanelFormat &format) const {
  auto from = [&](Value values, int64_t perValue) -> Value {
    if (!values)
      return {};
    static_assert(sizeof(float) == sizeof(int32_t));
    return e.address(values, e.builder.getF32Type(),
                     e.mul(row, e.div(k, perValue)));
  };
  if (format.isBytes())
    return {{}, {}, e.address(starts[0].values, e.builder.getI32Type(), row)};
  Value first = from(startsFor(format), format.subBlock);
  if (isSuper)
    return {from(scales, kSuperBlock),
            {},
            first,
            from(pairs, 2 * kQuantBlock),
            /*isSuper=*/true};
  return {from(scales, kQuantBlock), from(shifts, kQuantBlock), first};
}

int64_t stagedQuantBytes(const KernelEmitter &e) {
  return e.hasIntegerDot() ? sizeof(int8_t) : sizeof(int16_t);
}

QuantRows stageQuantRows(KernelEmitter &e, Value a, Value first, Value rows,
                         int64_t mostRows, ArrayRef<ir::PanelFormat> formats) {
  auto type = cast<RankedTensorType>(a.getType());
  const base::ElementInfo &info =
      base::info(ir::storageOf(type.getElementType()));
  int64_t k = type.getShape().back(), blocks = k / info.blockElements;
  Type i8 = e.builder.getI8Type();
  Value source =
      e.address(e.pointer(a), i8, e.mul(first, blocks * info.blockBytes));
  QuantRows staged;
  staged.isSuper = info.blockElements == kSuperBlock;
  staged.k = e.index(k);
  staged.quants = e.scratch(mostRows * k * stagedQuantBytes(e));
  staged.scales = e.scratch(mostRows * blocks * sizeof(float));
  for (const ir::PanelFormat &format : formats) {
    if (format.hasMin && staged.isSuper && !staged.pairs)
      staged.pairs = e.scratch(mostRows * k / kQuantBlock * sizeof(int16_t));
    if (format.hasMin && !staged.isSuper && !staged.shifts)
      staged.shifts = e.scratch(mostRows * blocks * sizeof(float));
    if (format.offset && !staged.startsFor(format))
      staged.starts.push_back(
          {format.offset, format.subBlock,
           e.scratch(mostRows * k / format.subBlock * sizeof(int32_t))});
  }
  // Rows lie one after the other, and so do their blocks.
  e.loop(e.index(0), e.mul(rows, blocks), 1, [&](Value number) {
    Value block = e.address(source, i8, e.mul(number, info.blockBytes));
    if (staged.isSuper)
      return stageSuperBlock(e, staged, block, number);
    RowStager(e, staged).stage(block, number);
  });
  return staged;
}

//===----------------------------------------------------------------------===//
// Rows of i8
//===----------------------------------------------------------------------===//

namespace {

// Where element k of a row is staged; see `TileOperands`.
Value stagedElement(KernelEmitter &e, Value k) {
  if (e.hasIntegerDot())
    return k;
  Value inQuad = e.rem(k, ir::kQuad);
  Value half = e.add(e.mul(e.rem(inQuad, 2), 2), e.div(inQuad, 2));
  return e.add(e.sub(k, inQuad), half);
}

// The elements from the last whole block on, then zeros. Returns their sum
// added to `sum`.
Value stageRest(KernelEmitter &e, Value source, int64_t k, Value target,
                Value sum) {
  auto &b = e.builder;
  Type i8 = b.getI8Type(), i32 = b.getI32Type();
  Type staged = b.getIntegerType(8 * stagedQuantBytes(e));
  int64_t whole = k / kQuantBlock * kQuantBlock;
  Value zero = arith::ConstantOp::create(b, b.getZeroAttr(staged));
  e.loop(e.index(k), e.index(llvm::alignTo(k, ir::kQuad)), 1,
         [&](Value at) { e.store(zero, target, stagedElement(e, at)); });
  auto body = [&](Value at, ValueRange carried) -> SmallVector<Value> {
    Value value = e.load(source, i8, at);
    Value stored = value;
    if (staged != i8)
      stored = arith::ExtSIOp::create(b, staged, value);
    e.store(stored, target, stagedElement(e, at));
    return {arith::AddIOp::create(b, carried[0],
                                  arith::ExtSIOp::create(b, i32, value))};
  };
  return e.loop(e.index(whole), e.index(k), 1, sum, body)[0];
}

} // namespace

QuantRows stageByteRows(KernelEmitter &e, Value a, Value first, Value rows,
                        int64_t mostRows) {
  auto &b = e.builder;
  auto type = cast<RankedTensorType>(a.getType());
  int64_t k = type.getShape().back(), whole = k / kQuantBlock * kQuantBlock;
  // Rows a power of two apart would share a cache set.
  constexpr int64_t kRowPadding = 64;
  int64_t stride = llvm::alignTo(k, kRowPadding) + kRowPadding;
  ir::PanelFormat format = ir::panelFormat(base::ElementType::I8);
  Type staged = b.getIntegerType(8 * stagedQuantBytes(e));
  QuantRows result;
  result.k = e.index(stride);
  result.quants = e.scratch(mostRows * stride * stagedQuantBytes(e));
  result.starts.push_back(
      {format.offset, 1, e.scratch(mostRows * sizeof(int32_t))});
  Value source = e.address(e.pointer(a), b.getI8Type(), e.mul(first, k));
  Value zero = arith::ConstantOp::create(b, b.getI32IntegerAttr(0));
  e.loop(e.index(0), rows, 1, [&](Value row) {
    Value from = e.address(source, b.getI8Type(), e.mul(row, k));
    Value to = e.address(result.quants, staged, e.mul(row, stride));
    auto block = [&](Value at, ValueRange carried) -> SmallVector<Value> {
      Value bytes = e.load(from, b.getI8Type(), at, Lanes{kQuantBlock});
      storeQuants(e, bytes, to, at);
      return {arith::AddIOp::create(b, carried[0], sumOf(e, bytes))};
    };
    Value sum = e.loop(e.index(0), e.index(whole), kQuantBlock, zero, block)[0];
    sum = stageRest(e, from, k, to, sum);
    ir::Emit emit(b, b.getLoc(), b.getI32Type());
    Value offset = emit.integer(-static_cast<int32_t>(format.offset));
    e.store(emit.mul(sum, offset), result.starts[0].values, row);
  });
  return result;
}

Value stageQuantPanel(KernelEmitter &e, Value b, Value matrix, Value number) {
  auto type = cast<RankedTensorType>(b.getType());
  base::ElementType format = ir::storageOf(type.getElementType());
  int64_t k = type.getShape().back();
  Value rows = e.extent(type, type.getRank() - 2);
  Value bytes = e.mul(e.mul(matrix, rows), *base::sizeBytes(format, k));
  Value source = e.address(e.pointer(b), e.builder.getI8Type(), bytes);
  Value panel = e.scratch(ir::panelFormat(format).panelBytes(k));
  emitPanel(e, {type, source, rows}, number, panel);
  return panel;
}

} // namespace tenon::codegen::cpu
