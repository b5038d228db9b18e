//===- AttentionNestGrad.cpp - What both gradients do with rows -----------===//

#include "codegen/cpu/AttentionNestGrad.h"
#include "codegen/cpu/AttentionNestRows.h"
#include "codegen/cpu/AttentionNestTile.h"

#include "ir/tn/Emit.h"
#include "tenon/abi.h"

namespace tenon::codegen::cpu {

using namespace mlir;

namespace {

constexpr int64_t kBlock = TENON_CACHE_BLOCK;
constexpr int64_t kChain = 512; // elements of a product's chain

/// Operands of both gradients: those after the values, if there are any.
enum Operand : unsigned { kQ = 0, kDy = 3, kLse, kDelta };

ir::Emit mathOf(KernelEmitter &e, Value like) {
  return ir::Emit(e.builder, e.builder.getLoc(), like.getType());
}

} // namespace

GradRows::GradRows(Elements &elements, const ir::AttentionShape &shape,
                   int64_t mostRows, int64_t groupRows)
    : elements(elements), e(elements.emitter()), shape(shape),
      groupRows(groupRows), lanes(e.vectorWidth()),
      rowPitch(std::max(columns(), valueColumns())),
      f32(e.builder.getF32Type()) {
  auto floats = [&](int64_t count) { return e.scratch(count * sizeof(float)); };
  q = floats(mostRows * rowPitch);
  dy = floats(mostRows * rowPitch);
  weights = floats(mostRows * kBlock);
  slopes = floats(mostRows * kBlock);
  lse = floats(mostRows);
  delta = floats(mostRows);
}

void GradRows::stage(Value row, Value token, Value head) {
  SmallVector<Value> leading{token, head};
  Value at = e.mul(row, rowPitch);
  stageRow(elements, shape.op->getOperand(kQ), leading, q, at);
  unsigned absent = shape.isLatent ? 1 : 0;
  stageRow(elements, shape.op->getOperand(kDy - absent), leading, dy, at);
  auto copy = [&](unsigned operand, Value scratch) {
    Elements::Scope scope(elements);
    Value x = shape.op->getOperand(operand - absent);
    elements.prepare(x, leading);
    e.store(elements.element(x, leading, Lanes{}), scratch, row);
  };
  copy(kLse, lse);
  copy(kDelta, delta);
}

/// Vectors beside each other in a register tile of `rows` rows: a power of two,
/// at most `most`, that leaves registers for what is multiplied.
int64_t GradRows::vectorsBeside(int64_t rows, int64_t most) const {
  int64_t registers = e.features() == base::CpuFeatures::V3 ? 12 : 24;
  int64_t vectors = 8;
  while (vectors > 1 && (vectors * rows > registers || vectors > most))
    vectors /= 2;
  return vectors;
}

//===----------------------------------------------------------------------===//
// Weights and slopes
//===----------------------------------------------------------------------===//

/// Products of elements [from, to) of the group's rows and `vectors` vectors of
/// keys: sums [rows][vectors].
SmallVector<Value> GradRows::chain(const Factors &factors, Value key,
                                   int64_t vectors, int64_t from, int64_t to) {
  SmallVector<Value> zeros(groupRows * vectors, e.splat(e.f32(0), lanes));
  auto body = [&](Value d, ValueRange carried) {
    SmallVector<Value> next(carried), keys;
    Value at = e.add(e.mul(d, kBlock), key);
    for (int64_t v = 0; v < vectors; ++v)
      keys.push_back(e.load(factors.columns, f32, e.add(at, e.index(v * lanes)),
                            Lanes{lanes}));
    for (int64_t row = 0; row < groupRows; ++row) {
      Value element =
          e.load(factors.rows, f32, e.add(d, e.index(row * rowPitch)));
      Value x = e.splat(element, lanes);
      for (int64_t v = 0; v < vectors; ++v) {
        Value &sum = next[row * vectors + v];
        sum = mathOf(e, sum).fma(x, keys[v], sum);
      }
    }
    return next;
  };
  return e.loop(e.index(from), e.index(to), 1, zeros, body);
}

/// out[row][key] of a group by the product rule.
void GradRows::emitProducts(const Factors &factors, Value out) {
  int64_t vectors = vectorsBeside(groupRows, kBlock / lanes);
  e.loop(e.index(0), e.index(kBlock), vectors * lanes, [&](Value key) {
    SmallVector<Value> total;
    for (int64_t from = 0; from < factors.width; from += kChain) {
      int64_t to = std::min(factors.width, from + kChain);
      SmallVector<Value> next = chain(factors, key, vectors, from, to);
      for (size_t i = 0; i < next.size() && from > 0; ++i)
        next[i] = mathOf(e, next[i]).add(total[i], next[i]);
      total = std::move(next);
    }
    for (auto [i, sum] : llvm::enumerate(total)) {
      int64_t row = i / vectors, lane = i % vectors * lanes;
      Value at = e.add(key, e.index(row * kBlock + lane));
      e.store(sum, out, at, Lanes{lanes});
    }
  });
}

/// Products of one row to its weights and slopes. What is out of range is
/// computed as well, and nobody reads it.
void GradRows::emitSlopes(Value row) {
  Value scale = e.splat(e.f32(static_cast<float>(shape.scale)), lanes);
  Value shift = e.splat(e.load(lse, f32, row), lanes);
  Value mean = e.splat(e.load(delta, f32, row), lanes);
  for (int64_t lane = 0; lane < kBlock; lane += lanes) {
    Value at = e.add(e.mul(row, kBlock), e.index(lane));
    Value product = e.load(weights, f32, at, Lanes{lanes});
    Value slope = e.load(slopes, f32, at, Lanes{lanes});
    ir::Emit emit = mathOf(e, product);
    Value p = emit.exp(emit.sub(emit.mul(product, scale), shift));
    e.store(p, weights, at, Lanes{lanes});
    e.store(emit.mul(p, emit.sub(slope, mean)), slopes, at, Lanes{lanes});
  }
}

void GradRows::emitGroup(Value first, Value keys, Value values) {
  Value at = e.mul(first, rowPitch), out = e.mul(first, kBlock);
  emitProducts({e.address(q, f32, at), keys, shape.width},
               e.address(weights, f32, out));
  emitProducts({e.address(dy, f32, at), values, shape.valueWidth},
               e.address(slopes, f32, out));
  e.loop(first, e.add(first, e.index(groupRows)), 1,
         [&](Value row) { emitSlopes(row); });
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

/// One multiply-add for each term in [from, to), for `vectors` vectors of the
/// outputs.
void GradRows::addTile(const Outputs &outputs, Value column, int64_t vectors,
                       Value from, Value to) {
  const WeightedSums &sums = outputs.sums;
  Value base =
      e.address(sums.sums, f32, e.add(e.mul(outputs.first, rowPitch), column));
  Value own =
      e.address(sums.weights, f32, e.mul(outputs.first, sums.outputStride));
  auto offset = [&](int64_t output, int64_t v) {
    return e.index(output * rowPitch + v * lanes);
  };
  SmallVector<Value> acc;
  for (int64_t output = 0; output < outputs.count; ++output)
    for (int64_t v = 0; v < vectors; ++v)
      acc.push_back(e.load(base, f32, offset(output, v), Lanes{lanes}));
  auto body = [&](Value term, ValueRange carried) {
    SmallVector<Value> next(carried), terms;
    Value at = e.add(e.mul(term, rowPitch), column);
    for (int64_t v = 0; v < vectors; ++v)
      terms.push_back(
          e.load(sums.terms, f32, e.add(at, e.index(v * lanes)), Lanes{lanes}));
    Value weightAt = e.mul(term, sums.termStride);
    for (int64_t output = 0; output < outputs.count; ++output) {
      Value weight = e.load(
          own, f32, e.add(weightAt, e.index(output * sums.outputStride)));
      Value each = e.splat(weight, lanes);
      for (int64_t v = 0; v < vectors; ++v) {
        Value &sum = next[output * vectors + v];
        sum = mathOf(e, sum).fma(each, terms[v], sum);
      }
    }
    return next;
  };
  acc = e.loop(from, to, 1, acc, body);
  for (auto [i, sum] : llvm::enumerate(acc))
    e.store(sum, base, offset(i / vectors, i % vectors), Lanes{lanes});
}

void GradRows::addColumns(const Outputs &outputs, Value from, Value to) {
  int64_t columns = outputs.sums.columns;
  int64_t vectors = vectorsBeside(outputs.count, columns / lanes);
  int64_t step = vectors * lanes, whole = columns / step * step;
  e.loop(e.index(0), e.index(whole), step,
         [&](Value column) { addTile(outputs, column, vectors, from, to); });
  if (whole < columns)
    addTile(outputs, e.index(whole), (columns - whole) / lanes, from, to);
}

// The terms that all outputs have share a register tile; those before and after
// them are added output by output. A weight of 0 would not do: 0 times infinity
// is not 0, and -0 + 0 is not -0.
void GradRows::addTerms(const WeightedSums &sums, int64_t count, Value first,
                        RangeOf rangeOf) {
  Value last = e.add(first, e.index(count - 1));
  auto [anyFrom, commonTo] = rangeOf(first);
  auto [commonFrom, anyTo] = rangeOf(last);
  commonTo = e.max(commonTo, commonFrom);
  auto ofEach = [&](bool isBefore) {
    e.loop(first, e.add(first, e.index(count)), 1, [&](Value output) {
      auto [from, to] = rangeOf(output);
      if (isBefore)
        to = e.min(to, commonFrom);
      else
        from = e.max(from, commonTo);
      Value isSome =
          arith::CmpIOp::create(e.builder, arith::CmpIPredicate::slt, from, to);
      e.ifThen(isSome, [&] { addColumns({sums, 1, output}, from, to); });
    });
  };
  auto isLess = [&](Value a, Value b) -> Value {
    return arith::CmpIOp::create(e.builder, arith::CmpIPredicate::slt, a, b);
  };
  e.ifThen(isLess(anyFrom, commonFrom), [&] { ofEach(/*isBefore=*/true); });
  e.ifThen(isLess(commonFrom, commonTo),
           [&] { addColumns({sums, count, first}, commonFrom, commonTo); });
  e.ifThen(isLess(commonTo, anyTo), [&] { ofEach(/*isBefore=*/false); });
}

void GradRows::clear(Value sums, Value rows) {
  Value zero = e.splat(e.f32(0), lanes);
  e.loop(e.index(0), e.mul(rows, rowPitch), lanes,
         [&](Value at) { e.store(zero, sums, at, Lanes{lanes}); });
}

void GradRows::mergeRow(Value segment, Value total, Value row, Value isFirst) {
  Value first = e.mul(row, rowPitch);
  e.loop(e.index(0), e.index(rowPitch), lanes, [&](Value column) {
    Value at = e.add(first, column);
    Value old = e.load(total, f32, at, Lanes{lanes});
    Value next = e.load(segment, f32, at, Lanes{lanes});
    ir::Emit emit = mathOf(e, next);
    e.store(emit.select(isFirst, next, emit.add(old, next)), total, at,
            Lanes{lanes});
  });
}

void GradRows::scaleRow(Value sums, Value row, double factor) {
  Value first = e.mul(row, rowPitch);
  Value scale = e.splat(e.f32(static_cast<float>(factor)), lanes);
  e.loop(e.index(0), e.index(columns()), lanes, [&](Value column) {
    Value at = e.add(first, column);
    Value sum = e.load(sums, f32, at, Lanes{lanes});
    e.store(mathOf(e, sum).mul(sum, scale), sums, at, Lanes{lanes});
  });
}

void GradRows::addLatent(Value values, Value keys, Value row) {
  Value first = e.mul(row, rowPitch);
  e.columns(e.index(shape.valueWidth), lanes, [&](const Lanes &run) {
    Value at = e.add(first, run.offset);
    Lanes access{run.width, run.mask};
    Value key = e.load(keys, f32, at, access);
    Value value = e.load(values, f32, at, access);
    e.store(mathOf(e, key).add(key, value), keys, at, access);
  });
}

void GradRows::storeRow(const Nest &nest, Value result, ValueRange leading,
                        Value sums, Value row) {
  std::optional<unsigned> number = yieldNumber(nest, result);
  if (!number)
    return;
  auto type = cast<RankedTensorType>(result.getType());
  Value pointer = e.resultPointer(nest, *number);
  SmallVector<Value> index(leading);
  index.push_back(e.index(0));
  Value first = e.mul(row, rowPitch);
  e.columns(e.index(type.getDimSize(2)), lanes, [&](const Lanes &run) {
    Value sum = e.load(sums, f32, e.add(first, run.offset), Lanes{lanes});
    elements.store(sum, type, pointer, index, run);
  });
}

} // namespace tenon::codegen::cpu
