//===- ElementSample.cpp - tn.sample: one token of a row of logits --------===//
//
// Candidates are sorted first (at most 1024 of them), so that every later step
// is a short loop in their order; the op's definition says which.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/Select.h"

#include "tenon/abi.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

#include <limits>

namespace tenon::codegen::cpu {

using namespace mlir;

namespace {

constexpr int64_t kMostCandidates = 1024;

/// The candidates that are left: i32 tokens and f32 weights in scratch.
struct Candidates {
  Value tokens, weights;
  Value count; // index
};

class Sampler {
public:
  explicit Sampler(KernelEmitter &emitter)
      : e(emitter), a(emitter.builder, emitter.builder.getLoc(),
                      emitter.builder.getF32Type()) {}

  /// Keeps those of at least `minP`, where it is positive; never none.
  Candidates keepLikely(const Candidates &from, Value minP);
  /// Keeps the shortest prefix whose sum reaches `topP` of all, below 1.
  Candidates keepNucleus(const Candidates &from, Value topP);
  /// The token at which the running sum exceeds `uniform` of the whole.
  Value draw(const Candidates &from, Value uniform);

private:
  Value weight(const Candidates &from, Value at) {
    return e.load(from.weights, e.builder.getF32Type(), at);
  }
  Value token(const Candidates &from, Value at) {
    return e.load(from.tokens, e.builder.getI32Type(), at);
  }
  Value total(const Candidates &from);
  Value prefix(const Candidates &from,
               function_ref<Value(Value sum)> isReached);

  KernelEmitter &e;
  ir::Emit a;
};

Value Sampler::total(const Candidates &from) {
  return e.loop(e.index(0), from.count, 1, e.f32(0),
                [&](Value at, ValueRange sum) -> SmallVector<Value> {
                  return {a.add(sum[0], weight(from, at))};
                })[0];
}

Value Sampler::prefix(const Candidates &from,
                      function_ref<Value(Value)> isReached) {
  Value no = arith::ConstantOp::create(e.builder, e.builder.getBoolAttr(false));
  return e.loop(e.index(0), from.count, 1, ValueRange{e.f32(0), from.count, no},
                [&](Value at, ValueRange so) -> SmallVector<Value> {
                  Value sum = a.add(so[0], weight(from, at));
                  Value reached = isReached(sum);
                  Value here = a.select(reached, e.add(at, e.index(1)), so[1]);
                  return {sum, a.select(so[2], so[1], here),
                          a.either(so[2], reached)};
                })[1];
}

Candidates Sampler::keepLikely(const Candidates &from, Value minP) {
  Candidates kept{e.scratch(kMostCandidates * 4),
                  e.scratch(kMostCandidates * 4), Value()};
  Value keepsAll = a.negate(a.less(e.f32(0), minP));
  Value firstToken = token(from, e.index(0));
  Value firstWeight = weight(from, e.index(0));
  Value count = e.loop(e.index(0), from.count, 1, e.index(0),
                       [&](Value at, ValueRange next) -> SmallVector<Value> {
                         Value here = weight(from, at);
                         e.store(here, kept.weights, next[0]);
                         e.store(token(from, at), kept.tokens, next[0]);
                         Value isKept =
                             a.either(keepsAll, a.lessEqual(minP, here));
                         Value after = e.add(next[0], e.index(1));
                         return {a.select(isKept, after, next[0])};
                       })[0];
  Value isNone = arith::CmpIOp::create(e.builder, arith::CmpIPredicate::eq,
                                       count, e.index(0));
  e.ifThen(isNone, [&] {
    e.store(firstToken, kept.tokens, e.index(0));
    e.store(firstWeight, kept.weights, e.index(0));
  });
  kept.count = e.max(count, e.index(1));
  return kept;
}

Candidates Sampler::keepNucleus(const Candidates &from, Value topP) {
  Value enough = a.mul(topP, total(from));
  Value count =
      prefix(from, [&](Value sum) { return a.lessEqual(enough, sum); });
  Value isAsked = a.less(topP, e.f32(1));
  return {from.tokens, from.weights, a.select(isAsked, count, from.count)};
}

Value Sampler::draw(const Candidates &from, Value uniform) {
  Value target = a.mul(uniform, total(from));
  Value count = prefix(from, [&](Value sum) { return a.less(target, sum); });
  return token(from, e.sub(count, e.index(1)));
}

} // namespace

/// How many candidates top-k leaves of `count` (all indices).
static Value candidateCount(KernelEmitter &e, Value topK, Value count) {
  Value wanted = e.toIndex(topK);
  Value isAsked = arith::CmpIOp::create(e.builder, arith::CmpIPredicate::sgt,
                                        wanted, e.index(0));
  Value limited =
      arith::SelectOp::create(e.builder, isAsked, e.min(wanted, count), count);
  return e.min(limited, e.index(kMostCandidates));
}

/// The token of a row of logits, whose largest is known, at a temperature > 0.
Value Elements::drawToken(ir::SampleOp op, ValueRange row, Value count) {
  ir::Emit a(e.builder, e.builder.getLoc(), e.builder.getF32Type());
  Value temperature = element(op.getTemperature(), row, {});
  auto type = cast<RankedTensorType>(op.getLogits().getType());
  int64_t most = e.maxExtent(type, type.getRank() - 1);
  Value keys = e.scratch(most * 4);
  emitKeys(e, count, keys, [&](const Lanes &lanes) {
    return wholeRowElement(op.getLogits(), row, lanes);
  });
  Candidates all{e.scratch(kMostCandidates * 4), e.scratch(kMostCandidates * 4),
                 candidateCount(e, element(op.getTopK(), row, {}), count)};
  emitLargest(e, {keys, count, most}, all.count, kMostCandidates, all.tokens);

  auto scaled = [&](Value at) {
    Value token = e.load(all.tokens, e.builder.getI32Type(), at);
    Value logit = wholeRowElement(op.getLogits(), row,
                                  Lanes{1, Value(), e.toIndex(token)});
    return a.div(logit, temperature);
  };
  Value maximum = scaled(e.index(0));
  e.loop(e.index(0), all.count, 1, [&](Value at) {
    e.store(a.exp(a.sub(scaled(at), maximum)), all.weights, at);
  });
  Value seed = element(op.getSeed(), row, {});
  Value position = element(op.getPosition(), row, {});
  Value uniform = emitUniform(e.builder, emitPhilox(e.builder, seed, position));

  Sampler sampler(e);
  Candidates left = sampler.keepLikely(all, element(op.getMinP(), row, {}));
  left = sampler.keepNucleus(left, element(op.getTopP(), row, {}));
  return sampler.draw(left, uniform);
}

void Elements::prepareSample(ir::SampleOp op, ValueRange row) {
  if (find(op, Value(), row))
    return;
  Value logits = op.getLogits();
  Value count = prepareWholeRow(logits, row);
  for (Value operand : op->getOperands().drop_front())
    prepare(operand, row);
  Value least = e.f32(-std::numeric_limits<float>::infinity());
  Best best = emitArgmax(e, count, least, [&](const Lanes &lanes) {
    return wholeRowElement(logits, row, lanes);
  });
  e.emitFailure(best.hasNan, TENON_FAILURE_NAN, op, rowNumber(logits, row),
                e.index(0));
  ir::Emit a(e.builder, e.builder.getLoc(), e.builder.getF32Type());
  Value zero =
      arith::ConstantOp::create(e.builder, e.builder.getI32IntegerAttr(0));
  Value greedy = a.select(best.hasNan, zero, best.number);
  Value temperature = element(op.getTemperature(), row, {});
  Value isGreedy = a.either(best.hasNan, a.lessEqual(temperature, e.f32(0)));
  auto choice = scf::IfOp::create(e.builder, TypeRange{e.builder.getI32Type()},
                                  isGreedy, true);
  {
    OpBuilder::InsertionGuard guard(e.builder);
    e.builder.setInsertionPointToStart(choice.thenBlock());
    scf::YieldOp::create(e.builder, greedy);
    e.builder.setInsertionPointToStart(choice.elseBlock());
    Scope scope(*this);
    scf::YieldOp::create(e.builder, drawToken(op, row, count));
  }
  prepared.push_back({op, Value(), Index(row), {choice.getResult(0)}});
}

} // namespace tenon::codegen::cpu
