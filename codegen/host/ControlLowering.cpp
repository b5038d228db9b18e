//===- ControlLowering.cpp - Branches, loops and streaming ----------------===//
//
// The part of BodyLowering that makes control flow. A region's results go
// through buffers of their own ("carriers"), written by copies at its end.
//
//===----------------------------------------------------------------------===//

#include "codegen/host/BodyLowering.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::codegen;
using namespace tenon::codegen::host;

BodyLowering::Carriers BodyLowering::carriersOf(ValueRange values) {
  Carriers carriers;
  for (Value value : values) {
    carriers.emplace_back();
    if (isa<RankedTensorType>(value.getType()))
      carriers.back().push_back(
          addTemporary(value.getLoc(), value.getType(), "carried"));
  }
  return carriers;
}

LogicalResult BodyLowering::moveAll(Operation *at, ValueRange values,
                                    Scope &scope, Carriers &carriers) {
  SmallVector<std::pair<Value, Value>> moves;
  for (auto [value, carrier] : llvm::zip_equal(values, carriers)) {
    const Binding &from = scope.bindings[value];
    if (carrier.empty())
      carrier = from;
    if (from == carrier)
      continue;
    if (!isa<RankedTensorType>(value.getType()))
      return at->emitOpError("expects a region to yield the cache or batch "
                             "that was given to it in this place: only tensors "
                             "are copied");
    moves.push_back({from.front(), carrier.front()});
  }
  // A value may be carried into another's place: those are copied twice.
  auto targets = llvm::make_second_range(moves);
  for (auto &[from, to] : moves) {
    if (!llvm::is_contained(targets, from))
      continue;
    Type content = cast<rt::BufferType>(to.getType()).getContent();
    Value staged = addTemporary(at->getLoc(), content, "staged");
    copy(at->getLoc(), from, staged);
    from = staged;
  }
  for (auto [from, to] : moves)
    copy(at->getLoc(), from, to);
  return success();
}

Value BodyLowering::loadFlag(Value flag, Scope &scope) {
  auto load =
      rt::LoadOp::create(builder, flag.getLoc(), builder.getI1Type(),
                         event.getType(), scope.bindings.lookup(flag).front(),
                         /*index=*/0, event);
  event = load.getDone();
  return load.getValue();
}

LogicalResult BodyLowering::lowerIf(ir::IfOp op, Scope &scope) {
  Carriers results = carriersOf(op.getResults());
  Value flag = loadFlag(op.getCondition(), scope);
  auto branch =
      rt::IfOp::create(builder, op.getLoc(), event.getType(), flag, event);
  for (auto [from, to] :
       llvm::zip_equal(op->getRegions(), branch->getRegions())) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(&to.emplaceBlock());
    event = branch.getAfter();
    Operation *yield = from.front().getTerminator();
    if (failed(lowerBlock(from.front(), scope)) ||
        failed(moveAll(yield, yield->getOperands(), scope, results)))
      return failure();
    rt::YieldOp::create(builder, yield->getLoc(), event);
  }
  event = branch.getDone();
  for (auto [result, binding] : llvm::zip_equal(op.getResults(), results))
    scope.bindings[result] = binding;
  return success();
}

LogicalResult BodyLowering::lowerWhile(ir::WhileOp op, Scope &scope) {
  Carriers carried = carriersOf(op.getResults());
  if (failed(moveAll(op, op.getInit(), scope, carried)))
    return failure();
  auto loop = rt::WhileOp::create(builder, op.getLoc(), event.getType(),
                                  op.getLimit(), event);
  OpBuilder::InsertionGuard guard(builder);
  auto lowerRegion = [&](Region &from, Region &to) {
    builder.setInsertionPointToStart(&to.emplaceBlock());
    event = to.addArgument(event.getType(), op.getLoc());
    for (auto [argument, binding] :
         llvm::zip_equal(from.getArguments(), carried))
      scope.bindings[argument] = binding;
    return lowerBlock(from.front(), scope);
  };
  if (failed(lowerRegion(op.getCondition(), loop.getCondition())))
    return failure();
  Operation *test = op.getCondition().front().getTerminator();
  Value flag = loadFlag(test->getOperand(0), scope);
  rt::ConditionOp::create(builder, test->getLoc(), flag, event);

  Operation *yield = op.getBody().front().getTerminator();
  if (failed(lowerRegion(op.getBody(), loop.getBody())) ||
      failed(moveAll(yield, yield->getOperands(), scope, carried)))
    return failure();
  rt::YieldOp::create(builder, yield->getLoc(), event);
  event = loop.getDone();
  for (auto [result, binding] : llvm::zip_equal(op.getResults(), carried))
    scope.bindings[result] = binding;
  return success();
}

LogicalResult BodyLowering::lowerEmit(ir::EmitOp op, Scope &scope) {
  Value stop = addTemporary(op.getLoc(), op.getStop().getType(), "stop");
  auto emit = rt::EmitOp::create(
      builder, op.getLoc(), builder.getI1Type(), event.getType(),
      scope.bindings.lookup(op.getTokens()).front(), event);
  event =
      rt::StoreOp::create(builder, op.getLoc(), event.getType(), emit.getStop(),
                          stop, /*index=*/0, emit.getDone());
  scope.bindings[op.getStop()] = {stop};
  return success();
}

Attribute BodyLowering::extentOf(RankedTensorType vector) {
  if (!vector.isDynamicDim(0))
    return builder.getI64IntegerAttr(vector.getDimSize(0));
  StringAttr name = builder.getStringAttr(ir::symbolOf(vector, 0));
  auto variant = cast<rt::VariantOp>(body->getParentOp());
  for (ArrayAttr symbols : {variant.getBounds(), entry.getSymbols()})
    for (auto symbol : symbols.getAsRange<ir::SymbolAttr>())
      if (symbol.getName() == name && symbol.getMin() == symbol.getMax())
        return builder.getI64IntegerAttr(symbol.getMin());
  return name;
}

LogicalResult BodyLowering::lowerPositions(ir::PositionsOp op, Scope &scope) {
  Value positions = scope.bindings.lookup(op.getBatch())[1];
  auto held = cast<rt::BufferType>(positions.getType()).getContent();
  if (extentOf(op.getY().getType()) != extentOf(cast<RankedTensorType>(held)))
    return op.emitOpError("expects as many positions as the batch has tokens, "
                          "got ")
           << op.getY().getType();
  scope.bindings[op.getY()] = {positions};
  return success();
}

LogicalResult BodyLowering::lowerReposition(ir::RepositionOp op, Scope &scope) {
  Binding moved = scope.bindings.lookup(op.getBatch());
  auto old = cast<rt::BufferType>(moved[1].getType()).getContent();
  if (extentOf(op.getPosition().getType()) !=
      extentOf(cast<RankedTensorType>(old)))
    return op.emitOpError("expects as many positions as the batch has tokens, "
                          "got ")
           << op.getPosition().getType();
  moved[1] = scope.bindings.lookup(op.getPosition()).front();
  scope.bindings[op.getY()] = std::move(moved);
  return success();
}
