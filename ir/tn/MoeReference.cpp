//===- MoeReference.cpp - Mixture of experts: definitions -----------------===//

#include "ir/reference/Evaluate.h"
#include "ir/reference/Reduction.h"
#include "ir/tn/ElementMath.h"
#include "ir/tn/Verify.h"

#include "tenon/abi.h"

#include <limits>
#include <numeric>

using namespace mlir;
using namespace tenon::ir;
using namespace tenon::ir::ref;

namespace {

/// NaN counts as -infinity.
template <typename F> F ordered(F x) {
  return x == x ? x : -std::numeric_limits<F>::infinity();
}

/// The `count` largest of those `isOpen`, largest first, equal ones by index.
template <typename F>
std::vector<int64_t> largest(ArrayRef<F> x, const std::vector<bool> &isOpen,
                             int64_t count) {
  std::vector<int64_t> order;
  for (size_t i = 0; i < x.size(); ++i)
    if (isOpen[i])
      order.push_back(i);
  llvm::stable_sort(order, [&](int64_t i, int64_t j) {
    return ordered(x[i]) > ordered(x[j]);
  });
  order.resize(count);
  return order;
}

/// Which experts are of the groups that are kept.
template <typename A>
std::vector<bool> openExperts(MoeRouteOp op, ArrayRef<Float<A>> choice) {
  A a;
  int64_t groups = op.getGroups(), each = choice.size() / groups;
  std::vector<Float<A>> scores;
  for (int64_t g = 0; g < groups; ++g) {
    ArrayRef<Float<A>> group = choice.slice(g * each, each);
    std::vector<bool> all(each, true);
    std::vector<int64_t> best =
        largest<Float<A>>(group, all, op.getTop2() ? 2 : 1);
    Float<A> score = ordered(group[best[0]]);
    if (op.getTop2())
      score = a.add(score, ordered(group[best[1]]));
    scores.push_back(score);
  }
  std::vector<bool> isOpen(choice.size()), all(groups, true);
  for (int64_t g : largest<Float<A>>(scores, all, op.getKeptGroups()))
    std::fill_n(isOpen.begin() + g * each, each, true);
  return isOpen;
}

/// The scores of a row of logits; those of tn.softmax or tn.sigmoid.
template <typename A>
std::vector<Float<A>> scoresOf(Scoring scoring, ArrayRef<Float<A>> logits) {
  A a;
  std::vector<Float<A>> scores;
  if (scoring == Scoring::Sigmoid) {
    for (Float<A> x : logits)
      scores.push_back(sigmoid(a, x));
    return scores;
  }
  Float<A> most = -std::numeric_limits<Float<A>>::infinity();
  for (Float<A> x : logits)
    most = maximum(a, x, most);
  if (most == -std::numeric_limits<Float<A>>::infinity())
    most = 0;
  for (Float<A> x : logits)
    scores.push_back(a.exp(a.sub(x, most)));
  Float<A> sum = sumRow(a, scores.size(), [&](int64_t e) { return scores[e]; });
  if (sum == 0)
    sum = 1;
  for (Float<A> &x : scores)
    x = a.div(x, sum);
  return scores;
}

template <typename A, typename Op>
void normalize(Op op, MutableArrayRef<Float<A>> weights) {
  A a;
  if (op.getNormalize()) {
    Float<A> sum = weights[0];
    for (Float<A> weight : weights.drop_front())
      sum = a.add(sum, weight);
    sum = a.add(sum, a.constant(1e-20));
    for (Float<A> &weight : weights)
      weight = a.div(weight, sum);
  }
  for (Float<A> &weight : weights)
    weight = a.mul(weight, a.constant(op.getScale().convertToDouble()));
}

/// The scores of token t, whose logits may hold no NaN.
template <typename A, typename Op>
std::vector<Float<A>> scoresOf(Op op, Context &context, const Tensor<A> &logits,
                               int64_t t) {
  int64_t experts = logits.shape[1];
  auto row = ArrayRef<Float<A>>(logits.floats).slice(t * experts, experts);
  if (llvm::any_of(row, [](Float<A> x) { return x != x; }))
    context.fail(TENON_FAILURE_NAN, op->getName().getStringRef(), t, 0);
  return scoresOf<A>(op.getScoring(), row);
}

template <typename A>
llvm::Error evaluateRoute(MoeRouteOp op, Context &context,
                          ArrayRef<ref::Value<A>> in,
                          SmallVectorImpl<ref::Value<A>> &out) {
  const Tensor<A> &logits = tensor<A>(in[0]);
  A a;
  int64_t k = op.getK(), tokens = logits.shape[0], experts = logits.shape[1];
  Tensor<A> weights = makeTensor<A>(logits.element, {tokens, k});
  Tensor<A> chosen =
      makeTensor<A>(IntegerType::get(op.getContext(), 32), {tokens, k});
  for (int64_t t = 0; t < tokens; ++t) {
    std::vector<Float<A>> scores = scoresOf<A>(op, context, logits, t);
    std::vector<Float<A>> choice = scores;
    if (op.getBias())
      for (int64_t e = 0; e < experts; ++e)
        choice[e] = a.add(choice[e], tensor<A>(in[1]).floats[e]);
    std::vector<int64_t> best =
        largest<Float<A>>(choice, openExperts<A>(op, choice), k);
    for (int64_t i = 0; i < k; ++i) {
      chosen.ints[t * k + i] = best[i];
      weights.floats[t * k + i] = scores[best[i]];
    }
    normalize<A>(op, MutableArrayRef<Float<A>>(weights.floats).slice(t * k, k));
  }
  out.push_back(std::move(weights));
  out.push_back(std::move(chosen));
  return llvm::Error::success();
}

template <typename A>
llvm::Error evaluateWeigh(MoeWeighOp op, Context &context,
                          ArrayRef<ref::Value<A>> in,
                          SmallVectorImpl<ref::Value<A>> &out) {
  const Tensor<A> &logits = tensor<A>(in[0]), &experts = tensor<A>(in[1]);
  int64_t tokens = experts.shape[0], k = experts.shape[1];
  Tensor<A> weights = makeTensor<A>(logits.element, experts.shape);
  for (int64_t t = 0; t < tokens; ++t) {
    std::vector<Float<A>> scores = scoresOf<A>(op, context, logits, t);
    for (int64_t p = t * k; p < (t + 1) * k; ++p) {
      int64_t expert = experts.ints[p];
      bool isOne = expert >= 0 && expert < std::ssize(scores);
      if (!isOne)
        context.fail(TENON_FAILURE_INDEX, "tn.moe_weigh", t, expert);
      weights.floats[p] = scores[isOne ? expert : 0];
    }
    normalize<A>(op, MutableArrayRef<Float<A>>(weights.floats).slice(t * k, k));
  }
  out.push_back(std::move(weights));
  return llvm::Error::success();
}

template <typename A>
llvm::Error evaluateDispatch(MoeDispatchOp op, Context &context,
                             ArrayRef<ref::Value<A>> in,
                             SmallVectorImpl<ref::Value<A>> &out) {
  Tensor<A> experts = tensor<A>(in[0]);
  int64_t count = op.getCount();
  for (int64_t i = 0; i < experts.size(); ++i) {
    if (experts.ints[i] >= 0 && experts.ints[i] < count)
      continue;
    context.fail(TENON_FAILURE_INDEX, "tn.moe_dispatch", i / experts.shape[1],
                 experts.ints[i]);
    experts.ints[i] = 0;
  }
  Tensor<A> order = makeTensor<A>(experts.element, experts.shape);
  Tensor<A> places = order;
  Tensor<A> offsets = makeTensor<A>(experts.element, {count + 1});
  std::iota(order.ints.begin(), order.ints.end(), 0);
  llvm::stable_sort(order.ints, [&](int64_t i, int64_t j) {
    return experts.ints[i] < experts.ints[j];
  });
  for (int64_t p = 0; p < order.size(); ++p) {
    places.ints[order.ints[p]] = p;
    ++offsets.ints[experts.ints[p] + 1];
  }
  std::partial_sum(offsets.ints.begin(), offsets.ints.end(),
                   offsets.ints.begin());
  out.push_back(std::move(order));
  out.push_back(std::move(places));
  out.push_back(std::move(offsets));
  return llvm::Error::success();
}

/// Number i of the index; 0, and a failure of the step, if it is outside.
template <typename A>
int64_t numberAt(Context &context, StringRef op, const Tensor<A> &index,
                 int64_t i) {
  int64_t number = index.ints[i];
  if (number >= 0 && number < index.size())
    return number;
  context.fail(TENON_FAILURE_INDEX, op, i, number);
  return 0;
}

template <typename A>
llvm::Error evaluateMoeGather(MoeGatherOp op, Context &context,
                              ArrayRef<ref::Value<A>> in,
                              SmallVectorImpl<ref::Value<A>> &out) {
  const Tensor<A> &x = tensor<A>(in[0]), &index = tensor<A>(in[1]);
  int64_t width = x.columns(), k = index.columns();
  Tensor<A> y = makeTensor<A>(x.element, {index.shape[0], k, width});
  for (int64_t p = 0; p < index.size(); ++p) {
    int64_t row = numberAt(context, "tn.moe_gather", index, p);
    if (op.readsTokens())
      row /= k;
    for (int64_t d = 0; d < width; ++d)
      y.floats[p * width + d] = x.floats[row * width + d];
  }
  out.push_back(std::move(y));
  return llvm::Error::success();
}

template <typename A>
llvm::Error evaluateCombine(MoeCombineOp, Context &context,
                            ArrayRef<ref::Value<A>> in,
                            SmallVectorImpl<ref::Value<A>> &out) {
  const Tensor<A> &rows = tensor<A>(in[0]), &places = tensor<A>(in[1]);
  const Tensor<A> &weights = tensor<A>(in[2]);
  A a;
  int64_t tokens = places.shape[0], k = places.shape[1], width = rows.shape[2];
  Tensor<A> y = makeTensor<A>(rows.element, {tokens, width});
  for (int64_t t = 0; t < tokens; ++t) {
    std::vector<int64_t> from;
    for (int64_t i = t * k; i < (t + 1) * k; ++i)
      from.push_back(numberAt(context, "tn.moe_combine", places, i) * width);
    for (int64_t d = 0; d < width; ++d)
      y.floats[t * width + d] = rounded<A>(
          sumProducts(
              a, k, [&](int64_t i) { return weights.floats[t * k + i]; },
              [&](int64_t i) { return rows.floats[from[i] + d]; }),
          y.element);
  }
  out.push_back(std::move(y));
  return llvm::Error::success();
}

} // namespace

TN_EVALUATE(MoeRouteOp, evaluateRoute)
TN_EVALUATE(MoeWeighOp, evaluateWeigh)
TN_EVALUATE(MoeDispatchOp, evaluateDispatch)
TN_EVALUATE(MoeGatherOp, evaluateMoeGather)
TN_EVALUATE(MoeCombineOp, evaluateCombine)
