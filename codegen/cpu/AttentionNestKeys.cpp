//===- AttentionNestKeys.cpp - Runs of tokens; keys that are rows ---------===//

#include "codegen/cpu/AttentionNestKeys.h"
#include "codegen/cpu/AttentionNestRows.h"

#include "ir/tn/Emit.h"
#include "tenon/abi.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

namespace tenon::codegen::cpu {

using namespace mlir;

namespace {

constexpr int64_t kBlock = TENON_CACHE_BLOCK;

Value compare(KernelEmitter &e, arith::CmpIPredicate predicate, Value a,
              Value b) {
  return arith::CmpIOp::create(e.builder, predicate, a, b);
}

Value isEqual(KernelEmitter &e, Value a, Value b) {
  return compare(e, arith::CmpIPredicate::eq, a, b);
}

ir::Emit mathOf(KernelEmitter &e, Value like) {
  return ir::Emit(e.builder, e.builder.getLoc(), like.getType());
}

} // namespace

Value readBatch(KernelEmitter &e, Value pointer, Value at) {
  return e.toIndex(e.load(pointer, e.builder.getI32Type(), at));
}

//===----------------------------------------------------------------------===//
// Runs
//===----------------------------------------------------------------------===//

TokenRuns::TokenRuns(KernelEmitter &emitter, const BatchPointers &batch,
                     int64_t mostTokens)
    : e(emitter), batch(batch),
      lengths(e.scratch(mostTokens * sizeof(int32_t))) {}

Value TokenRuns::follows(Value token, Value next) {
  auto at = [&](Value pointer, Value t) { return readBatch(e, pointer, t); };
  Value sequence =
      isEqual(e, at(batch.sequence, token), at(batch.sequence, next));
  Value position = isEqual(e, e.add(at(batch.position, token), e.index(1)),
                           at(batch.position, next));
  return mathOf(e, token).both(sequence, position);
}

// Backwards: how many tokens the run that starts at each one has; 0 where keys
// are missing. The ranges of a run's tokens leave no gap between them, so that
// every key from the first to the last is there.
void TokenRuns::find(Value first, Value end, IsMissing isMissing) {
  Value zero = e.index(0), one = e.index(1), last = e.sub(end, one);
  e.loop(zero, e.sub(end, first), 1, zero, [&](Value i, ValueRange after) {
    Value token = e.sub(last, i), next = e.min(e.add(token, one), last);
    ir::Emit emit = mathOf(e, token);
    Value length =
        e.add(emit.select(follows(token, next), after[0], zero), one);
    length = emit.select(isMissing(token), zero, length);
    e.store(e.fromIndex(length, e.builder.getI32Type()), lengths,
            e.sub(token, first));
    return SmallVector<Value>{length};
  });
}

void TokenRuns::forEach(Value first, Value end, IsMissing isMissing,
                        function_ref<void(const TokenRun &)> body) {
  find(first, end, isMissing);
  e.loop(first, end, 1, first, [&](Value token, ValueRange next) {
    Value length = readBatch(e, lengths, e.sub(token, first));
    ir::Emit emit = mathOf(e, token);
    Value isNext = isEqual(e, token, next[0]);
    Value isRun = compare(e, arith::CmpIPredicate::sgt, length, e.index(0));
    e.ifThen(emit.both(isNext, isRun), [&] {
      body({token, length, readBatch(e, batch.sequence, token),
            readBatch(e, batch.position, token)});
    });
    Value after = e.add(token, e.max(length, e.index(1)));
    return SmallVector<Value>{emit.select(isNext, after, next[0])};
  });
}

Value TokenRuns::endOf(const TokenRun &run, Value limit) {
  OpBuilder &b = e.builder;
  auto before = [&](OpBuilder &, Location loc, ValueRange carried) {
    Value end = carried[0], last = e.sub(limit, e.index(1));
    Value isIn = compare(e, arith::CmpIPredicate::slt, end, limit);
    Value next = e.min(end, last); // The tokens compared exist.
    Value goesOn = follows(e.sub(end, e.index(1)), next);
    Value both = arith::AndIOp::create(b, loc, isIn, goesOn);
    scf::ConditionOp::create(b, loc, both, carried);
  };
  auto after = [&](OpBuilder &, Location loc, ValueRange carried) {
    Value next = e.add(carried[0], e.index(1));
    scf::YieldOp::create(b, loc, next);
  };
  Value start = e.add(run.first, run.tokens);
  OpBuilder::InsertionGuard guard(b);
  auto loop = scf::WhileOp::create(e.builder, TypeRange(start.getType()),
                                   ValueRange(start), before, after);
  return loop.getResult(0);
}

//===----------------------------------------------------------------------===//
// Keys that are rows
//===----------------------------------------------------------------------===//

Value isOutOfOrder(KernelEmitter &e, Operation *op, const BatchPointers &batch,
                   Value token) {
  Value before = e.max(e.sub(token, e.index(1)), e.index(0));
  Value position = readBatch(e, batch.position, token);
  Value expected = e.add(readBatch(e, batch.position, before), e.index(1));
  Value sameSequence = isEqual(e, readBatch(e, batch.sequence, token),
                               readBatch(e, batch.sequence, before));
  ir::Emit emit = mathOf(e, token);
  Value follows = emit.both(isEqual(e, position, expected), sameSequence);
  Value begins = isEqual(e, position, e.index(0));
  Value isFirst = isEqual(e, token, e.index(0));
  follows = emit.both(follows, emit.negate(isFirst));
  e.emitFailure(emit.negate(emit.either(begins, follows)), TENON_FAILURE_ORDER,
                op, token, position);
  // Unsigned: a negative position is beyond every token.
  return compare(e, arith::CmpIPredicate::ugt, position, token);
}

namespace {

class RowKeys final : public KeySource {
public:
  RowKeys(KernelEmitter &emitter, Elements &elements, ir::SelfAttentionOp op,
          const BatchPointers &batch)
      : e(emitter), op(op), batch(batch), keyRows(elements, op.getK()),
        // Latents lie in scratch with the rest of their rows.
        valueRows(elements, op.isLatent() ? op.getK() : op.getV()) {
    int64_t width = op.getK().getType().getDimSize(2);
    keys = e.scratch(width * kBlock * sizeof(float));
    values = e.scratch(valueRows.rowWidth() * kBlock * sizeof(float));
  }

  Value isMissing(Value token) override {
    return isOutOfOrder(e, op, batch, token);
  }

  KeyBlock block(const TokenRun &run, Value keyHead, Value position) override {
    Value first = e.add(e.sub(run.first, run.position), position);
    Value count = e.min(e.sub(run.end(e), position), e.index(kBlock));
    keyRows.stageTransposed({first, count, keyHead}, keys);
    int64_t valuePitch = valueRows.rowWidth();
    valueRows.stage({first, count, keyHead}, values, valuePitch);
    Type f32 = e.builder.getF32Type();
    return {position, keys, values, f32, f32, valuePitch};
  }

private:
  KernelEmitter &e;
  ir::SelfAttentionOp op;
  BatchPointers batch;
  HeadRows keyRows, valueRows;
  Value keys, values; // f32 [width][64], [64][width of its rows]
};

} // namespace

std::unique_ptr<KeySource> makeRowKeys(KernelEmitter &emitter,
                                       Elements &elements,
                                       ir::SelfAttentionOp op,
                                       const BatchPointers &batch) {
  return std::make_unique<RowKeys>(emitter, elements, op, batch);
}

} // namespace tenon::codegen::cpu
