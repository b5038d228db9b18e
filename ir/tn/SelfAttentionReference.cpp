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

/// The query of a row (a token and a head), with what it attends to.
template <typename A>
Query<A> queryOf(const AttentionShape &shape, int64_t row, const Batch &tokens,
                 const Tensor<A> &q, const Tensor<A> &k, const Tensor<A> &v) {
  int64_t t = row / shape.heads, g = row % shape.heads / shape.group();
  int64_t to = int64_t(tokens.position[t]) + 1, width = shape.width;
  Query<A> query{q.floats.data() + row * width,
                 A().constant(shape.scale),
                 width,
                 firstInRange(to, shape.window),
                 to,
                 {},
                 {}};
  for (int64_t j = query.from; j < to; ++j) {
    int64_t key = ((t - to + 1 + j) * shape.keyHeads + g) * width;
    query.keys.push_back(k.floats.data() + key);
    query.values.push_back(v.floats.data() + key);
  }
  return query;
}

template <typename A>
llvm::Error evaluateSelfAttention(SelfAttentionOp op, Context &context,
                                  ArrayRef<ref::Value<A>> in,
                                  SmallVectorImpl<ref::Value<A>> &out) {
  const Tensor<A> &q = tensor<A>(in[0]);
  const Batch &tokens = batch<A>(in[3]);
  if (llvm::Error error = expectTokens(q.shape[0], tokens))
    return error;
  AttentionShape shape = *attentionShape(op);
  Tensor<A> y = makeTensor<A>(q.element, q.shape);
  Tensor<A> lse = makeTensor<A>(Float32Type::get(op.getContext()),
                                {q.shape[0], q.shape[1]});
  bool isOrdered = expectOrder(op, tokens, context);
  for (int64_t row = 0; isOrdered && row < lse.size(); ++row) {
    Query<A> query =
        queryOf<A>(shape, row, tokens, q, tensor<A>(in[1]), tensor<A>(in[2]));
    if (query.hasNanScore())
      context.fail(TENON_FAILURE_NAN, "tn.self_attention", row / shape.heads,
                   0);
    Attended<A> result = attend(query);
    for (int64_t d = 0; d < shape.width; ++d)
      y.floats[row * shape.width + d] = rounded<A>(result.values[d], y.element);
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
  const Tensor<A> &q, &k, &v, &dy, &lse, &delta;
  const Batch &tokens;

  std::vector<Pair<A>> pairsOf(int64_t row) const {
    Query<A> query = queryOf<A>(shape, row, tokens, q, k, v);
    std::vector<Pair<A>> pairs;
    for (int64_t j = query.from; j < query.to; ++j) {
      A a;
      size_t i = j - query.from;
      auto p = a.exp(query.score(j) - lse.floats[row]);
      auto dp = query.product(&dy.floats[row * shape.width], query.values[i]);
      int64_t key = (query.keys[i] - k.floats.data()) / shape.width;
      pairs.push_back({row, key, p, p * (dp - delta.floats[row])});
    }
    return pairs;
  }
};

template <typename A, typename OpT>
Gradient<A> gradientOf(OpT op, ArrayRef<ref::Value<A>> in) {
  return {*attentionShape(op), tensor<A>(in[0]), tensor<A>(in[1]),
          tensor<A>(in[2]),    tensor<A>(in[3]), tensor<A>(in[4]),
          tensor<A>(in[5]),    batch<A>(in[6])};
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
  void close() {
    if (total.empty())
      total = sum;
    else
      for (size_t d = 0; d < sum.size(); ++d)
        total[d] = total[d] + sum[d];
    llvm::fill(sum, Float<A>(0));
  }
};

/// Writes factor * (what was summed) to row `row` of y.
template <typename A>
void storeSum(SegmentedSum<A> &sum, Float<A> factor, Tensor<A> &y,
              int64_t row) {
  sum.close();
  for (size_t d = 0; d < sum.total.size(); ++d)
    y.floats[row * sum.total.size() + d] =
        rounded<A>(sum.total[d] * factor, y.element);
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
  if (llvm::Error error = expectTokens(gradient.q.shape[0], gradient.tokens))
    return error;
  Tensor<A> dq = makeTensor<A>(gradient.q.element, gradient.q.shape);
  bool isOrdered = expectOrder(op, gradient.tokens, context);
  auto scale = A().constant(gradient.shape.scale);
  for (int64_t row = 0; isOrdered && row < gradient.lse.size(); ++row) {
    SegmentedSum<A> sum;
    int64_t t = row / gradient.shape.heads;
    for (const Pair<A> &pair : gradient.pairsOf(row)) {
      int64_t behind = t - pair.key / gradient.shape.keyHeads;
      sum.add(gradient.tokens.position[t] - behind, pair.ds,
              rowOf(gradient.k, pair.key));
    }
    storeSum(sum, scale, dq, row);
  }
  out.push_back(std::move(dq));
  return llvm::Error::success();
}

template <typename A>
llvm::Error evaluateGradKeys(SelfAttentionGradKeysOp op, Context &context,
                             ArrayRef<ref::Value<A>> in,
                             SmallVectorImpl<ref::Value<A>> &out) {
  Gradient<A> gradient = gradientOf<A>(op, in);
  if (llvm::Error error = expectTokens(gradient.q.shape[0], gradient.tokens))
    return error;
  Tensor<A> dk = makeTensor<A>(gradient.k.element, gradient.k.shape);
  Tensor<A> dv = makeTensor<A>(gradient.v.element, gradient.v.shape);
  bool isOrdered = expectOrder(op, gradient.tokens, context);
  std::vector<SegmentedSum<A>> keys(dk.rows()), values(dk.rows());
  // Rows of q ascend by token, then by head, so each sum's terms do.
  for (int64_t row = 0; isOrdered && row < gradient.lse.size(); ++row)
    for (const Pair<A> &pair : gradient.pairsOf(row)) {
      int64_t position = gradient.tokens.position[row / gradient.shape.heads];
      keys[pair.key].add(position, pair.ds, rowOf(gradient.q, row));
      values[pair.key].add(position, pair.p, rowOf(gradient.dy, row));
    }
  auto scale = A().constant(gradient.shape.scale);
  for (int64_t key = 0; isOrdered && key < dk.rows(); ++key) {
    storeSum(keys[key], scale, dk, key);
    storeSum(values[key], A().constant(1), dv, key);
  }
  out.push_back(std::move(dk));
  out.push_back(std::move(dv));
  return llvm::Error::success();
}

} // namespace

TN_EVALUATE(SelfAttentionOp, evaluateSelfAttention)
TN_EVALUATE(SelfAttentionGradQueryOp, evaluateGradQuery)
TN_EVALUATE(SelfAttentionGradKeysOp, evaluateGradKeys)
