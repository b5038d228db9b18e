//===- Verify.cpp - What the ops' verifiers share -------------------------===//

#include "ir/tn/Verify.h"
#include "ir/tn/Linear.h"

#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::ir;

LogicalResult ir::expectType(Operation *op, StringRef name, Type expected,
                             Type actual) {
  if (expected == actual)
    return success();
  return op->emitOpError("expects ")
         << name << " of type " << expected << ", got " << actual;
}

LogicalResult ir::expectRank(Operation *op, StringRef name, int64_t rank,
                             RankedTensorType type) {
  if (type.getRank() == rank)
    return success();
  return op->emitOpError("expects ")
         << name << " of rank " << rank << ", got " << type;
}

LogicalResult ir::expectSameExtent(Operation *op, StringRef nameA,
                                   RankedTensorType a, int64_t axisA,
                                   StringRef nameB, RankedTensorType b,
                                   int64_t axisB) {
  if (sameExtent(a, axisA, b, axisB))
    return success();
  return op->emitOpError("expects axis ")
         << axisA << " of " << nameA << " equal to axis " << axisB << " of "
         << nameB << ", got " << a << " and " << b;
}

LogicalResult ir::expectWholeBlocks(Operation *op, StringRef name,
                                    RankedTensorType type) {
  auto block = dyn_cast<BlockType>(type.getElementType());
  if (!block)
    return success();
  int64_t elements = base::info(block.getFormat()).blockElements;
  if (type.getRank() >= 1 && !type.isDynamicDim(type.getRank() - 1) &&
      type.getShape().back() % elements == 0)
    return success();
  return op->emitOpError("expects the last axis of ")
         << name << " to be whole blocks of " << elements << " elements, got "
         << type;
}

/// C1 to C3 of #tn.symbol; collects the names.
static LogicalResult collectSymbols(Operation *func, Attribute attr,
                                    llvm::StringSet<> &names) {
  auto symbols = dyn_cast<ArrayAttr>(attr);
  if (!symbols || !llvm::all_of(symbols, llvm::IsaPred<SymbolAttr>))
    return func->emitOpError("expects ")
           << kSymbolsAttr << " to be an array of #tn.symbol, got " << attr;
  for (auto symbol : symbols.getAsRange<SymbolAttr>()) {
    if (!names.insert(symbol.getName().getValue()).second) // C1
      return func->emitOpError("expects one declaration of symbol ")
             << symbol.getName() << ", got two";
    if (symbol.getMin() < 0 || symbol.getMin() > symbol.getMax()) // C2
      return func->emitOpError("expects 0 <= min <= max of symbol ")
             << symbol.getName() << ", got " << symbol.getMin() << " to "
             << symbol.getMax();
    if (symbol.getDivisor() < 1) // C3
      return func->emitOpError("expects a divisor of at least 1 of symbol ")
             << symbol.getName() << ", got " << symbol.getDivisor();
  }
  return success();
}

/// C4 and C6 of #tn.symbol for one value.
static LogicalResult verifyValue(Operation *at, Value value,
                                 const llvm::StringSet<> &names) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type)
    return success();
  for (int64_t axis = 0; axis < type.getRank(); ++axis) {
    if (!type.isDynamicDim(axis))
      continue;
    StringRef symbol = symbolOf(type, axis);
    if (symbol.empty())
      return at->emitOpError("expects a symbol for axis ")
             << axis << " of " << type;
    if (!names.contains(symbol))
      return at->emitOpError("expects symbol '")
             << symbol << "' of " << type << " to be declared in "
             << kSymbolsAttr;
  }
  return expectWholeBlocks(at, "a value", type);
}

LogicalResult ir::verifySymbols(Operation *func, Attribute attr) {
  auto function = dyn_cast<func::FuncOp>(func);
  if (!function)
    return func->emitOpError("has ")
           << kSymbolsAttr << ", which belongs to a func.func";
  llvm::StringSet<> names;
  if (failed(collectSymbols(func, attr, names)))
    return failure();
  WalkResult walk = function.walk([&](Operation *op) -> WalkResult {
    for (Value result : op->getResults())
      if (failed(verifyValue(op, result, names)))
        return failure();
    for (Region &region : op->getRegions())
      for (BlockArgument argument : region.getArguments())
        if (failed(verifyValue(op, argument, names)))
          return failure();
    return success();
  });
  if (walk.wasInterrupted())
    return failure();
  return verifyLinearUse(function); // C5
}
