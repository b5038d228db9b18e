//===- ReverseControl.cpp - Adjoints of branches and loops ----------------===//

#include "ir/tn/Adjoint.h"
#include "passes/grad/Reverse.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace tenon::passes {

//===----------------------------------------------------------------------===//
// Branches
//===----------------------------------------------------------------------===//

/// What a region reads of values outside that are active.
static SmallVector<Value> capturedBy(Operation *op, const Reverse &reverse) {
  llvm::SetVector<Value> captured;
  op->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      if (reverse.isActive(operand) &&
          !op->isAncestor(operand.getParentBlock()->getParentOp()))
        captured.insert(operand);
  });
  return captured.takeVector();
}

LogicalResult Reverse::reverseBranch(ir::IfOp op, Region &from, Region &to,
                                     ArrayRef<Value> captured) {
  IRMapping map;
  Block &block = to.emplaceBlock();
  OpBuilder builder = OpBuilder::atBlockEnd(&block);
  SmallVector<Operation *> ops;
  for (Operation &inner : from.front().without_terminator())
    ops.push_back(builder.clone(inner, map));
  Reverse inside(functions, Set(captured.begin(), captured.end()));
  inside.spread(ops);
  Operation *yield = from.front().getTerminator();
  for (auto [result, yielded] :
       llvm::zip_equal(op.getResults(), yield->getOperands()))
    if (Value gradient = gradientOf(result))
      inside.add(map.lookupOrDefault(yielded), gradient, builder);
  if (failed(inside.run(ops, builder)))
    return failure();
  SmallVector<Value> found;
  for (Value value : captured) {
    Value gradient = inside.gradientOf(value);
    found.push_back(gradient ? gradient
                             : zerosOf(builder, op.getLoc(), value.getType()));
  }
  ir::YieldOp::create(builder, op.getLoc(), found);
  return success();
}

LogicalResult Reverse::reverseIf(ir::IfOp op, OpBuilder &builder) {
  SmallVector<Value> captured = capturedBy(op, *this);
  SmallVector<Type> types;
  for (Value value : captured)
    types.push_back(ir::gradientType(cast<RankedTensorType>(value.getType())));
  OperationState state(op.getLoc(), ir::IfOp::getOperationName());
  state.addOperands(op.getCondition());
  state.addTypes(types);
  state.addRegion();
  state.addRegion();
  auto adjoint = cast<ir::IfOp>(builder.create(state));
  if (failed(reverseBranch(op, op.getThenRegion(), adjoint.getThenRegion(),
                           captured)) ||
      failed(reverseBranch(op, op.getElseRegion(), adjoint.getElseRegion(),
                           captured)))
    return failure();
  for (auto [value, gradient] : llvm::zip_equal(captured, adjoint.getResults()))
    add(value, gradient, builder);
  return success();
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

static RankedTensorType i32Scalar(OpBuilder &builder) {
  return RankedTensorType::get({}, builder.getI32Type());
}

static Value i32Constant(OpBuilder &builder, Location loc, int32_t value) {
  auto type = i32Scalar(builder);
  return ir::ConstantOp::create(builder, loc, type,
                                DenseElementsAttr::get(type, value));
}

static Value isLess(OpBuilder &builder, Location loc, Value a, Value b) {
  auto type = RankedTensorType::get({}, builder.getI1Type());
  return ir::CompareOp::create(builder, loc, type, ir::Predicate::LT, a, b);
}

/// Fills a region with a block of these types.
using Fill = function_ref<SmallVector<Value>(OpBuilder &, ValueRange carried)>;

static void fillRegion(Region &region, Location loc, TypeRange types,
                       Fill fill) {
  Block &block = region.emplaceBlock();
  for (Type type : types)
    block.addArgument(type, loc);
  OpBuilder builder = OpBuilder::atBlockEnd(&block);
  SmallVector<Value> yielded = fill(builder, block.getArguments());
  ir::YieldOp::create(builder, loc, yielded);
}

static ir::WhileOp makeWhile(OpBuilder &builder, Location loc, ValueRange init,
                             IntegerAttr limit, Fill condition, Fill body) {
  OperationState state(loc, ir::WhileOp::getOperationName());
  state.addOperands(init);
  state.addTypes(init.getTypes());
  state.addAttribute("limit", limit);
  state.addRegion();
  state.addRegion();
  auto loop = cast<ir::WhileOp>(builder.create(state));
  fillRegion(loop.getCondition(), loc, init.getTypes(), condition);
  fillRegion(loop.getBody(), loc, init.getTypes(), body);
  return loop;
}

/// Clones the ops of a region on other arguments; the values it yields.
static SmallVector<Value> cloneRegion(OpBuilder &builder, Region &region,
                                      ValueRange arguments, IRMapping &map,
                                      SmallVectorImpl<Operation *> &ops) {
  map.map(region.getArguments(), arguments);
  for (Operation &op : region.front().without_terminator())
    ops.push_back(builder.clone(op, map));
  return llvm::to_vector(
      llvm::map_range(region.front().getTerminator()->getOperands(),
                      [&](Value value) { return map.lookupOrDefault(value); }));
}

/// The loop with the number of trips so far as one more carried value, the
/// last, while `condition` holds.
static ir::WhileOp countedLoop(OpBuilder &builder, ir::WhileOp op,
                               Fill condition) {
  Location loc = op.getLoc();
  SmallVector<Value> init(op.getInit());
  init.push_back(i32Constant(builder, loc, 0));
  return makeWhile(builder, loc, init, op.getLimitAttr(), condition,
                   [&](OpBuilder &inside, ValueRange carried) {
                     IRMapping map;
                     SmallVector<Operation *> ops;
                     SmallVector<Value> next = cloneRegion(
                         inside, op.getBody(), carried.drop_back(), map, ops);
                     Value one = i32Constant(inside, loc, 1);
                     next.push_back(ir::AddOp::create(
                         inside, loc, i32Scalar(inside), carried.back(), one));
                     return next;
                   });
}

/// The carried values at the start of a trip, and that trip's number, from
/// running the loop again up to it.
static ir::WhileOp runUpTo(OpBuilder &builder, ir::WhileOp op, Value trip) {
  return countedLoop(
      builder, op,
      [&](OpBuilder &inside, ValueRange carried) -> SmallVector<Value> {
        return {isLess(inside, op.getLoc(), carried.back(), trip)};
      });
}

/// The loop with its number of trips as one more result, in its place.
static ir::WhileOp countTrips(ir::WhileOp op) {
  OpBuilder builder(op);
  ir::WhileOp loop =
      countedLoop(builder, op, [&](OpBuilder &inside, ValueRange carried) {
        IRMapping map;
        SmallVector<Operation *> ops;
        return cloneRegion(inside, op.getCondition(), carried.drop_back(), map,
                           ops);
      });
  op->replaceAllUsesWith(loop.getResults().drop_back());
  return loop;
}

LogicalResult Reverse::reverseTrip(ir::WhileOp op, OpBuilder &builder,
                                   ValueRange start, ValueRange after,
                                   ArrayRef<Value> captured,
                                   SmallVectorImpl<Value> &before) {
  Set wanted(captured.begin(), captured.end());
  for (Value value : start)
    if (canHaveGradient(value))
      wanted.insert(value);
  IRMapping map;
  SmallVector<Operation *> ops;
  SmallVector<Value> yielded =
      cloneRegion(builder, op.getBody(), start, map, ops);
  Reverse inside(functions, wanted);
  inside.spread(ops);
  unsigned next = 0;
  for (Value value : yielded)
    if (canHaveGradient(value))
      inside.add(value, after[next++], builder);
  if (failed(inside.run(ops, builder)))
    return failure();
  SmallVector<Value> sources;
  for (Value value : start)
    if (canHaveGradient(value))
      sources.push_back(value);
  llvm::append_range(sources, captured);
  for (Value value : sources) {
    Value gradient = inside.gradientOf(value);
    before.push_back(gradient ? gradient
                              : zerosOf(builder, op.getLoc(), value.getType()));
  }
  return success();
}

// The loop back carries how many trips are left, the gradients of what the loop
// carries, and those of what it reads, added up. Each trip finds where it began
// by running the loop again: no memory, and time in the square of the trips.
LogicalResult Reverse::reverseWhile(ir::WhileOp op, OpBuilder &builder) {
  Location loc = op.getLoc();
  SmallVector<Value> captured = capturedBy(op, *this);
  SmallVector<Value> sources, init;
  for (auto [value, result] : llvm::zip_equal(op.getInit(), op.getResults())) {
    if (!canHaveGradient(result))
      continue;
    sources.push_back(value);
    Value gradient = gradientOf(result);
    init.push_back(gradient ? gradient
                            : zerosOf(builder, loc, result.getType()));
  }
  size_t carriedCount = sources.size();
  for (Value value : captured) {
    sources.push_back(value);
    init.push_back(zerosOf(builder, loc, value.getType()));
  }
  ir::WhileOp counted = countTrips(op);
  init.push_back(counted.getResults().back());
  LogicalResult found = success();
  ir::WhileOp back = makeWhile(
      builder, loc, init, op.getLimitAttr(),
      [&](OpBuilder &inside, ValueRange carried) -> SmallVector<Value> {
        return {
            isLess(inside, loc, i32Constant(inside, loc, 0), carried.back())};
      },
      [&](OpBuilder &inside, ValueRange carried) {
        Value trip =
            ir::SubOp::create(inside, loc, i32Scalar(inside), carried.back(),
                              i32Constant(inside, loc, 1));
        ir::WhileOp again = runUpTo(inside, op, trip);
        SmallVector<Value> next;
        found = reverseTrip(op, inside, again.getResults().drop_back(),
                            carried.take_front(carriedCount), captured, next);
        if (failed(found))
          return SmallVector<Value>(carried);
        for (size_t i = carriedCount; i < next.size(); ++i)
          next[i] = ir::AddOp::create(inside, loc, carried[i].getType(),
                                      carried[i], next[i]);
        next.push_back(trip);
        return next;
      });
  op.erase();
  if (failed(found))
    return failure();
  for (auto [value, gradient] : llvm::zip(sources, back.getResults()))
    if (isActive(value))
      add(value, gradient, builder);
  return success();
}

} // namespace tenon::passes
