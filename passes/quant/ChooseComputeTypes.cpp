//===- ChooseComputeTypes.cpp - Types of activations; see Passes.td -------===//

#include "passes/Passes.h"

#include "mlir/IR/Remarks.h"

namespace tenon::passes {
#define GEN_PASS_DEF_CHOOSECOMPUTETYPES
#include "passes/Passes.h.inc"

namespace {
using namespace mlir;

bool isBlocked(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  return isa<ir::BlockType>(type.getElementType());
}

/// Blocks as long as those of the weight.
base::ElementType activationsBeside(base::ElementType weight) {
  return base::info(weight).blockElements == 256 ? base::ElementType::Q8_K
                                                 : base::ElementType::Q8_0;
}

/// Multiplies a product in integers, if its weight is blocked.
void quantizeLeft(ir::ProductOp product) {
  if (!isBlocked(product.getB()) || isBlocked(product.getA()))
    return;
  auto name = remark::RemarkOpts::name("QuantizeActivations").category("quant");
  if (product.getTransposeA()) {
    remark::missed(product.getLoc(), name)
        << "k is not the last axis of the activations";
    return;
  }
  if (!product.getTransposeB()) {
    remark::missed(product.getLoc(), name)
        << "k is not the axis of the weight's blocks";
    return;
  }
  OpBuilder builder(product);
  auto x = cast<RankedTensorType>(product.getA().getType());
  auto w = cast<RankedTensorType>(product.getB().getType());
  base::ElementType type = activationsBeside(ir::storageOf(w.getElementType()));
  Type q8 = ir::BlockType::get(x.getContext(), type);
  product.getAMutable().assign(ir::QuantizeOp::create(
      builder, product.getLoc(), ir::withElement(x, q8), product.getA()));
  remark::passed(product.getLoc(), name)
      << "activations in " << base::info(type).name;
}

/// Multiplies a product of a bf16 weight in bf16.
void roundLeft(ir::ProductOp product) {
  auto x = cast<RankedTensorType>(product.getA().getType());
  auto w = cast<RankedTensorType>(product.getB().getType());
  if (!w.getElementType().isBF16() || !isa<FloatType>(x.getElementType()) ||
      x.getElementType().isBF16())
    return;
  OpBuilder builder(product);
  product.getAMutable().assign(ir::CastOp::create(
      builder, product.getLoc(), ir::withElement(x, w.getElementType()),
      product.getA()));
  auto name = remark::RemarkOpts::name("RoundActivations").category("quant");
  remark::passed(product.getLoc(), name) << "activations in bf16";
}

struct ChooseComputeTypesPass
    : impl::ChooseComputeTypesBase<ChooseComputeTypesPass> {
  using ChooseComputeTypesBase::ChooseComputeTypesBase;

  void runOnOperation() override {
    if (activations == "f32")
      return markAllAnalysesPreserved();
    if (activations == "bf16") {
      getOperation().walk(roundLeft);
      return;
    }
    if (activations != "q8") {
      getOperation().emitError("expects activations of f32, bf16 or q8, got '")
          << activations << "'";
      return signalPassFailure();
    }
    getOperation().walk(quantizeLeft);
  }
};
} // namespace
} // namespace tenon::passes
