//===- Fuse.cpp - Builds kernels from groups; contract in Passes.td -------===//

#include "ir/tn/NestRole.h"
#include "passes/Passes.h"
#include "passes/fuse/NestGraph.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSet.h"

namespace tenon::passes {
#define GEN_PASS_DEF_FUSE
#include "passes/Passes.h.inc"

namespace {
using namespace mlir;

// One fork-join joins at most so many independent nests; none in @prepare,
// which runs once, and where equal kernels alone are one to compile.
constexpr size_t kMostNestsPerKernel = 8;

/// Builds one kernel of a group's nests.
class KernelBuilder {
public:
  KernelBuilder(const NestGraph &graph, const Group &group)
      : graph(graph), group(group) {}

  void build(OpBuilder &builder) {
    for (const Nest *nest : group)
      for (Operation *op : nest->ops)
        for (Value operand : op->getOperands())
          collectInputs(operand, nest);
    SmallVector<Value> results;
    for (const Nest *nest : group)
      llvm::append_range(results, resultsOf(nest));

    auto kernel = ir::KernelOp::create(
        builder, location(builder), TypeRange(ValueRange(results)),
        inputs.getArrayRef(), builder.getStringAttr(label()),
        /*schedules=*/ArrayAttr(), notFused(builder), group.size());
    for (auto [index, nest] : llvm::enumerate(group))
      fillNest(builder, kernel.getNests()[index], nest);
    for (auto [old, made] : llvm::zip_equal(results, kernel.getResults()))
      old.replaceUsesWithIf(made, [&](OpOperand &use) {
        return use.getOwner() != kernel && !isInside(use.getOwner(), kernel);
      });
    remark::passed(kernel.getLoc(),
                   remark::RemarkOpts::name("Fuse").category("fuse"))
        << kernel.getLabel();
  }

private:
  static bool isInside(Operation *op, Operation *kernel) {
    return kernel->isProperAncestor(op);
  }

  /// Whether a value is memory when the nest runs: not made inside it, and no
  /// view that is copied. A reshape of memory is the same memory.
  bool isInput(Value value, const Nest *nest) const {
    Operation *op = value.getDefiningOp();
    if (!op)
      return true;
    const Nest *maker = graph.nestWith(op);
    if (maker && (maker == nest || !graph.isCopied(op)))
      return maker != nest;
    if (isa<ir::ReshapeOp>(op))
      return isInput(op->getOperand(0), nest);
    return !graph.isCopied(op);
  }

  void collectInputs(Value value, const Nest *nest) {
    if (isInput(value, nest)) {
      inputs.insert(value);
      return;
    }
    Operation *op = value.getDefiningOp();
    if (graph.nestWith(op) != nest)
      for (Value operand : op->getOperands())
        collectInputs(operand, nest);
  }

  /// Whether anything outside the nest reads a value, directly or by a copy.
  bool isReadElsewhere(Value value, const Nest *nest) const {
    return llvm::any_of(value.getUsers(), [&](Operation *user) {
      const Nest *reader = graph.nestWith(user);
      if (!reader && graph.isCopied(user))
        return isReadElsewhere(user->getResult(0), nest);
      return reader != nest;
    });
  }

  SmallVector<Value> resultsOf(const Nest *nest) const {
    SmallVector<Value> results;
    for (Operation *op : nest->ops)
      for (Value result : op->getResults())
        if (isReadElsewhere(result, nest))
          results.push_back(result);
    // A nest that nothing reads still yields its last value.
    if (results.empty())
      llvm::append_range(results, nest->ops.back()->getResults());
    return results;
  }

  Value copyIn(OpBuilder &builder, Value value, IRMapping &mapping) {
    if (mapping.contains(value))
      return mapping.lookup(value);
    Operation *op = value.getDefiningOp();
    for (Value operand : op->getOperands())
      copyIn(builder, operand, mapping);
    builder.clone(*op, mapping);
    return mapping.lookup(value);
  }

  void fillNest(OpBuilder &builder, Region &region, const Nest *nest) {
    OpBuilder::InsertionGuard guard(builder);
    Block *block = builder.createBlock(&region);
    IRMapping mapping;
    for (Value input : inputs)
      mapping.map(input, block->addArgument(input.getType(), input.getLoc()));
    for (Operation *op : nest->ops) {
      for (Value operand : op->getOperands())
        copyIn(builder, operand, mapping);
      if (!mapping.contains(op->getResult(0)))
        builder.clone(*op, mapping);
    }
    SmallVector<Value> yielded;
    for (Value result : resultsOf(nest))
      yielded.push_back(mapping.lookup(result));
    ir::YieldOp::create(builder, builder.getUnknownLoc(), yielded);
  }

  std::string label() const {
    std::string text;
    for (const Nest *nest : group) {
      if (!text.empty())
        text += " | ";
      for (Operation *op : prologuesOf(nest))
        text += op->getName().stripDialect().str() + "+";
      for (Operation *op : nest->ops) {
        if (op != nest->ops.front())
          text += "+";
        text += op->getName().stripDialect();
      }
    }
    return text;
  }

  llvm::SetVector<Operation *> prologuesOf(const Nest *nest) const {
    llvm::SetVector<Operation *> found;
    for (Operation *op : nest->ops)
      for (Value operand : op->getOperands())
        if (graph.isPrologue(operand.getDefiningOp()))
          found.insert(operand.getDefiningOp());
    return found;
  }

  ArrayAttr notFused(OpBuilder &builder) const {
    SmallVector<StringRef> reasons;
    llvm::StringSet<> seen;
    for (const Nest *nest : group)
      for (const std::string &reason : nest->notFused)
        if (seen.insert(reason).second)
          reasons.push_back(reason);
    return reasons.empty() ? ArrayAttr() : builder.getStrArrayAttr(reasons);
  }

  Location location(OpBuilder &builder) const {
    SmallVector<Location> locations;
    for (const Nest *nest : group)
      for (Operation *op : nest->ops)
        locations.push_back(op->getLoc());
    return builder.getFusedLoc(locations);
  }

  const NestGraph &graph;
  const Group &group;
  llvm::SetVector<Value> inputs;
};

/// Moves a view that kernels read, made at the block's end, to the first of
/// them. Sorting the block would not do: a kernel that has to wait for its view
/// would fall behind one that changes a cache which it reads.
void moveToFirstUser(Operation *view) {
  Block *block = view->getBlock();
  Operation *first = nullptr;
  for (Operation *user : view->getUsers()) {
    Operation *inBlock = block->findAncestorOpInBlock(*user);
    if (!first || inBlock->isBeforeInBlock(first))
      first = inBlock;
  }
  view->moveBefore(first);
}

void fuseBlock(Block &block, size_t mostNests) {
  NestGraph graph(block);
  OpBuilder builder(block.getTerminator());
  SmallVector<Operation *> fused;
  for (const Group &group : graph.schedule(mostNests)) {
    if (!group.front()->isKernel) {
      // Kernels that read it are made at the block's end; so it moves there.
      group.front()->ops.front()->moveBefore(block.getTerminator());
      continue;
    }
    KernelBuilder(graph, group).build(builder);
    for (const Nest *nest : group)
      llvm::append_range(fused, nest->ops);
  }
  for (Operation *op : fused)
    op->dropAllUses();
  for (Operation *op : fused)
    op->erase();
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block))) {
    if (!graph.isCopied(&op))
      continue;
    if (op.use_empty())
      op.erase();
    else
      moveToFirstUser(&op);
  }
}

struct FusePass : impl::FuseBase<FusePass> {
  void runOnOperation() override {
    SmallVector<Block *> blocks;
    getOperation().walk([&](Block *block) {
      if (!isa<ir::KernelOp>(block->getParentOp()))
        blocks.push_back(block);
    });
    bool isPrepare = getOperation().getName() == "prepare";
    for (Block *block : blocks)
      fuseBlock(*block, isPrepare ? 1 : kMostNestsPerKernel);
  }
};
} // namespace
} // namespace tenon::passes
