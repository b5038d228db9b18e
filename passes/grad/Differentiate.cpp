//===- Differentiate.cpp - Gradients as functions; contract in Passes.td --===//

#include "ir/tn/Adjoint.h"
#include "passes/Passes.h"
#include "passes/grad/FunctionAdjoints.h"
#include "passes/grad/Reverse.h"

namespace tenon::passes {
#define GEN_PASS_DEF_DIFFERENTIATE
#include "passes/Passes.h.inc"

namespace {
using namespace mlir;

std::optional<Checkpoint> parseCheckpoint(StringRef name) {
  return llvm::StringSwitch<std::optional<Checkpoint>>(name)
      .Case("none", Checkpoint::None)
      .Case("selective", Checkpoint::Selective)
      .Case("layer", Checkpoint::Layer)
      .Default(std::nullopt);
}

LogicalResult expand(ir::GradientOp op, FunctionAdjoints &functions) {
  auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
      op, op.getCalleeAttr());
  SmallVector<bool> wanted(op.getOperands().size(), false);
  for (int64_t number : op.getWrt())
    wanted[number] = true;
  SmallVector<bool> seeded(callee.getNumResults(), false);
  seeded.front() = true;
  FailureOr<const FunctionAdjoint *> adjoint =
      functions.of(callee, wanted, seeded);
  if (failed(adjoint))
    return failure();
  OpBuilder builder(op);
  Location loc = op.getLoc();
  auto forward =
      func::CallOp::create(builder, loc, (*adjoint)->forward, op.getOperands());
  SmallVector<Value> arguments;
  for (unsigned number : (*adjoint)->arguments)
    arguments.push_back(op.getOperands()[number]);
  for (unsigned number : (*adjoint)->residuals)
    arguments.push_back(forward.getResult(number));
  auto scalar = RankedTensorType::get({}, builder.getF32Type());
  arguments.push_back(ir::ConstantOp::create(
      builder, loc, scalar, DenseElementsAttr::get(scalar, 1.0f)));
  auto backward =
      func::CallOp::create(builder, loc, (*adjoint)->backward, arguments);
  SmallVector<Value> results(
      forward.getResults().take_front(callee.getNumResults()));
  unsigned next = 0;
  for (int64_t number : op.getWrt())
    results.push_back(
        (*adjoint)->given[number]
            ? Value(backward.getResult(next++))
            : zerosOf(builder, loc, op.getOperands()[number].getType()));
  op->replaceAllUsesWith(results);
  op.erase();
  return success();
}

struct DifferentiatePass : impl::DifferentiateBase<DifferentiatePass> {
  using DifferentiateBase::DifferentiateBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    StringRef name = checkpoint;
    if (auto asked = module->getAttrOfType<StringAttr>("tn.checkpoint"))
      name = asked.getValue();
    std::optional<Checkpoint> kept = parseCheckpoint(name);
    if (!kept) {
      module.emitError("expects a checkpoint of none, selective or layer, "
                       "got '")
          << name << "'";
      return signalPassFailure();
    }
    FunctionAdjoints functions(module, *kept);
    SmallVector<ir::GradientOp> gradients;
    module.walk([&](ir::GradientOp op) { gradients.push_back(op); });
    for (ir::GradientOp op : gradients)
      if (failed(expand(op, functions)))
        return signalPassFailure();
    module.walk([](ir::StopGradientOp op) {
      op.getY().replaceAllUsesWith(op.getX());
      op.erase();
    });
    for (auto function : module.getOps<func::FuncOp>()) {
      function->removeAttr(ir::kAdjointAttr);
      function->removeAttr(ir::kForwardAttr);
    }
    dropUnused(module);
  }

  /// Drops functions that gradients alone called.
  void dropUnused(ModuleOp module) {
    for (bool isChanged = true; isChanged;) {
      isChanged = false;
      for (auto function :
           llvm::make_early_inc_range(module.getOps<func::FuncOp>())) {
        if (!function.isPrivate() ||
            !SymbolTable::symbolKnownUseEmpty(function, module))
          continue;
        function.erase();
        isChanged = true;
      }
    }
  }
};
} // namespace
} // namespace tenon::passes
