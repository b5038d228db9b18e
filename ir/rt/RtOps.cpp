//===- RtOps.cpp - Verifiers of what runs ---------------------------------===//

#include "ir/rt/Rt.h"

using namespace mlir;
using namespace tenon::ir;
using namespace tenon::ir::rt;

/// Whether the host program may write to the buffer.
static bool isWritable(Value buffer, bool byCopy) {
  auto declared = buffer.getDefiningOp<BufferOp>();
  if (!declared)
    return false;
  auto entry = declared->getParentOfType<EntryOp>();
  BufferKind kind = declared.getKind();
  return kind == BufferKind::Temporary || kind == BufferKind::Result ||
         (byCopy && kind == BufferKind::State) ||
         (byCopy && kind == BufferKind::Prepared && entry &&
          entry.getSymName() == "prepare");
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto kernel = dyn_cast_or_null<rt::KernelOp>(
      symbols.lookupNearestSymbolFrom(*this, getKernelAttr()));
  if (!kernel) // C1
    return emitOpError("expects an rt.kernel of the module, got ")
           << getKernelAttr();
  SmallVector<Type> expected = kernel.bufferElements();
  SmallVector<Type> actual =
      llvm::map_to_vector(getBuffers().getTypes(), elementOf);
  if (expected != actual) // C2
    return emitOpError("expects buffers of elements (")
           << expected << "), got (" << actual << ")";
  auto entry = (*this)->getParentOfType<EntryOp>();
  for (auto symbol : kernel.getSymbols().getAsRange<SymbolAttr>())
    if (!entry || entry.symbolNumber(symbol.getName()) < 0) // C3
      return emitOpError("expects the kernel's symbol ")
             << symbol.getName() << " among those of its entry";
  return success();
}

LogicalResult CopyOp::verify() {
  Type from = elementOf(getFrom().getType()), to = elementOf(getTo().getType());
  if (from != to) // C1
    return emitOpError("expects equal element types, got ")
           << from << " and " << to;
  if (!isWritable(getTo(), /*byCopy=*/true)) // C2
    return emitOpError("expects to copy into a result, a temporary or a state, "
                       "or into a prepared value in 'prepare'");
  return success();
}

static LogicalResult expectElement(Operation *op, Value buffer, Type value) {
  if (elementOf(buffer.getType()) == value)
    return success();
  return op->emitOpError("expects a value of the buffer's element type ")
         << elementOf(buffer.getType()) << ", got " << value;
}

LogicalResult LoadOp::verify() {
  return expectElement(*this, getFrom(), getValue().getType()); // C1
}

LogicalResult StoreOp::verify() {
  if (failed(expectElement(*this, getTo(), getValue().getType()))) // C1
    return failure();
  if (!isWritable(getTo(), /*byCopy=*/false)) // C2
    return emitOpError("expects to store into a result or a temporary");
  return success();
}

template <typename End> static bool endsIn(Region &region) {
  return !region.front().empty() && isa<End>(region.front().back());
}

LogicalResult rt::IfOp::verify() {
  if (endsIn<rt::YieldOp>(getThenRegion()) &&
      endsIn<rt::YieldOp>(getElseRegion())) // C1
    return success();
  return emitOpError("expects both regions to end in rt.yield");
}

LogicalResult rt::WhileOp::verify() {
  if (static_cast<int64_t>(getLimit()) < 0) // C1
    return emitOpError("expects limit >= 0, got ")
           << static_cast<int64_t>(getLimit());
  Type event = getAfter().getType();
  if (llvm::equal(getCondition().getArgumentTypes(), ArrayRef(event)) &&
      llvm::equal(getBody().getArgumentTypes(), ArrayRef(event)) &&
      endsIn<ConditionOp>(getCondition()) && endsIn<rt::YieldOp>(getBody()))
    return success(); // C2
  return emitOpError("expects regions that take one event, a condition that "
                     "ends in rt.condition and a body that ends in rt.yield");
}
