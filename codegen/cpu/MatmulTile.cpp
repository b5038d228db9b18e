//===- MatmulTile.cpp - Accumulation by the matmul rule -------------------===//

#include "codegen/cpu/MatmulTileEmitter.h"

#include "ir/tn/Emit.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

#include <algorithm>

namespace tenon::codegen::cpu {

using namespace mlir;
using base::ElementType;
using ir::kPanelLanes;

constexpr int64_t kLineBytes = 64;
// A twelfth of the peak lies between 48 and 192 of them in a loop body.
constexpr int64_t kPlainMultiplyAdds = 192;

// Enough multiply-adds in a loop body to hide its overhead; code size (compile
// time) grows with it, too.
int64_t TileEmitter::unroll(int64_t multiplyAdds) const {
  int64_t steps = llvm::PowerOf2Ceil(multiplyAdds / accumulators());
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

// Step k of row group g of G prefetches what step (count * g + k) / G of the
// next panels reads. An address past the end is harmless.
void TileEmitter::prefetchNext(Value k, int64_t steps) {
  if (in.bytesToNext == 0 || in.rowGroups == 1)
    return;
  const Segment &segment = in.segment;
  Value step = e.add(e.mul(segment.count, in.rowGroup), e.sub(k, segment.from));
  Value ahead = e.add(segment.from, e.div(step, in.rowGroups));
  int64_t bytes = in.format.panelBytes(1);
  int64_t lines = llvm::divideCeil(steps * bytes, kLineBytes * in.rowGroups);
  for (Value panel : in.panels)
    for (int64_t line = 0; line < lines; ++line) {
      Value at = e.add(e.mul(ahead, bytes),
                       e.index(in.bytesToNext + line * kLineBytes));
      e.prefetch(e.address(panel, e.builder.getI8Type(), at));
    }
}

SmallVector<Value> TileEmitter::plainSteps(Value from, Value to,
                                           ValueRange carried) {
  auto steps = [&](int64_t count) {
    return [this, count](Value k, ValueRange sums) {
      SmallVector<Value> acc(sums);
      prefetchNext(k, count);
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
  int64_t count = unroll(kPlainMultiplyAdds);
  Value whole = e.mul(e.div(in.segment.count, count), count);
  Value middle = e.add(from, whole);
  SmallVector<Value> acc = e.loop(from, middle, count, carried, steps(count));
  std::optional<int64_t> known = getConstantIntValue(in.segment.count);
  if (known && *known % count == 0)
    return acc;
  return e.loop(middle, to, 1, acc, steps(1));
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
  const Segment &at = in.segment;
  storeSegment(at.from, segment(at.from, at.to));
}

void emitRegisterTile(KernelEmitter &e, const RegisterTile &tile,
                      const TileOperands &operands) {
  TileEmitter(e, tile, operands).emit();
}

} // namespace tenon::codegen::cpu
