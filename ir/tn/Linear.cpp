//===- Linear.cpp - Values that are changed in place ----------------------===//

#include "ir/tn/Linear.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::ir;

static bool isView(Operation *op) { return isa<ViewOp>(op); }

static void collectUses(Value value, SmallVectorImpl<OpOperand *> &uses) {
  for (OpOperand &use : value.getUses()) {
    uses.push_back(&use);
    if (isView(use.getOwner()))
      collectUses(use.getOwner()->getResult(0), uses);
  }
}

SmallVector<OpOperand *> ir::usesOf(Value value) {
  while (Operation *view = value.getDefiningOp()) {
    if (!isView(view))
      break;
    value = view->getOperand(0);
  }
  SmallVector<OpOperand *> uses;
  collectUses(value, uses);
  return uses;
}

bool ir::isChanged(Value value) {
  return llvm::any_of(value.getUses(), changesOperand);
}

bool ir::changesOperand(OpOperand &use) {
  Operation *op = use.getOwner();
  if (isa<OverwriteOp>(op))
    return use.getOperandNumber() == 0;
  if (auto kernel = dyn_cast<KernelOp>(op))
    return llvm::any_of(kernel.getNests(), [&](Region &nest) {
      return isChanged(nest.getArgument(use.getOperandNumber()));
    });
  if (op->hasTrait<OpTrait::IsTerminator>())
    return false;
  if (isa<CacheType>(use.get().getType()))
    return llvm::any_of(op->getResultTypes(), llvm::IsaPred<CacheType>);
  auto changed = op->getAttrOfType<DenseI64ArrayAttr>(kOverwritesAttr);
  return changed &&
         llvm::is_contained(changed.asArrayRef(), use.getOperandNumber());
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

/// The innermost loop around `op` that does not hold the definition of `value`,
/// or whose condition changes it.
Operation *loopBetween(Value value, Operation *op) {
  Region *defining = value.getParentRegion();
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

InFlightDiagnostic diagnose(Operation *op, Value value) {
  bool isCache = isa<CacheType>(value.getType());
  return op->emitOpError("expects linear use of the ")
         << (isCache ? "cache " : "overwritten ") << value.getType() << ": ";
}

LogicalResult verifyChange(Value value, OpOperand &change) {
  Operation *op = change.getOwner();
  if (Operation *loop = loopBetween(value, op)) { // C3
    InFlightDiagnostic diag = diagnose(op, value)
                              << "a loop may only change what its body carries";
    diag.attachNote(loop->getLoc()) << "the loop";
    return diag;
  }
  for (OpOperand *each : usesOf(value)) {
    OpOperand &use = *each;
    if (&use == &change || isView(use.getOwner()))
      continue;
    Order order = orderOf(use.getOwner(), op);
    if (order == Order::Before || order == Order::Exclusive)
      continue;
    if (changesOperand(use)) { // C1
      InFlightDiagnostic diag = diagnose(use.getOwner(), value)
                                << "it is changed twice";
      diag.attachNote(op->getLoc()) << "the other change";
      return diag;
    }
    InFlightDiagnostic diag = diagnose(use.getOwner(), value) // C2
                              << "it is used after it was changed";
    diag.attachNote(op->getLoc()) << "the change";
    return diag;
  }
  return success();
}

} // namespace

LogicalResult ir::verifyLinearUse(Value value) {
  for (OpOperand &use : value.getUses())
    if (changesOperand(use) && failed(verifyChange(value, use)))
      return failure();
  return success();
}

LogicalResult ir::verifyLinearUse(func::FuncOp func) {
  WalkResult walk = func.walk([](Operation *op) -> WalkResult {
    for (Value result : op->getResults())
      if (failed(verifyLinearUse(result)))
        return failure();
    for (Region &region : op->getRegions())
      for (BlockArgument argument : region.getArguments())
        if (failed(verifyLinearUse(argument)))
          return failure();
    return success();
  });
  return failure(walk.wasInterrupted());
}
