//===- NestRole.cpp - How an op takes part in a kernel --------------------===//

#include "ir/tn/NestRole.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::ir;

NestRole ir::nestRole(Operation *op) {
  if (auto constant = dyn_cast<ConstantOp>(op))
    return isa<SplatElementsAttr>(constant.getValue()) ? NestRole::Copied
                                                       : NestRole::Source;
  return llvm::TypeSwitch<Operation *, NestRole>(op)
      .Case<GetParameterOp>([](auto) { return NestRole::Source; })
      .Case<IotaOp, ViewOp>([](auto) { return NestRole::Copied; })
      .Case<PointwiseOp>([](auto) { return NestRole::Element; })
      .Case<RowOp, RopeOp, GatherOp, TakeAlongOp, UnpackOp, QuantizeOp,
            CacheAppendOp, ConcatOp, MoeGatherOp, MoeCombineOp>(
          [](auto) { return NestRole::Row; })
      .Case<TopKOp, ArgmaxOp, SampleOp, RandomOp, ScatterOp, SumRowsOp,
            MoeRouteOp, MoeWeighOp, MoeDispatchOp>(
          [](auto) { return NestRole::Alone; })
      .Case<ProductOp>([](auto) { return NestRole::Matmul; })
      .Case<AttentionOp, SelfAttentionOp, SelfAttentionGradQueryOp,
            SelfAttentionGradKeysOp>([](auto) { return NestRole::Attention; })
      .Case<PackOp>([](auto) { return NestRole::Pack; })
      .Default([](Operation *) { return NestRole::Host; });
}

static bool isLastAxis(RankedTensorType type, int64_t axis) {
  return axis == type.getRank() - 1;
}

/// Whether a broadcast repeats along the last axis only.
static bool keepsLeadingAxes(RankedTensorType from, RankedTensorType to) {
  if (from.getRank() != to.getRank())
    return false;
  for (int64_t axis = 0; axis + 1 < to.getRank(); ++axis)
    if (!sameExtent(from, axis, to, axis))
      return false;
  return true;
}

bool ir::readsOwnRow(OpOperand &operand) {
  return llvm::TypeSwitch<Operation *, bool>(operand.getOwner())
      .Case([](SliceOp op) {
        return isLastAxis(op.getX().getType(), op.getAxis());
      })
      .Case([](BroadcastOp op) {
        return keepsLeadingAxes(op.getX().getType(), op.getY().getType());
      })
      .Case([](ConcatOp op) {
        return isLastAxis(op.getY().getType(), op.getAxis());
      })
      .Case([&](RowOp op) {
        return llvm::is_contained(op.rowOperands(), operand.getOperandNumber());
      })
      .Case([&](RopeOp op) { return operand.get() == op.getX(); })
      .Case([&](CacheAppendOp op) { return operand.get() == op.getX(); })
      .Case<QuantizeOp, TakeAlongOp>([](auto) { return true; })
      .Case([](PointwiseOp) { return true; })
      .Default([](Operation *) { return false; });
}

RankedTensorType ir::rowType(Operation *op) {
  if (isa<RowOp, CacheAppendOp>(op))
    return cast<RankedTensorType>(
        op->getOperand(isa<CacheAppendOp>(op) ? 1 : 0).getType());
  return cast<RankedTensorType>(op->getResult(0).getType());
}
