//===- Control.cpp - Loops and branches being traced ----------------------===//

#include "frontend/dsl/Control.h"

#include "frontend/dsl/Tracer.h"

#include "mlir/IR/Verifier.h"

using namespace mlir;

namespace tenon::detail {

//===----------------------------------------------------------------------===//
// Regions
//===----------------------------------------------------------------------===//

Tracer::Traced Tracer::openRegion(TypeRange arguments, bool isLoop) {
  Traced traced;
  traced.region = std::make_unique<Region>();
  Frame &frame = traced.frame;
  frame.block = &traced.region->emplaceBlock();
  frame.isLoop = isLoop;
  frame.path = frames.back().path;
  for (Type type : arguments)
    frame.block->addArgument(type, opBuilder.getUnknownLoc());
  traced.arguments = arguments.size();
  return traced;
}

Value Tracer::carry(Frame &loop, State &state) {
  if (Value known = loop.states.lookup(&state))
    return known;
  Value value = loop.block->addArgument(state.type, opBuilder.getUnknownLoc());
  loop.statesBefore[&state] = value;
  return loop.states[&state] = value;
}

/// Returns whether every result is a value; what is none has been noted.
bool Tracer::traceRegion(Traced &traced, const LoopBody &body, Site site) {
  frames.push_back(std::move(traced.frame));
  Block *block = frames.back().block;
  opBuilder.setInsertionPointToEnd(block);
  Tensors arguments;
  for (Value argument : block->getArguments().take_front(traced.arguments))
    arguments.push_back(Tensor(wrap(argument)));
  for (const Tensor &result : body(arguments)) {
    traced.results.push_back(resolve(result.handle(), site));
    if (result.isAbsent())
      error(site, "expects a tensor for each result of a loop or a branch, got "
                  "none");
  }
  traced.frame = std::move(frames.back());
  pop();
  return llvm::all_of(traced.results, [](Value value) { return !!value; });
}

void Tracer::closeRegion(Traced &traced, Region &into, Site site) {
  OpBuilder::InsertionGuard guard(opBuilder);
  opBuilder.setInsertionPointToEnd(traced.frame.block);
  ir::YieldOp::create(opBuilder, location(site), traced.results);
  into.takeBody(*traced.region);
}

/// The op's results but for those of caches, which the next readers see.
Tensors Tracer::finishControl(Operation *op, ArrayRef<State *> changed,
                              const char *name, Site site) {
  size_t count = op->getNumResults() - changed.size();
  if (failed(verify(op, /*verifyRecursively=*/false))) {
    op->erase();
    error(site, name + (" " + takeDiagnostics()));
    return Tensors(count, Tensor(poisoned()));
  }
  Tensors results;
  for (Value result : op->getResults().take_front(count))
    results.push_back(Tensor(wrap(result)));
  for (auto [i, state] : llvm::enumerate(changed))
    setState(*state, op->getResult(count + i));
  return results;
}

//===----------------------------------------------------------------------===//
// Loops and branches
//===----------------------------------------------------------------------===//

Tensors Tracer::whileLoop(const Tensors &initial, int64_t limit,
                          const LoopCondition &condition, const LoopBody &body,
                          Site site) {
  Tensors failure(initial.size(), Tensor(poisoned()));
  SmallVector<Value> init;
  for (const Tensor &tensor : initial)
    if (Value value = resolve(tensor.handle(), site))
      init.push_back(value);
  if (init.size() < initial.size())
    return failure;
  // Caches join what is carried when they are first used: the body's, then
  // those that the condition alone uses.
  Traced loop = openRegion(ValueRange(init).getTypes(), /*isLoop=*/true);
  if (!traceRegion(loop, body, site))
    return failure;
  Traced test = openRegion(ValueRange(init).getTypes(), /*isLoop=*/true);
  for (auto &[state, value] : loop.frame.states)
    carry(test.frame, *state);
  auto holds = [&](const Tensors &carried) {
    return Tensors{condition(carried)};
  };
  if (!traceRegion(test, holds, site))
    return failure;
  SmallVector<State *> states;
  for (auto &[state, value] : test.frame.states)
    states.push_back(state);
  for (State *state : states) {
    carry(loop.frame, *state);
    loop.results.push_back(loop.frame.states.lookup(state));
    init.push_back(stateValue(frames.size() - 1, *state));
  }
  auto op =
      ir::WhileOp::create(opBuilder, location(site),
                          ValueRange(init).getTypes(), init, uint64_t(limit));
  closeRegion(test, op.getCondition(), site);
  closeRegion(loop, op.getBody(), site);
  return finishControl(op, states, "whileLoop", site);
}

Tensors Tracer::ifElse(const Tensor &condition, const Branch &then,
                       const Branch &otherwise, size_t results, Site site) {
  Tensors failure(results, Tensor(poisoned()));
  Value flag = resolve(condition.handle(), site);
  if (!flag)
    return failure;
  Traced regions[] = {openRegion({}, false), openRegion({}, false)};
  const Branch *branches[] = {&then, &otherwise};
  for (auto [region, branch] : llvm::zip_equal(regions, branches))
    if (!traceRegion(
            region, [&](const Tensors &) { return (*branch)(); }, site))
      return failure;
  llvm::SetVector<State *> changed;
  for (Traced &region : regions)
    for (auto &[state, value] : region.frame.states)
      if (value != region.frame.statesBefore.lookup(state))
        changed.insert(state);
  for (Traced &region : regions)
    for (State *state : changed) {
      Value now = region.frame.states.lookup(state);
      region.results.push_back(now ? now
                                   : stateValue(frames.size() - 1, *state));
    }
  auto op = ir::IfOp::create(opBuilder, location(site),
                             ValueRange(regions[0].results).getTypes(), flag);
  closeRegion(regions[0], op.getThenRegion(), site);
  closeRegion(regions[1], op.getElseRegion(), site);
  return finishControl(op, changed.getArrayRef(), "ifElse", site);
}

//===----------------------------------------------------------------------===//
// What the DSL calls
//===----------------------------------------------------------------------===//

static Tensors poisonedLike(const Tensor &known, size_t count) {
  Handle handle;
  handle.tracer = known.handle().tracer;
  handle.poisoned = true;
  return Tensors(count, Tensor(handle));
}

Tensors traceWhile(const Tensors &initial, int64_t limit,
                   const LoopCondition &condition, const LoopBody &body,
                   Site site) {
  for (const Tensor &tensor : initial)
    if (Tracer *tracer = tracerOf(tensor.handle()))
      return tracer->whileLoop(initial, limit, condition, body, site);
  return poisonedLike(initial.front(), initial.size());
}

Tensor carriedInPlace(const Tensor &carried, const Tensor &value, Site site) {
  Tracer *tracer = tracerOf(carried.handle());
  Value before = tracer ? tracer->resolve(carried.handle(), site) : Value();
  Value after = tracer ? tracer->resolve(value.handle(), site) : Value();
  if (!before || !after)
    return poisonedLike(carried, 1).front();
  return Tensor(tracer->wrap(
      ir::OverwriteOp::create(tracer->builder(), tracer->location(site),
                              before.getType(), before, after)));
}

Tensors traceIf(const Tensor &condition, const Branch &then,
                const Branch &otherwise, size_t results, Site site) {
  if (Tracer *tracer = tracerOf(condition.handle()))
    return tracer->ifElse(condition, then, otherwise, results, site);
  return poisonedLike(condition, results);
}

} // namespace tenon::detail
