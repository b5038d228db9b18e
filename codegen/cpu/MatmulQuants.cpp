//===- MatmulQuants.cpp - Rows of q8_0 taken apart ------------------------===//

#include "codegen/cpu/MatmulQuants.h"

#include "codegen/cpu/PackQuants.h"
#include "ir/tn/Emit.h"
#include "runtime/base/BlockLayouts.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace tenon::codegen::cpu {

using namespace mlir;
using Block = base::BlockQ8_0;

/// i32: the sum of a block's quants.
static Value sumOf(KernelEmitter &e, Value quants) {
  auto wide = VectorType::get({kQuantBlock}, e.builder.getI32Type());
  return vector::ReductionOp::create(
      e.builder, vector::CombiningKind::ADD,
      arith::ExtSIOp::create(e.builder, wide, quants));
}

QuantRows stageQuantRows(KernelEmitter &e, Value a, Value first, Value rows,
                         int64_t mostRows) {
  auto type = cast<RankedTensorType>(a.getType());
  int64_t k = type.getShape().back();
  Type i8 = e.builder.getI8Type(), f32 = e.builder.getF32Type();
  int64_t blocks = k / kQuantBlock;
  Value source =
      e.address(e.pointer(a), i8, e.mul(first, blocks * sizeof(Block)));
  QuantRows staged;
  staged.k = e.index(k);
  staged.quants = e.scratch(mostRows * k * sizeof(int16_t));
  staged.parts.scales = e.scratch(mostRows * blocks * sizeof(float));
  staged.parts.shifts = e.scratch(mostRows * blocks * sizeof(float));
  auto halves = VectorType::get({kQuantBlock}, e.builder.getI16Type());
  ir::Emit emit(e.builder, e.builder.getLoc(), f32);
  // Rows lie one after the other, and so do their blocks.
  e.loop(e.index(0), e.mul(rows, blocks), 1, [&](Value number) {
    Value block = e.address(source, i8, e.mul(number, sizeof(Block)));
    Value quants =
        e.load(block, i8, e.index(offsetof(Block, qs)), Lanes{kQuantBlock});
    static_assert(offsetof(Block, d) == 0);
    Value scale =
        emit.extend(e.load(block, e.builder.getF16Type(), e.index(0)));
    e.store(arith::ExtSIOp::create(e.builder, halves, quants), staged.quants,
            e.mul(number, kQuantBlock), Lanes{kQuantBlock});
    e.store(scale, staged.parts.scales, number);
    e.store(emit.mul(scale, emit.toFloat(sumOf(e, quants))),
            staged.parts.shifts, number);
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
