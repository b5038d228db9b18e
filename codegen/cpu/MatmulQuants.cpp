//===- MatmulQuants.cpp - Rows of q8_0 taken apart ------------------------===//

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

class RowStager {
public:
  RowStager(KernelEmitter &e, QuantRows &staged) : e(e), staged(staged) {}

  /// Takes apart the block at `block`, number `number` of all rows.
  void stage(Value block, Value number) {
    Value quants = e.load(block, e.builder.getI8Type(),
                          e.index(offsetof(Block, qs)), Lanes{kQuantBlock});
    storeQuants(quants, number);
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
  void storeQuants(Value quants, Value number);
  void storeStarts(const QuantRows::Starts &starts, Value quants, Value number);

  KernelEmitter &e;
  QuantRows &staged;
};

void RowStager::storeQuants(Value quants, Value number) {
  if (!e.hasIntegerDot()) {
    SmallVector<int64_t> evenFirst;
    for (int64_t quad = 0; quad < kQuantBlock; quad += ir::kQuad)
      evenFirst.append({quad, quad + 2, quad + 1, quad + 3});
    auto halves = VectorType::get({kQuantBlock}, e.builder.getI16Type());
    quants = vector::ShuffleOp::create(e.builder, quants, quants, evenFirst);
    quants = arith::ExtSIOp::create(e.builder, halves, quants);
  }
  e.store(quants, staged.quants, e.mul(number, kQuantBlock),
          Lanes{kQuantBlock});
}

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
  return {from(scales, kQuantBlock), from(shifts, kQuantBlock),
          from(startsFor(format), format.subBlock)};
}

int64_t stagedQuantBytes(const KernelEmitter &e) {
  return e.hasIntegerDot() ? sizeof(int8_t) : sizeof(int16_t);
}

QuantRows stageQuantRows(KernelEmitter &e, Value a, Value first, Value rows,
                         int64_t mostRows, ArrayRef<ir::PanelFormat> formats) {
  auto type = cast<RankedTensorType>(a.getType());
  int64_t k = type.getShape().back(), blocks = k / kQuantBlock;
  Type i8 = e.builder.getI8Type();
  Value source =
      e.address(e.pointer(a), i8, e.mul(first, blocks * sizeof(Block)));
  QuantRows staged;
  staged.k = e.index(k);
  staged.quants = e.scratch(mostRows * k * stagedQuantBytes(e));
  staged.scales = e.scratch(mostRows * blocks * sizeof(float));
  for (const ir::PanelFormat &format : formats) {
    if (format.hasMin && !staged.shifts)
      staged.shifts = e.scratch(mostRows * blocks * sizeof(float));
    if (format.offset && !staged.startsFor(format))
      staged.starts.push_back(
          {format.offset, format.subBlock,
           e.scratch(mostRows * k / format.subBlock * sizeof(int32_t))});
  }
  // Rows lie one after the other, and so do their blocks.
  e.loop(e.index(0), e.mul(rows, blocks), 1, [&](Value number) {
    RowStager(e, staged).stage(
        e.address(source, i8, e.mul(number, sizeof(Block))), number);
  });
  return staged;
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
