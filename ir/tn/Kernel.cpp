//===- Kernel.cpp - What one fork-join computes ---------------------------===//

#include "ir/tn/Linear.h"
#include "ir/tn/Tn.h"

using namespace mlir;
using namespace tenon::ir;

/// Whether a nest changes operand `number`, and how many nests use it.
static std::pair<bool, int> countUses(KernelOp kernel, unsigned number) {
  bool changed = false;
  int nests = 0;
  for (Region &nest : kernel.getNests()) {
    BlockArgument argument = nest.getArgument(number);
    changed |= isChanged(argument);
    nests += argument.use_empty() ? 0 : 1;
  }
  return {changed, nests};
}

LogicalResult KernelOp::verify() {
  SmallVector<Type> yielded;
  for (Region &nest : getNests()) {
    TypeRange arguments = nest.getArgumentTypes();
    if (arguments != getInputs().getTypes()) // C1
      return emitOpError("expects a nest's arguments of types (")
             << getInputs().getTypes() << "), the operands', got (" << arguments
             << ")";
    Block &block = nest.front();
    if (block.empty() || !isa<YieldOp>(block.back()))
      return emitOpError("expects every nest to end in tn.yield");
    llvm::append_range(yielded, block.back().getOperandTypes());
  }
  if (TypeRange(yielded) != getResultTypes()) // C2
    return emitOpError("expects results of types (")
           << TypeRange(yielded) << "), what the nests yield, got ("
           << getResultTypes() << ")";
  if (getSchedules() && getSchedules()->size() != getNests().size()) // C3
    return emitOpError("expects ")
           << getNests().size() << " schedules, one for each nest, got "
           << getSchedules()->size();
  for (auto [number, input] : llvm::enumerate(getInputs())) { // C4
    if (isa<BatchType>(input.getType()))
      continue;
    auto [changed, nests] = countUses(*this, number);
    if (changed && nests > 1)
      return emitOpError("expects operand ")
             << number << ", which a nest changes, in one nest only, got "
             << nests;
  }
  return success();
}
