//===- Sampling.cpp - Choosing elements of a row --------------------------===//

#include "ir/reference/Evaluate.h"
#include "ir/tn/Verify.h"

#include "tenon/abi.h"

#include <numeric>

using namespace mlir;
using namespace tenon::ir;
using namespace tenon::ir::ref;

//===----------------------------------------------------------------------===//
// Verifiers
//===----------------------------------------------------------------------===//

/// `type` without its last axis.
static RankedTensorType withoutLast(RankedTensorType type) {
  return takeAxes(type,
                  llvm::to_vector(llvm::seq<int64_t>(0, type.getRank() - 1)));
}

LogicalResult TopKOp::verify() {
  RankedTensorType x = tensorType(getX());
  int64_t k = getK();
  if (x.getRank() < 1 || x.isDynamicDim(x.getRank() - 1) || k < 1 ||
      k > x.getShape().back()) // C1
    return emitOpError("expects x with a static last axis and k from 1 to its "
                       "extent, got k ")
           << k << " of " << x;
  SmallVector<int64_t> shape(x.getShape());
  SmallVector<StringRef> symbols;
  for (int64_t axis = 0; axis < x.getRank(); ++axis)
    symbols.push_back(symbolOf(x, axis));
  shape.back() = k;
  RankedTensorType values = tensorOf(shape, symbols, x.getElementType());
  if (failed(expectType(*this, "values", values, getValues().getType())))
    return failure(); // C2
  Type i32 = IntegerType::get(getContext(), 32);
  return expectType(*this, "indices", withElement(values, i32),
                    getIndices().getType());
}

LogicalResult ArgmaxOp::verify() {
  RankedTensorType x = tensorType(getX());
  if (x.getRank() < 1) // C1
    return emitOpError("expects x of rank >= 1, got ") << x;
  Type i32 = IntegerType::get(getContext(), 32);
  return expectType(*this, "y", withElement(withoutLast(x), i32),
                    getY().getType()); // C2
}

LogicalResult RandomOp::verify() {
  RankedTensorType seed = tensorType(getSeed());
  if (failed(expectRank(*this, "seed", 1, seed))) // C1
    return failure();
  Type i32 = IntegerType::get(getContext(), 32);
  Type f32 = Float32Type::get(getContext());
  if (failed(expectType(*this, "position", withElement(seed, i32),
                        getPosition().getType())))
    return failure();
  return expectType(*this, "y", withElement(seed, f32), getY().getType());
}

LogicalResult SampleOp::verify() {
  RankedTensorType logits = tensorType(getLogits());
  Type f32 = Float32Type::get(getContext());
  if (logits.getRank() != 2 || logits.getElementType() != f32) // C1
    return emitOpError("expects logits of shape [R, V] of f32, got ") << logits;
  RankedTensorType row = withoutLast(logits);
  auto numbers = withElement(row, IntegerType::get(getContext(), 32));
  auto seeds = withElement(row, IntegerType::get(getContext(), 64));
  std::pair<StringRef, std::pair<Type, Type>> rows[] = {
      {"temperature", {row, getTemperature().getType()}},
      {"top_k", {numbers, getTopK().getType()}},
      {"top_p", {row, getTopP().getType()}},
      {"min_p", {row, getMinP().getType()}},
      {"seed", {seeds, getSeed().getType()}},
      {"position", {numbers, getPosition().getType()}},
      {"y", {numbers, getY().getType()}}}; // C2
  for (const auto &[name, types] : rows)
    if (failed(expectType(*this, name, types.first, types.second)))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// Definitions
//===----------------------------------------------------------------------===//

namespace {

/// At most so many candidates are sampled from.
constexpr int64_t kMostCandidates = 1024;

/// The indices of a row, largest element first, equal ones by index.
template <typename A> std::vector<int64_t> descending(ArrayRef<Float<A>> row) {
  std::vector<int64_t> order(row.size());
  std::iota(order.begin(), order.end(), 0);
  llvm::stable_sort(order,
                    [&](int64_t i, int64_t j) { return row[i] > row[j]; });
  return order;
}

/// Notes a failure of the step if the row has a NaN.
template <typename A>
bool failOnNan(Context &context, StringRef op, int64_t number,
               ArrayRef<Float<A>> row) {
  if (llvm::none_of(row, [](Float<A> x) { return x != x; }))
    return false;
  context.fail(TENON_FAILURE_NAN, op, number, 0);
  return true;
}

template <typename A> ArrayRef<Float<A>> rowOf(const Tensor<A> &x, int64_t r) {
  return ArrayRef<Float<A>>(x.floats).slice(r * x.columns(), x.columns());
}

template <typename A>
llvm::Error evaluateTopK(TopKOp op, Context &context,
                         ArrayRef<ref::Value<A>> in,
                         SmallVectorImpl<ref::Value<A>> &out) {
  const Tensor<A> &x = tensor<A>(in[0]);
  SmallVector<int64_t, 4> shape = x.shape;
  shape.back() = op.getK();
  Tensor<A> values = makeTensor<A>(x.element, shape);
  Tensor<A> indices =
      makeTensor<A>(IntegerType::get(op.getContext(), 32), shape);
  for (int64_t r = 0; r < x.rows(); ++r) {
    if (failOnNan<A>(context, "tn.top_k", r, rowOf(x, r)))
      continue;
    std::vector<int64_t> order = descending<A>(rowOf(x, r));
    for (int64_t i = 0; i < shape.back(); ++i) {
      values.floats[r * shape.back() + i] = rowOf(x, r)[order[i]];
      indices.ints[r * shape.back() + i] = order[i];
    }
  }
  out.push_back(std::move(values));
  out.push_back(std::move(indices));
  return llvm::Error::success();
}

template <typename A>
llvm::Error evaluateArgmax(ArgmaxOp op, Context &context,
                           ArrayRef<ref::Value<A>> in,
                           SmallVectorImpl<ref::Value<A>> &out) {
  const Tensor<A> &x = tensor<A>(in[0]);
  Tensor<A> y = makeTensor<A>(IntegerType::get(op.getContext(), 32),
                              ArrayRef<int64_t>(x.shape).drop_back());
  for (int64_t r = 0; r < x.rows(); ++r) {
    ArrayRef<Float<A>> row = rowOf(x, r);
    if (!failOnNan<A>(context, "tn.argmax", r, row))
      y.ints[r] = std::max_element(row.begin(), row.end()) - row.begin();
  }
  out.push_back(std::move(y));
  return llvm::Error::success();
}

/// The first word of Philox-4x32-10 with counter (position, 0, 0, 0).
uint32_t philox(uint64_t seed, uint32_t position) {
  uint32_t counter[4] = {position, 0, 0, 0};
  uint32_t key[2] = {uint32_t(seed), uint32_t(seed >> 32)};
  for (int round = 0; round < 10; ++round) {
    uint64_t a = uint64_t(0xD2511F53) * counter[0];
    uint64_t b = uint64_t(0xCD9E8D57) * counter[2];
    uint32_t next[4] = {uint32_t(b >> 32) ^ counter[1] ^ key[0], uint32_t(b),
                        uint32_t(a >> 32) ^ counter[3] ^ key[1], uint32_t(a)};
    std::copy(next, next + 4, counter);
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter[0];
}

/// Exact in both arithmetics.
template <typename A> Float<A> uniform(int64_t seed, int64_t position) {
  uint32_t word = philox(uint64_t(seed), uint32_t(position));
  return Float<A>(word >> 8) * Float<A>(0x1p-24);
}

template <typename A>
llvm::Error evaluateRandom(RandomOp op, Context &, ArrayRef<ref::Value<A>> in,
                           SmallVectorImpl<ref::Value<A>> &out) {
  const Tensor<A> &seed = tensor<A>(in[0]), &position = tensor<A>(in[1]);
  Tensor<A> y = makeTensor<A>(Float32Type::get(op.getContext()), seed.shape);
  for (int64_t r = 0; r < y.size(); ++r)
    y.floats[r] = uniform<A>(seed.ints[r], position.ints[r]);
  out.push_back(std::move(y));
  return llvm::Error::success();
}

/// How one row is sampled.
template <typename A> struct Sampler {
  Float<A> temperature, topP, minP, uniform;
  int64_t topK;
};

/// A token that may be drawn, and its weight.
template <typename A> struct Candidate {
  int64_t token;
  Float<A> weight;
};
template <typename A> using Candidates = std::vector<Candidate<A>>;

/// The candidates top-k leaves, largest logit first.
template <typename A>
Candidates<A> weigh(const Sampler<A> &sampler, ArrayRef<Float<A>> logits) {
  std::vector<int64_t> order = descending<A>(logits);
  int64_t count = logits.size();
  if (sampler.topK > 0)
    count = std::min(count, sampler.topK);
  order.resize(std::min(count, kMostCandidates));
  A a;
  Candidates<A> candidates;
  Float<A> maximum = logits[order[0]] / sampler.temperature;
  for (int64_t token : order)
    candidates.push_back(
        {token, a.exp(logits[token] / sampler.temperature - maximum)});
  return candidates;
}

/// The number of candidates whose ascending running sum first satisfies
/// `reached`; all of them if none does.
template <typename A, typename Reached>
size_t prefix(const Candidates<A> &candidates, Reached reached) {
  Float<A> sum = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    sum = sum + candidates[i].weight;
    if (reached(sum))
      return i + 1;
  }
  return candidates.size();
}

template <typename A> Float<A> total(const Candidates<A> &candidates) {
  Float<A> sum = 0;
  for (const Candidate<A> &candidate : candidates)
    sum = sum + candidate.weight;
  return sum;
}

template <typename A>
int64_t draw(const Sampler<A> &sampler, ArrayRef<Float<A>> logits) {
  if (sampler.temperature <= 0)
    return std::max_element(logits.begin(), logits.end()) - logits.begin();
  Candidates<A> candidates = weigh(sampler, logits);
  Candidate<A> first = candidates.front();
  if (sampler.minP > 0)
    llvm::erase_if(candidates, [&](const Candidate<A> &candidate) {
      return !(candidate.weight >= sampler.minP);
    });
  if (candidates.empty())
    candidates.push_back(first);
  if (sampler.topP < 1) {
    Float<A> enough = sampler.topP * total(candidates);
    candidates.resize(
        prefix<A>(candidates, [&](Float<A> sum) { return sum >= enough; }));
  }
  Float<A> target = sampler.uniform * total(candidates);
  size_t count =
      prefix<A>(candidates, [&](Float<A> sum) { return sum > target; });
  return candidates[count - 1].token;
}

template <typename A>
llvm::Error evaluateSample(SampleOp op, Context &context,
                           ArrayRef<ref::Value<A>> in,
                           SmallVectorImpl<ref::Value<A>> &out) {
  const Tensor<A> &logits = tensor<A>(in[0]);
  int64_t rows = logits.shape[0];
  if (logits.columns() == 0)
    return evaluationError("expects at least one logit in a row");
  Tensor<A> y = makeTensor<A>(IntegerType::get(op.getContext(), 32), {rows});
  for (int64_t r = 0; r < rows; ++r) {
    if (failOnNan<A>(context, "tn.sample", r, rowOf(logits, r)))
      continue;
    Sampler<A> sampler{
        tensor<A>(in[1]).floats[r], tensor<A>(in[3]).floats[r],
        tensor<A>(in[4]).floats[r],
        uniform<A>(tensor<A>(in[5]).ints[r], tensor<A>(in[6]).ints[r]),
        tensor<A>(in[2]).ints[r]};
    y.ints[r] = draw<A>(sampler, rowOf(logits, r));
  }
  out.push_back(std::move(y));
  return llvm::Error::success();
}

} // namespace

TN_EVALUATE(TopKOp, evaluateTopK)
TN_EVALUATE(ArgmaxOp, evaluateArgmax)
TN_EVALUATE(RandomOp, evaluateRandom)
TN_EVALUATE(SampleOp, evaluateSample)
