//===- Caches.cpp - Linear use of caches ----------------------------------===//

#include "ir/tn/Caches.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::ir;

bool ir::isChanged(Value cache) {
  return llvm::any_of(cache.getUses(), changesCache);
}

bool ir::changesCache(OpOperand &use) {
  Operation *op = use.getOwner();
  if (auto kernel = dyn_cast<KernelOp>(op))
    return llvm::any_of(kernel.getNests(), [&](Region &nest) {
      return isChanged(nest.getArgument(use.getOperandNumber()));
    });
  if (op->hasTrait<OpTrait::IsTerminator>())
    return false;
  return llvm::any_of(op->getResultTypes(), llvm::IsaPred<CacheType>);
}

namespace {

/// How two uses of one value lie to each other.
enum class Order { Before, After, Exclusive, Same };

/// The ancestor of `op` that lies in `block`, or null.
Operation *ancestorIn(Block *block, Operation *op) {
  return block->findAncestorOpInBlock(*op);
}

Order orderOf(Operation *a, Operation *b) {
  if (a == b)
    return Order::Same;
  for (Block *block = b->getBlock(); block;
       block = block->getParentOp()->getBlock()) {
    Operation *inA = ancestorIn(block, a);
    if (!inA)
      continue;
    Operation *inB = ancestorIn(block, b);
    if (inA == inB) // Their regions of one op differ.
      return isa<IfOp>(inA) ? Order::Exclusive : Order::Same;
    return inA->isBeforeInBlock(inB) ? Order::Before : Order::After;
  }
  return Order::Same;
}

/// The innermost loop around `op` that does not hold the definition of `cache`,
/// or whose condition changes the cache.
Operation *loopBetween(Value cache, Operation *op) {
  Region *defining = cache.getParentRegion();
  for (Region *region = op->getParentRegion(); region;
       region = region->getParentRegion()) {
    auto loop = dyn_cast<WhileOp>(region->getParentOp());
    if (loop && (region != defining || region == &loop.getCondition()))
      return loop;
    if (region == defining)
      return nullptr;
  }
  return nullptr;
}

InFlightDiagnostic diagnose(Operation *op, Value cache) {
  return op->emitOpError("expects linear use of the cache ")
         << cache.getType() << ": ";
}

LogicalResult verifyChange(Value cache, OpOperand &change) {
  Operation *op = change.getOwner();
  if (Operation *loop = loopBetween(cache, op)) { // C3
    InFlightDiagnostic diag = diagnose(op, cache)
                              << "a loop may only change what its body carries";
    diag.attachNote(loop->getLoc()) << "the loop";
    return diag;
  }
  for (OpOperand &use : cache.getUses()) {
    if (&use == &change)
      continue;
    Order order = orderOf(use.getOwner(), op);
    if (order == Order::Before || order == Order::Exclusive)
      continue;
    if (changesCache(use)) { // C1
      InFlightDiagnostic diag = diagnose(use.getOwner(), cache)
                                << "it is changed twice";
      diag.attachNote(op->getLoc()) << "the other change";
      return diag;
    }
    InFlightDiagnostic diag = diagnose(use.getOwner(), cache) // C2
                              << "it is used after it was changed";
    diag.attachNote(op->getLoc()) << "the change";
    return diag;
  }
  return success();
}

LogicalResult verifyCache(Value cache) {
  if (!isa<CacheType>(cache.getType()))
    return success();
  for (OpOperand &use : cache.getUses())
    if (changesCache(use) && failed(verifyChange(cache, use)))
      return failure();
  return success();
}

} // namespace

LogicalResult ir::verifyLinearCaches(func::FuncOp func) {
  WalkResult walk = func.walk([](Operation *op) -> WalkResult {
    for (Value result : op->getResults())
      if (failed(verifyCache(result)))
        return failure();
    for (Region &region : op->getRegions())
      for (BlockArgument argument : region.getArguments())
        if (failed(verifyCache(argument)))
          return failure();
    return success();
  });
  return failure(walk.wasInterrupted());
}
