//===- SelfAttentionReference.cpp - A training step's attention, defined --===//

#include "ir/tn/AttentionReference.h"
#include "ir/tn/AttentionShape.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::ir;
using namespace tenon::ir::ref;

namespace {

/// Whether a token begins a sequence, or follows the token before it in one.
bool isInOrder(const Batch &tokens, int64_t t) {
  if (tokens.position[t] == 0)
    return true;
  return t > 0 && tokens.sequence[t] == tokens.sequence[t - 1] &&
         int64_t(tokens.position[t]) == int64_t(tokens.position[t - 1]) + 1;
}

/// Whether every token is; notes the first one that is not.
bool expectOrder(Operation *op, const Batch &tokens, Context &context) {
  for (size_t t = 0; t < tokens.position.size(); ++t)
    if (!isInOrder(tokens, t)) {
      context.fail(TENON_FAILURE_ORDER, op->getName().getStringRef(), t,
                   tokens.position[t]);
      return false;
    }
  return true;
}

/// Queries, keys and values: v is k where that holds the values.
template <typename A> struct Rows {
  const Tensor<A> &q, &k, &v;

  Rows(const AttentionShape &shape, ArrayRef<ref::Value<A>> in)
      : q(tensor<A>(in[0])), k(tensor<A>(in[1])),
        v(tensor<A>(in[shape.isLatent ? 1 : 2])) {}
};

/// The query of a row (a token and a head), with what it attends to.
template <typename A>
Query<A> queryOf(const AttentionShape &shape, int64_t row, const Batch &tokens,
                 const Rows<A> &rows) {
  int64_t t = row / shape.heads, g = row % shape.heads / shape.group();
  int64_t position = tokens.position[t];
  Query<A> query{rows.q.floats.data() + row * shape.width,
                 A().constant(shape.scale), shape.width, shape.valueWidth};
  for (int64_t j = nextInRange(shape, position, 0); j <= position;
       j = nextInRange(shape, position, j + 1)) {
    int64_t key = (t - position + j) * shape.keyHeads + g;
    query.keys.push_back({j, rows.k.floats.data() + key * rows.k.columns(),
                          rows.v.floats.data() + key * rows.v.columns()});
  }
  return query;
}

template <typename A>
llvm::Error evaluateSelfAttention(SelfAttentionOp op, Context &context,
                                  ArrayRef<ref::Value<A>> in,
                                  SmallVectorImpl<ref::Value<A>> &out) {
  AttentionShape shape = *attentionShape(op);
  Rows<A> rows(shape, in);
  const Tensor<A> &q = rows.q;
  const Batch &tokens = batch<A>(in.back());
  if (llvm::Error error = expectTokens(q.shape[0], tokens))
    return error;
  Tensor<A> y =
      makeTensor<A>(q.element, {q.shape[0], q.shape[1], shape.valueWidth});
  Tensor<A> lse = makeTensor<A>(Float32Type::get(op.getContext()),
                                {q.shape[0], q.shape[1]});
  bool isOrdered = expectOrder(op, tokens, context);
  for (int64_t row = 0; isOrdered && row < lse.size(); ++row) {
    Query<A> query = queryOf<A>(shape, row, tokens, rows);
    if (query.hasNanScore())
      context.fail(TENON_FAILURE_NAN, "tn.self_attention", row / shape.heads,
                   0);
    Attended<A> result = attend(query);
    for (int64_t d = 0; d < shape.valueWidth; ++d)
      y.floats[row * shape.valueWidth + d] =
          rounded<A>(result.values[d], y.element);
    lse.floats[row] = result.logSum;
  }
  out.push_back(std::move(y));
  out.push_back(std::move(lse));
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// Gradients
//===----------------------------------------------------------------------===//

/// What a query and a key in its range contribute.
template <typename A> struct Pair {
  int64_t row, key; // of q: token * heads + head; of k: row * heads + head
  Float<A> p, ds;
};

/// The operands of a gradient, and the pairs of its rows.
template <typename A> struct Gradient {
  AttentionShape shape;
  Rows<A> rows;
  const Tensor<A> &dy, &lse, &delta;
  const Batch &tokens;

  std::vector<Pair<A>> pairsOf(int64_t row) const {
    Query<A> query = queryOf<A>(shape, row, tokens, rows);
    int64_t valueWidth = shape.valueWidth;
    std::vector<Pair<A>> pairs;
    for (const Key<A> &each : query.keys) {
      A a;
      auto p = a.exp(query.score(each) - lse.floats[row]);
      auto dp =
          query.product(&dy.floats[row * valueWidth], each.value, valueWidth);
      int64_t key = (each.key - rows.k.floats.data()) / shape.width;
      pairs.push_back({row, key, p, p * (dp - delta.floats[row])});
    }
    return pairs;
  }
};

template <typename A, typename OpT>
Gradient<A> gradientOf(OpT op, ArrayRef<ref::Value<A>> in) {
  AttentionShape shape = *attentionShape(op);
  size_t dy = shape.isLatent ? 2 : 3;
  return {shape,
          Rows<A>(shape, in),
          tensor<A>(in[dy]),
          tensor<A>(in[dy + 1]),
          tensor<A>(in[dy + 2]),
          batch<A>(in.back())};
}

/// Sums of `width` elements in segments of 512 positions.
template <typename A> struct SegmentedSum {
  int64_t segment = -1; // of the terms in `sum`; -1: none yet
  std::vector<Float<A>> sum, total;

  /// Adds factor * x for a term at a position; positions ascend.
  void add(int64_t position, Float<A> factor, ArrayRef<Float<A>> x) {
    if (segment >= 0 && segment != position / kKeySegment)
      close();
    segment = position / kKeySegment;
    sum.resize(x.size());
    for (size_t d = 0; d < x.size(); ++d)
      sum[d] = A().fma(factor, x[d], sum[d]);
  }
  /// Multiplies the sums of all segments.
  void finish(Float<A> factor) {
    close();
    for (Float<A> &each : total)
      each = each * factor;
  }
  void close() {
    if (total.empty())
      total = sum;
    else
      for (size_t d = 0; d < sum.size(); ++d)
        total[d] = total[d] + sum[d];
    llvm::fill(sum, Float<A>(0));
  }
};

/// Writes the sums to row `row` of y.
template <typename A>
void storeRow(ArrayRef<Float<A>> sums, Tensor<A> &y, int64_t row) {
  for (size_t d = 0; d < sums.size(); ++d)
    y.floats[row * sums.size() + d] = rounded<A>(sums[d], y.element);
}

template <typename A>
ArrayRef<Float<A>> rowOf(const Tensor<A> &x, int64_t row) {
  return ArrayRef(x.floats).slice(row * x.columns(), x.columns());
}

template <typename A>
llvm::Error evaluateGradQuery(SelfAttentionGradQueryOp op, Context &context,
                              ArrayRef<ref::Value<A>> in,
                              SmallVectorImpl<ref::Value<A>> &out) {
  Gradient<A> gradient = gradientOf<A>(op, in);
  if (llvm::Error error =
          expectTokens(gradient.rows.q.shape[0], gradient.tokens))
    return error;
  Tensor<A> dq = makeTensor<A>(gradient.rows.q.element, gradient.rows.q.shape);
  bool isOrdered = expectOrder(op, gradient.tokens, context);
  auto scale = A().constant(gradient.shape.scale);
  for (int64_t row = 0; isOrdered && row < gradient.lse.size(); ++row) {
    SegmentedSum<A> sum;
    int64_t t = row / gradient.shape.heads;
    for (const Pair<A> &pair : gradient.pairsOf(row)) {
      int64_t behind = t - pair.key / gradient.shape.keyHeads;
      sum.add(gradient.tokens.position[t] - behind, pair.ds,
              rowOf(gradient.rows.k, pair.key));
    }
    sum.finish(scale);
    storeRow<A>(sum.total, dq, row);
  }
  out.push_back(std::move(dq));
  return llvm::Error::success();
}

template <typename A>
llvm::Error evaluateGradKeys(SelfAttentionGradKeysOp op, Context &context,
                             ArrayRef<ref::Value<A>> in,
                             SmallVectorImpl<ref::Value<A>> &out) {
  Gradient<A> gradient = gradientOf<A>(op, in);
  if (llvm::Error error =
          expectTokens(gradient.rows.q.shape[0], gradient.tokens))
    return error;
  Tensor<A> dk = makeTensor<A>(gradient.rows.k.element, gradient.rows.k.shape);
  std::optional<Tensor<A>> dv; // dk has it where there is none
  if (!op.isLatent())
    dv = makeTensor<A>(gradient.rows.v.element, gradient.rows.v.shape);
  bool isOrdered = expectOrder(op, gradient.tokens, context);
  std::vector<SegmentedSum<A>> keys(dk.rows()), values(dk.rows());
  // Rows of q ascend by token, then by head, so each sum's terms do.
  for (int64_t row = 0; isOrdered && row < gradient.lse.size(); ++row)
    for (const Pair<A> &pair : gradient.pairsOf(row)) {
      int64_t position = gradient.tokens.position[row / gradient.shape.heads];
      keys[pair.key].add(position, pair.ds, rowOf(gradient.rows.q, row));
      values[pair.key].add(position, pair.p, rowOf(gradient.dy, row));
    }
  auto scale = A().constant(gradient.shape.scale);
  for (int64_t key = 0; isOrdered && key < dk.rows(); ++key) {
    keys[key].finish(scale);
    values[key].finish(A().constant(1));
    ArrayRef<Float<A>> ofValues = values[key].total;
    if (dv)
      storeRow<A>(ofValues, *dv, key);
    for (size_t d = 0; !dv && d < ofValues.size(); ++d)
      keys[key].total[d] = keys[key].total[d] + ofValues[d];
    storeRow<A>(keys[key].total, dk, key);
  }
  out.push_back(std::move(dk));
  if (dv)
    out.push_back(std::move(*dv));
  return llvm::Error::success();
}

} // namespace

TN_EVALUATE(SelfAttentionOp, evaluateSelfAttention)
TN_EVALUATE(SelfAttentionGradQueryOp, evaluateGradQuery)
TN_EVALUATE(SelfAttentionGradKeysOp, evaluateGradKeys)
