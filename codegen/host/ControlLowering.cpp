//===- ControlLowering.cpp - Branches, loops and streaming ----------------===//
//
// The part of BodyLowering that makes control flow. A region's results go
// through buffers of their own ("carriers"), written by copies at its end.
//
//===----------------------------------------------------------------------===//

#include "codegen/host/BodyLowering.h"

#include <algorithm>

using namespace mlir;
using namespace tenon;
using namespace tenon::codegen;
using namespace tenon::codegen::host;
using base::Expr;
using base::Instruction;
using base::Opcode;

static Instruction branchIf(Expr condition) {
  Instruction branch;
  branch.op = Opcode::BranchIf;
  branch.exprs = {std::move(condition)};
  return branch;
}

static Expr isZero(uint32_t reg) {
  return Expr::binary(Expr::Op::Equal, Expr::reg(reg), Expr::constant(0));
}

FailureOr<BodyLowering::Binding> BodyLowering::carrier(Value value,
                                                       const Binding &initial) {
  // Caches are changed in place and batches never: both keep their buffers.
  if (!isa<RankedTensorType>(value.getType()))
    return initial;
  FailureOr<uint32_t> buffer = addTemporary(value, "carried");
  if (failed(buffer))
    return failure();
  return Binding{*buffer};
}

LogicalResult BodyLowering::addMove(Value value, Scope &scope,
                                    const Binding &to, Moves &moves) {
  Binding from = scope.bindings.lookup(value);
  if (!isa<RankedTensorType>(value.getType()) && from != to)
    return emitError(value.getLoc())
           << "expects a region to yield the cache or batch that it was given "
              "in this place: only tensors are copied";
  moves.push_back({std::move(from), to});
  return success();
}

void BodyLowering::copyAll(const Moves &moves) {
  // A value may be carried into another's place: those are copied twice.
  auto isTarget = [&](uint32_t buffer) {
    return llvm::any_of(moves, [&](const auto &move) {
      return llvm::is_contained(move.second, buffer);
    });
  };
  SmallVector<std::pair<uint32_t, uint32_t>> last;
  for (const auto &[from, to] : moves)
    for (auto [source, target] : llvm::zip_equal(from, to)) {
      if (source == target)
        continue;
      if (!isTarget(source)) {
        last.push_back({source, target});
        continue;
      }
      base::Buffer staged = variant.buffers[target];
      staged.name = "staged";
      staged.firstUse = staged.lastUse = position();
      uint32_t between = addBuffer(std::move(staged));
      copy(source, between);
      last.push_back({between, target});
    }
  for (auto [source, target] : last)
    copy(source, target);
}

uint32_t BodyLowering::loadFlag(const Binding &binding) {
  Instruction load;
  load.op = Opcode::Load;
  load.reg = variant.registerCount++;
  load.buffers = {binding.front()};
  load.exprs = {Expr::constant(0)};
  return append(std::move(load)).reg;
}

void BodyLowering::widenLifetimes(uint32_t begin, uint32_t end) {
  for (base::Buffer &buffer : variant.buffers)
    if (buffer.firstUse < begin && buffer.lastUse >= begin)
      buffer.lastUse = std::max(buffer.lastUse, end);
}

LogicalResult BodyLowering::lowerIf(ir::IfOp op, Scope &scope) {
  uint32_t flag = loadFlag(scope.bindings.lookup(op.getCondition()));
  uint32_t toElse = position();
  append(branchIf(isZero(flag)));
  SmallVector<Binding> results;
  auto lowerRegion = [&](Region &region) {
    if (failed(lowerBlock(region.front(), scope)))
      return failure();
    Moves moves;
    Operation *yield = region.front().getTerminator();
    for (auto [index, value] : llvm::enumerate(yield->getOperands())) {
      if (index == results.size()) {
        FailureOr<Binding> made = carrier(value, scope.bindings.lookup(value));
        if (failed(made))
          return failure();
        results.push_back(*made);
      }
      if (failed(addMove(value, scope, results[index], moves)))
        return failure();
    }
    copyAll(moves);
    return success();
  };
  if (failed(lowerRegion(op.getThenRegion())))
    return failure();
  uint32_t toEnd = position();
  Instruction branch;
  branch.op = Opcode::Branch;
  append(std::move(branch));
  variant.body[toElse].target = position();
  if (failed(lowerRegion(op.getElseRegion())))
    return failure();
  variant.body[toEnd].target = position();
  for (auto [result, binding] : llvm::zip_equal(op.getResults(), results))
    scope.bindings[result] = binding;
  return success();
}

LogicalResult BodyLowering::lowerWhile(ir::WhileOp op, Scope &scope) {
  SmallVector<Binding> carried;
  Moves moves;
  for (Value value : op.getInit()) {
    FailureOr<Binding> made = carrier(value, scope.bindings.lookup(value));
    if (failed(made) || failed(addMove(value, scope, *made, moves)))
      return failure();
    carried.push_back(*made);
  }
  copyAll(moves);
  uint32_t trips = variant.registerCount++;
  Instruction zero;
  zero.op = Opcode::Set;
  zero.reg = trips;
  zero.exprs = {Expr::constant(0)};
  append(zero);

  uint32_t begin = position();
  SmallVector<uint32_t> toEnd = {begin};
  append(branchIf(
      Expr::binary(Expr::Op::Equal, Expr::reg(trips),
                   Expr::constant(static_cast<int64_t>(op.getLimit())))));
  auto bindRegion = [&](Region &region) {
    for (auto [argument, binding] :
         llvm::zip_equal(region.getArguments(), carried))
      scope.bindings[argument] = binding;
    return lowerBlock(region.front(), scope);
  };
  if (failed(bindRegion(op.getCondition())))
    return failure();
  Operation *test = op.getCondition().front().getTerminator();
  uint32_t flag = loadFlag(scope.bindings.lookup(test->getOperand(0)));
  toEnd.push_back(position());
  append(branchIf(isZero(flag)));

  if (failed(bindRegion(op.getBody())))
    return failure();
  moves.clear();
  Operation *yield = op.getBody().front().getTerminator();
  for (auto [value, binding] : llvm::zip_equal(yield->getOperands(), carried))
    if (failed(addMove(value, scope, binding, moves)))
      return failure();
  copyAll(moves);
  Instruction count = zero;
  count.exprs = {
      Expr::binary(Expr::Op::Add, Expr::reg(trips), Expr::constant(1))};
  append(count);
  Instruction repeat;
  repeat.op = Opcode::Branch;
  repeat.target = begin;
  append(std::move(repeat));
  for (uint32_t branch : toEnd)
    variant.body[branch].target = position();
  widenLifetimes(begin, position() - 1);
  for (auto [result, binding] : llvm::zip_equal(op.getResults(), carried))
    scope.bindings[result] = binding;
  return success();
}

LogicalResult BodyLowering::lowerEmit(ir::EmitOp op, Scope &scope) {
  FailureOr<uint32_t> stop = addTemporary(op.getStop(), "stop");
  if (failed(stop))
    return failure();
  Instruction emit;
  emit.op = Opcode::Emit;
  emit.reg = variant.registerCount++;
  emit.buffers = {scope.bindings.lookup(op.getTokens()).front()};
  emit.exprs = {Expr::binary(Expr::Op::FloorDiv,
                             variant.buffers[emit.buffers.front()].sizeBytes,
                             Expr::constant(4))};
  uint32_t reg = emit.reg;
  append(std::move(emit));
  Instruction store;
  store.op = Opcode::Store;
  store.buffers = {*stop};
  store.exprs = {Expr::constant(0), Expr::reg(reg)};
  append(std::move(store));
  scope.bindings[op.getStop()] = {*stop};
  return success();
}
