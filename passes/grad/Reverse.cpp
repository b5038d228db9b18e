//===- Reverse.cpp - Adjoint ops of a block, in reverse order -------------===//

#include "passes/grad/Reverse.h"

#include "ir/tn/Adjoint.h"
#include "passes/grad/FunctionAdjoints.h"

using namespace mlir;

namespace tenon::passes {

bool canHaveGradient(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && isa<FloatType, ir::BlockType>(type.getElementType());
}

Value zerosOf(OpBuilder &builder, Location loc, Type type) {
  RankedTensorType plain = ir::gradientType(cast<RankedTensorType>(type));
  auto scalar = RankedTensorType::get({}, plain.getElementType());
  auto zero = DenseElementsAttr::get(
      scalar, builder.getFloatAttr(plain.getElementType(), 0));
  Value one = ir::ConstantOp::create(builder, loc, scalar, zero);
  return plain == scalar
             ? one
             : ir::BroadcastOp::create(builder, loc, plain, one).getResult();
}

/// Whether a value is zeros, as `zerosOf` makes them.
static bool isZeros(Value value) {
  if (auto broadcast = value.getDefiningOp<ir::BroadcastOp>())
    value = broadcast.getX();
  auto constant = value.getDefiningOp<ir::ConstantOp>();
  auto splat =
      constant ? dyn_cast<SplatElementsAttr>(constant.getValue()) : nullptr;
  return splat && isa<FloatType>(splat.getElementType()) &&
         splat.getSplatValue<llvm::APFloat>().isZero();
}

// Rows that are added to zeros are added to what is there instead: a table of
// many rows is then touched where it is read alone.
void Reverse::add(Value value, Value gradient, OpBuilder &builder) {
  Value &sum = gradients[value];
  if (!sum) {
    sum = gradient;
    return;
  }
  auto scatter = gradient.getDefiningOp<ir::ScatterOp>();
  if (scatter && scatter.getAdd() && isZeros(scatter.getBase())) {
    scatter.getBaseMutable().assign(sum);
    sum = gradient;
    return;
  }
  sum = ir::AddOp::create(builder, gradient.getLoc(), sum.getType(), sum,
                          gradient);
}

//===----------------------------------------------------------------------===//
// Activity
//===----------------------------------------------------------------------===//

void Reverse::spread(ArrayRef<Operation *> ops) {
  for (Operation *op : ops) {
    bool reads = false;
    op->walk([&](Operation *inner) {
      reads |= llvm::any_of(inner->getOperands(),
                            [&](Value value) { return isActive(value); });
    });
    if (!reads || isa<ir::StopGradientOp>(op))
      continue;
    for (Value result : op->getResults())
      if (canHaveGradient(result))
        active.insert(result);
  }
}

bool Reverse::isDifferentiated(Operation *op) const {
  return llvm::any_of(op->getResults(), [&](Value result) {
    return isActive(result) && gradientOf(result);
  });
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

LogicalResult Reverse::run(ArrayRef<Operation *> ops, OpBuilder &builder) {
  for (Operation *op : llvm::reverse(ops))
    if (isDifferentiated(op) && failed(reverse(op, builder)))
      return failure();
  return success();
}

LogicalResult Reverse::reverse(Operation *op, OpBuilder &builder) {
  if (auto branch = dyn_cast<ir::IfOp>(op))
    return reverseIf(branch, builder);
  if (auto loop = dyn_cast<ir::WhileOp>(op))
    return reverseWhile(loop, builder);
  SmallVector<Value> found;
  SmallVector<Value> ofResults;
  for (Value result : op->getResults())
    ofResults.push_back(gradientOf(result));
  SmallVector<bool> wanted;
  for (Value operand : op->getOperands())
    wanted.push_back(isActive(operand));
  SmallVector<Value> operands(op->getOperands()); // a call is replaced
  if (auto call = dyn_cast<func::CallOp>(op)) {
    if (failed(functions.reverseCall(call, ofResults, wanted, builder, found)))
      return failure();
  } else if (auto differentiable = dyn_cast<ir::DifferentiableOp>(op)) {
    ir::Adjoint adjoint(builder, op, ofResults, wanted);
    if (failed(differentiable.buildAdjoint(adjoint)))
      return failure();
    llvm::append_range(found, adjoint.given());
  } else {
    return op->emitOpError("has no adjoint, and lies between what gradients "
                           "are asked for and the loss; stop the gradient "
                           "before it, or give the function around it an "
                           "adjoint");
  }
  for (auto [operand, gradient] : llvm::zip_equal(operands, found))
    if (gradient)
      add(operand, gradient, builder);
  return success();
}

} // namespace tenon::passes
