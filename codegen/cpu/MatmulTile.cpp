//===- MatmulTile.cpp - Accumulation by the matmul rule -------------------===//

#include "codegen/cpu/MatmulTileEmitter.h"

#include "ir/tn/Emit.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/TypeUtilities.h"

#include <algorithm>

namespace tenon::codegen::cpu {

using namespace mlir;

// Enough multiply-adds in a loop body to hide its overhead; code size (compile
// time) grows with it, too.
int64_t TileEmitter::unroll(int64_t multiplyAdds) const {
  int64_t steps = llvm::PowerOf2Ceil(multiplyAdds / accumulators());
  return std::clamp<int64_t>(steps, 2, 8);
}

//===----------------------------------------------------------------------===//
// Segments
//===----------------------------------------------------------------------===//

SmallVector<Value> TileEmitter::segment(Value from, Value to) {
  Value zero = e.splat(e.f32(0), lanes);
  SmallVector<Value> acc(accumulators(), zero);
  if (in.format.isBytes())
    return byteSteps(from, to);
  if (in.quants.isSuper)
    return superSteps(from, to, acc);
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
      Type element = getElementTypeOrSelf(sum.getType());
      Value before = e.load(in.out, element, at, Lanes{lanes});
      Value added = ir::Emit(b, b.getLoc(), sum.getType()).add(before, sum);
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
