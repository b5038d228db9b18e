//===- CutInTwo.cpp - Residuals between forward and backward --------------===//

#include "ir/tn/Adjoint.h"
#include "passes/grad/FunctionAdjoints.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace tenon::passes {
namespace {

/// Whether the second half computes an op of the first again.
bool isRecomputed(Operation *op, Checkpoint checkpoint) {
  if (isa<ir::ConstantOp, ir::IotaOp, ir::ViewOp, ir::GetParameterOp>(op))
    return true;
  return checkpoint == Checkpoint::Selective &&
         isa<ir::PointwiseOp, ir::RowOp, ir::RopeOp, ir::ConcatOp>(op);
}

/// The cut of a function, while it is made.
class Cut {
public:
  Cut(func::FuncOp joint, Operation *first, unsigned seeds,
      Checkpoint checkpoint)
      : joint(joint), block(joint.front()), seeds(seeds),
        checkpoint(checkpoint) {
    for (Operation *op = first; op != block.getTerminator();
         op = op->getNextNode())
      second.insert(op);
  }

  void make(ArrayRef<Value> gradients, FunctionAdjoint &adjoint);

private:
  /// Drops ops of the second half that nothing reads.
  void dropDead(ArrayRef<Value> gradients);
  /// Finds what the second half reads of the first.
  void collect(ArrayRef<Value> gradients);
  void need(Value value);
  bool isOfSecond(Value value) const {
    Operation *op = value.getDefiningOp();
    return op && second.contains(block.findAncestorOpInBlock(*op));
  }
  void makeBackward(ArrayRef<Value> gradients, FunctionAdjoint &adjoint);

  func::FuncOp joint;
  Block &block;
  unsigned seeds;
  Checkpoint checkpoint;
  llvm::SetVector<Operation *> second;
  llvm::SetVector<Value> arguments, residuals;
  llvm::SetVector<Operation *> again;
};

void Cut::need(Value value) {
  if (isOfSecond(value))
    return;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    if (argument.getOwner() == &block && argument.getArgNumber() < seeds)
      arguments.insert(value);
    return; // A seed, or a region's own.
  }
  Operation *op = value.getDefiningOp();
  if (op->getBlock() != &block)
    return; // of a region of the second half
  if (!isRecomputed(op, checkpoint)) {
    residuals.insert(value);
    return;
  }
  if (!again.insert(op))
    return;
  for (Value operand : op->getOperands())
    need(operand);
}

void Cut::dropDead(ArrayRef<Value> gradients) {
  llvm::DenseSet<Value> results(gradients.begin(), gradients.end());
  for (Operation *op : llvm::to_vector(llvm::reverse(second))) {
    bool isRead = llvm::any_of(op->getResults(), [&](Value value) {
      return !value.use_empty() || results.contains(value);
    });
    if (isRead)
      continue;
    second.remove(op);
    op->erase();
  }
}

void Cut::collect(ArrayRef<Value> gradients) {
  for (Operation *op : second)
    op->walk([&](Operation *inner) {
      for (Value operand : inner->getOperands())
        need(operand);
    });
  for (Value gradient : gradients)
    need(gradient);
}

void Cut::makeBackward(ArrayRef<Value> gradients, FunctionAdjoint &adjoint) {
  SmallVector<Value> inputs;
  for (BlockArgument argument : block.getArguments()) // in their order
    if (arguments.contains(argument)) {
      inputs.push_back(argument);
      adjoint.arguments.push_back(argument.getArgNumber());
    }
  llvm::append_range(inputs, residuals);
  for (BlockArgument seed : block.getArguments().drop_front(seeds))
    inputs.push_back(seed);
  OpBuilder builder(joint.getContext());
  FunctionType type = builder.getFunctionType(TypeRange(ValueRange(inputs)),
                                              TypeRange(ValueRange(gradients)));
  auto backward = func::FuncOp::create(joint.getLoc(), "backward", type);
  backward.setPrivate();
  if (Attribute symbols = joint->getAttr(ir::kSymbolsAttr))
    backward->setAttr(ir::kSymbolsAttr, symbols);
  Block *body = backward.addEntryBlock();
  IRMapping map;
  map.map(inputs, body->getArguments());
  builder.setInsertionPointToEnd(body);
  for (Operation &op : block)
    if (again.contains(&op) || second.contains(&op))
      builder.clone(op, map);
  SmallVector<Value> results;
  for (Value gradient : gradients)
    results.push_back(map.lookup(gradient));
  func::ReturnOp::create(builder, joint.getLoc(), results);
  adjoint.backward = backward;
}

void Cut::make(ArrayRef<Value> gradients, FunctionAdjoint &adjoint) {
  dropDead(gradients);
  collect(gradients);
  makeBackward(gradients, adjoint);
  for (Operation *op : llvm::reverse(second))
    op->erase();
  block.eraseArguments(seeds, block.getNumArguments() - seeds);
  // A residual that is a result already is not returned again.
  Operation *end = block.getTerminator();
  for (Value residual : residuals) {
    auto found = llvm::find(end->getOperands(), residual);
    adjoint.residuals.push_back(found.getIndex());
    if (found == end->operand_end())
      end->insertOperands(end->getNumOperands(), residual);
  }
  joint.setFunctionType(FunctionType::get(
      joint.getContext(), block.getArgumentTypes(), end->getOperandTypes()));
  // Attributes of arguments and results are of those of the function before.
  joint->removeAttr(joint.getArgAttrsAttrName());
  joint->removeAttr(joint.getResAttrsAttrName());
  adjoint.forward = joint;
}
} // namespace

void cutInTwo(func::FuncOp joint, Operation *firstOfSecond, unsigned seeds,
              ArrayRef<Value> gradients, Checkpoint checkpoint,
              FunctionAdjoint &adjoint) {
  Cut(joint, firstOfSecond, seeds, checkpoint).make(gradients, adjoint);
}

} // namespace tenon::passes
