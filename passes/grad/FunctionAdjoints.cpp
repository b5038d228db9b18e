//===- FunctionAdjoints.cpp - A forward and a backward function -----------===//

#include "passes/grad/FunctionAdjoints.h"

#include "ir/tn/Adjoint.h"
#include "passes/grad/Reverse.h"

using namespace mlir;

namespace tenon::passes {

FailureOr<const FunctionAdjoint *> FunctionAdjoints::of(func::FuncOp function,
                                                        ArrayRef<bool> wanted,
                                                        ArrayRef<bool> seeded) {
  auto copy = [](ArrayRef<bool> mask) {
    return std::vector<bool>(mask.begin(), mask.end());
  };
  Key key{function.getOperation(), copy(wanted), copy(seeded)};
  auto [entry, isNew] = built.try_emplace(key);
  if (!isNew && entry->second)
    return entry->second.get();
  if (!isNew)
    return function.emitOpError("calls itself, which has no adjoint");
  auto adjoint = std::make_unique<FunctionAdjoint>();
  if (failed(build(function, wanted, seeded, *adjoint)))
    return failure();
  // References into the map stay valid while nested requests are added.
  entry->second = std::move(adjoint);
  return entry->second.get();
}

/// The function with another name, and an argument for each seed.
static func::FuncOp cloneWithSeeds(func::FuncOp function,
                                   ArrayRef<bool> seeded) {
  func::FuncOp joint = function.clone();
  joint.setName((function.getName() + ".fwd").str());
  joint.setPrivate();
  for (auto [type, isSeeded] :
       llvm::zip_equal(function.getResultTypes(), seeded)) {
    if (!isSeeded)
      continue;
    Type seed = ir::gradientType(cast<RankedTensorType>(type));
    (void)joint.insertArgument(joint.getNumArguments(), seed, {},
                               function.getLoc());
  }
  return joint;
}

LogicalResult FunctionAdjoints::build(func::FuncOp function,
                                      ArrayRef<bool> wanted,
                                      ArrayRef<bool> seeded,
                                      FunctionAdjoint &adjoint) {
  if (function.isDeclaration())
    return function.emitOpError("expects a body to differentiate");
  func::FuncOp joint = cloneWithSeeds(function, seeded);
  symbols.insert(joint);
  Block &block = joint.front();
  Operation *end = block.getTerminator();
  Reverse::Set sources;
  for (auto [i, isWanted] : llvm::enumerate(wanted))
    if (isWanted)
      sources.insert(block.getArgument(i));
  auto ops = llvm::to_vector(llvm::map_range(
      block.without_terminator(), [](Operation &op) { return &op; }));
  Reverse reverse(*this, sources);
  reverse.spread(ops);
  OpBuilder builder(end);
  // Calls are replaced as the adjoints are built, so the cut has its own op.
  Value marker = zerosOf(builder, joint.getLoc(),
                         RankedTensorType::get({}, builder.getF32Type()));
  unsigned next = function.getNumArguments();
  for (auto [value, isSeeded] : llvm::zip_equal(end->getOperands(), seeded))
    if (isSeeded)
      reverse.add(value, block.getArgument(next++), builder);
  if (failed(reverse.run(ops, builder)))
    return failure();
  SmallVector<Value> gradients;
  for (auto [i, isWanted] : llvm::enumerate(wanted)) {
    Value gradient =
        isWanted ? reverse.gradientOf(block.getArgument(i)) : Value();
    adjoint.given.push_back(gradient != nullptr);
    if (gradient)
      gradients.push_back(gradient);
  }
  adjoint.seeded.assign(seeded.begin(), seeded.end());
  cutInTwo(joint, marker.getDefiningOp(), function.getNumArguments(), gradients,
           checkpoint, adjoint);
  adjoint.backward.setName((function.getName() + ".bwd").str());
  symbols.insert(adjoint.backward);
  return success();
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

/// Replaces a call by one of `forward`, whose first results are the same.
static func::CallOp callForward(func::CallOp call, func::FuncOp forward) {
  OpBuilder builder(call);
  auto made =
      func::CallOp::create(builder, call.getLoc(), forward, call.getOperands());
  made->setDiscardableAttrs(call->getDiscardableAttrDictionary());
  call->replaceAllUsesWith(made.getResults().take_front(call.getNumResults()));
  return made;
}

/// Whether a user's adjoint has a gradient for it: weights in blocks have none.
static bool isPlainFloat(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && isa<FloatType>(type.getElementType());
}

/// The call in whose place a user's forward function is called, where there is
/// one; null after an error.
func::CallOp FunctionAdjoints::callUsersForward(func::CallOp call,
                                                func::FuncOp callee) {
  auto name = callee->getAttrOfType<FlatSymbolRefAttr>(ir::kForwardAttr);
  if (!name)
    return call;
  auto forward = symbols.lookup<func::FuncOp>(name.getAttr());
  auto results = callee.getResultTypes();
  if (!forward || forward.getArgumentTypes() != callee.getArgumentTypes() ||
      forward.getResultTypes().take_front(results.size()) != results) {
    call.emitOpError("expects a function ")
        << name << " with the arguments and first results of @"
        << callee.getName();
    return nullptr;
  }
  func::CallOp made = callForward(call, forward);
  call.erase();
  return made;
}

LogicalResult FunctionAdjoints::callUsersAdjoint(
    func::CallOp call, func::FuncOp callee, ArrayRef<Value> gradients,
    ArrayRef<bool> wanted, OpBuilder &builder, SmallVectorImpl<Value> &found) {
  auto name = callee->getAttrOfType<FlatSymbolRefAttr>(ir::kAdjointAttr);
  auto adjoint = symbols.lookup<func::FuncOp>(name.getAttr());
  if (!adjoint)
    return call.emitOpError("expects the adjoint ") << name << " in the module";
  call = callUsersForward(call, callee);
  if (!call)
    return failure();
  SmallVector<Value> arguments(call.getOperands());
  llvm::append_range(arguments, call.getResults());
  for (auto [result, gradient] : llvm::zip(call.getResults(), gradients)) {
    if (!isPlainFloat(result))
      continue;
    arguments.push_back(
        gradient ? gradient
                 : zerosOf(builder, call.getLoc(), result.getType()));
  }
  SmallVector<Type> results;
  for (Value operand : call.getOperands())
    if (isPlainFloat(operand))
      results.push_back(
          ir::gradientType(cast<RankedTensorType>(operand.getType())));
  FunctionType type = builder.getFunctionType(TypeRange(ValueRange(arguments)),
                                              TypeRange(results));
  if (adjoint.getFunctionType() != type)
    return adjoint.emitOpError("expects the type of the adjoint of @")
           << callee.getName() << ", " << type;
  auto made = func::CallOp::create(builder, call.getLoc(), adjoint, arguments);
  unsigned next = 0;
  for (auto [operand, isWanted] : llvm::zip_equal(call.getOperands(), wanted)) {
    Value gradient =
        isPlainFloat(operand) ? Value(made.getResult(next++)) : Value();
    found.push_back(isWanted ? gradient : Value());
  }
  return success();
}

LogicalResult FunctionAdjoints::reverseCall(func::CallOp call,
                                            ArrayRef<Value> gradients,
                                            ArrayRef<bool> wanted,
                                            OpBuilder &builder,
                                            SmallVectorImpl<Value> &found) {
  auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
  if (!callee)
    return call.emitOpError("expects a function of the module");
  if (callee->hasAttr(ir::kAdjointAttr))
    return callUsersAdjoint(call, callee, gradients, wanted, builder, found);
  SmallVector<bool> seeded;
  SmallVector<Value> seeds;
  for (Value gradient : gradients) {
    seeded.push_back(gradient != nullptr);
    if (gradient)
      seeds.push_back(gradient);
  }
  FailureOr<const FunctionAdjoint *> adjoint = of(callee, wanted, seeded);
  if (failed(adjoint))
    return failure();
  func::FuncOp forward = (*adjoint)->forward;
  SmallVector<Value> arguments;
  for (unsigned number : (*adjoint)->arguments)
    arguments.push_back(call.getOperand(number));
  func::CallOp kept;
  if (checkpoint == Checkpoint::Layer) {
    kept = func::CallOp::create(builder, call.getLoc(), forward,
                                call.getOperands());
    kept->setDiscardableAttrs(call->getDiscardableAttrDictionary());
  } else {
    kept = callForward(call, forward);
  }
  for (unsigned number : (*adjoint)->residuals)
    arguments.push_back(kept.getResult(number));
  llvm::append_range(arguments, seeds);
  auto backward = func::CallOp::create(builder, call.getLoc(),
                                       (*adjoint)->backward, arguments);
  backward->setDiscardableAttrs(call->getDiscardableAttrDictionary());
  unsigned next = 0;
  for (bool isGiven : (*adjoint)->given)
    found.push_back(isGiven ? Value(backward.getResult(next++)) : Value());
  if (kept != call && checkpoint != Checkpoint::Layer)
    call.erase();
  return success();
}

} // namespace tenon::passes
