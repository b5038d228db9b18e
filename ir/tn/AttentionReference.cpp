//===- AttentionReference.cpp - Rotary positions, attention: definitions --===//

#include "ir/tn/AttentionReference.h"
#include "ir/reference/Storage.h"
#include "ir/tn/Verify.h"

#include <limits>

using namespace mlir;
using namespace tenon;
using namespace tenon::ir;
using namespace tenon::ir::ref;

llvm::Error ref::expectTokens(int64_t tokens, const Batch &batch) {
  if (int64_t(batch.sequence.size()) == tokens &&
      int64_t(batch.position.size()) == tokens)
    return llvm::Error::success();
  return evaluationError("expects a batch of " + Twine(tokens) +
                         " tokens, got " + Twine(batch.sequence.size()));
}

namespace {

//===----------------------------------------------------------------------===//
// Rope
//===----------------------------------------------------------------------===//

template <typename A>
llvm::Error evaluateRope(RopeOp op, Context &, ArrayRef<ref::Value<A>> in,
                         SmallVectorImpl<ref::Value<A>> &out) {
  const Tensor<A> &x = tensor<A>(in[0]), &frequency = tensor<A>(in[2]);
  const Batch &tokens = batch<A>(in[1]);
  if (llvm::Error error = expectTokens(x.shape[0], tokens))
    return error;
  A a;
  Tensor<A> y = makeTensor<A>(x.element, x.shape);
  int64_t heads = x.shape[1], width = x.shape[2];
  bool isHalf = op.getLayout() == RopeLayout::Half;
  auto amplitude = a.constant(op.getAmplitude().convertToDouble());
  for (int64_t pair = 0; pair < x.shape[0] * heads * width / 2; ++pair) {
    int64_t row = pair / (width / 2), i = pair % (width / 2);
    auto position = a.toFloat(tokens.position[row / heads]);
    auto angle = position * frequency.floats[i];
    auto cos = a.cos(angle) * amplitude;
    auto sin = a.sin(angle) * amplitude;
    int64_t atU = row * width + (isHalf ? i : 2 * i);
    int64_t atV = isHalf ? atU + width / 2 : atU + 1;
    auto u = x.floats[atU], v = x.floats[atV];
    y.floats[atU] = rounded<A>(u * cos - v * sin, y.element);
    y.floats[atV] = rounded<A>(v * cos + u * sin, y.element);
  }
  out.push_back(std::move(y));
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// Caches
//===----------------------------------------------------------------------===//

/// The row of a position, all heads, or null where it has no page.
template <typename A>
llvm::Expected<const Float<A> *> rowOf(const Cache<A> &cache,
                                       const Batch &batch, int64_t sequence,
                                       int64_t position) {
  std::optional<int64_t> slot = batch.slot(sequence, position);
  if (!slot)
    return nullptr;
  size_t stride = cache.heads * cache.width;
  if ((*slot + 1) * stride > cache.rows.size())
    return evaluationError("expects a cache of more than " + Twine(*slot) +
                           " rows");
  return cache.rows.data() + *slot * stride;
}

/// Makes rows those that q8_0 holds; over Real, too, they are quantised.
template <typename A> void quantizeRows(llvm::MutableArrayRef<Float<A>> rows) {
  std::vector<float> values(rows.begin(), rows.end());
  std::string bytes = quantizedBytes(base::ElementType::Q8_0, values);
  [[maybe_unused]] Status status = base::unpack(
      base::ElementType::Q8_0, bytes.data(), values.size(), values.data());
  assert(status.ok() &&
         "expects whole blocks, as the type is verified to have");
  llvm::copy(values, rows.begin());
}

template <typename A>
llvm::Error evaluateCacheAppend(CacheAppendOp op, Context &context,
                                ArrayRef<ref::Value<A>> in,
                                SmallVectorImpl<ref::Value<A>> &out) {
  Cache<A> updated = cache<A>(in[0]);
  const Tensor<A> &x = tensor<A>(in[1]);
  const Batch &tokens = batch<A>(in[2]);
  if (llvm::Error error = expectTokens(x.shape[0], tokens))
    return error;
  int64_t stride = updated.heads * updated.width;
  for (int64_t t = 0; t < x.shape[0]; ++t) {
    auto row = rowOf(updated, tokens, tokens.sequence[t], tokens.position[t]);
    if (!row)
      return row.takeError();
    if (!*row) {
      context.fail(TENON_FAILURE_NO_PAGE, "tn.cache_append", t,
                   tokens.position[t]);
      continue;
    }
    Float<A> *stored = updated.rows.data() + (*row - updated.rows.data());
    std::copy_n(x.floats.begin() + t * stride, stride, stored);
    if (op.getCache().getType().isQuantized())
      quantizeRows<A>({stored, static_cast<size_t>(stride)});
  }
  out.push_back(std::move(updated));
  return llvm::Error::success();
}

template <typename A>
llvm::Error evaluatePositions(PositionsOp op, Context &,
                              ArrayRef<ref::Value<A>> in,
                              SmallVectorImpl<ref::Value<A>> &out) {
  const Batch &tokens = batch<A>(in[0]);
  Tensor<A> y = makeTensor<A>(tensorType(op.getY()).getElementType(),
                              {int64_t(tokens.position.size())});
  y.ints.assign(tokens.position.begin(), tokens.position.end());
  out.push_back(std::move(y));
  return llvm::Error::success();
}

template <typename A>
llvm::Error evaluateReposition(RepositionOp, Context &,
                               ArrayRef<ref::Value<A>> in,
                               SmallVectorImpl<ref::Value<A>> &out) {
  Batch moved = batch<A>(in[0]);
  const Tensor<A> &position = tensor<A>(in[1]);
  if (llvm::Error error = expectTokens(position.shape[0], moved))
    return error;
  moved.position.assign(position.ints.begin(), position.ints.end());
  out.push_back(std::move(moved));
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

/// Running maximum, sum and weighted values of some keys.
template <typename A> struct Partial {
  Float<A> maximum = -std::numeric_limits<Float<A>>::infinity();
  Float<A> sum = 0;
  std::vector<Float<A>> values;
};

using Keys = ArrayRef<Key<Contract>>;

/// Takes off the first keys that lie in the same `size` positions.
Keys takeFirst(Keys &keys, int64_t size) {
  int64_t number = keys.front().position / size;
  Keys first = keys.take_while(
      [&](const Key<Contract> &key) { return key.position / size == number; });
  keys = keys.drop_front(first.size());
  return first;
}

/// Adds keys of one block of 64.
void addBlock(Contract &a, const Query<Contract> &query, Keys keys,
              bool isFirst, Partial<Contract> &part) {
  std::array<float, kKeyBlock> p{}; // 0 outside of the range
  auto at = [&](const Key<Contract> &key) -> float & {
    return p[key.position % kKeyBlock];
  };
  float maximum = part.maximum;
  for (const Key<Contract> &key : keys) {
    at(key) = query.score(key);
    maximum = a.select(a.less(maximum, at(key)), at(key), maximum);
  }
  float keep = isFirst ? 0.0f : a.exp(part.maximum - maximum);
  for (const Key<Contract> &key : keys)
    at(key) = a.exp(at(key) - maximum);
  std::array<float, kKeyBlock> tree = p;
  part.sum = part.sum * keep + sumTree(a, tree.data(), kKeyBlock);
  part.maximum = maximum;
  for (int64_t d = 0; d < query.valueWidth; ++d) {
    float sum = part.values[d] * keep;
    for (const Key<Contract> &key : keys)
      sum = a.fma(at(key), key.value[d], sum);
    part.values[d] = sum;
  }
}

/// Merges the next segment into those before it.
void mergeSegment(Contract &a, const Partial<Contract> &part,
                  Partial<Contract> &total) {
  float maximum = a.select(a.less(total.maximum, part.maximum), part.maximum,
                           total.maximum);
  float keep = a.exp(total.maximum - maximum);
  float join = a.exp(part.maximum - maximum);
  total.sum = total.sum * keep + part.sum * join;
  total.maximum = maximum;
  for (size_t d = 0; d < total.values.size(); ++d)
    total.values[d] = total.values[d] * keep + part.values[d] * join;
}

} // namespace

Attended<Contract> ref::attend(const Query<Contract> &query) {
  Contract a;
  std::optional<Partial<Contract>> total;
  for (Keys keys = query.keys; !keys.empty();) {
    Keys segment = takeFirst(keys, kKeySegment);
    Partial<Contract> part;
    part.values.resize(query.valueWidth);
    for (bool isFirst = true; !segment.empty(); isFirst = false)
      addBlock(a, query, takeFirst(segment, kKeyBlock), isFirst, part);
    if (total)
      mergeSegment(a, part, *total);
    else
      total = std::move(part);
  }
  for (float &value : total->values)
    value = value / total->sum;
  return {total->values, total->maximum + a.log(total->sum)};
}

/// The mathematics, directly.
Attended<Real> ref::attend(const Query<Real> &query) {
  std::vector<double> scores, y(query.valueWidth);
  for (const Key<Real> &key : query.keys)
    scores.push_back(query.score(key));
  double maximum = *std::max_element(scores.begin(), scores.end()), sum = 0;
  for (size_t j = 0; j < scores.size(); ++j) {
    double p = std::exp(scores[j] - maximum);
    sum += p;
    for (int64_t d = 0; d < query.valueWidth; ++d)
      y[d] += p * query.keys[j].value[d];
  }
  for (double &value : y)
    value /= sum;
  return {y, maximum + std::log(sum)};
}

namespace {

/// Finds a head's keys in range of token t; false where one has no page.
template <typename A>
llvm::Expected<bool> findKeys(Query<A> &query, const AttentionShape &shape,
                              ArrayRef<ref::Value<A>> in, int64_t t,
                              int64_t head) {
  const Cache<A> &keys = cache<A>(in[1]);
  const Cache<A> &values = shape.isLatent ? keys : cache<A>(in[2]);
  const Batch &tokens = batch<A>(in.back());
  int64_t sequence = tokens.sequence[t], position = tokens.position[t];
  for (int64_t j = nextInRange(shape, position, 0); j <= position;
       j = nextInRange(shape, position, j + 1)) {
    auto key = rowOf(keys, tokens, sequence, j);
    if (!key)
      return key.takeError();
    auto value = rowOf(values, tokens, sequence, j);
    if (!value)
      return value.takeError();
    if (!*key || !*value)
      return false;
    query.keys.push_back(
        {j, *key + head * keys.width, *value + head * values.width});
  }
  return !query.keys.empty();
}

template <typename A>
llvm::Error evaluateAttention(AttentionOp op, Context &context,
                              ArrayRef<ref::Value<A>> in,
                              SmallVectorImpl<ref::Value<A>> &out) {
  const Tensor<A> &q = tensor<A>(in[0]);
  const Batch &tokens = batch<A>(in.back());
  if (llvm::Error error = expectTokens(q.shape[0], tokens))
    return error;
  AttentionShape shape = *attentionShape(op);
  int64_t heads = shape.heads, valueWidth = shape.valueWidth;
  Tensor<A> y = makeTensor<A>(q.element, {q.shape[0], heads, valueWidth});
  for (int64_t row = 0; row < q.shape[0] * heads; ++row) {
    int64_t t = row / heads, head = row % heads / shape.group();
    Query<A> query{&q.floats[row * shape.width], A().constant(shape.scale),
                   shape.width, valueWidth};
    auto found = findKeys(query, shape, in, t, head);
    if (!found)
      return found.takeError();
    if (!*found) {
      context.fail(TENON_FAILURE_NO_PAGE, "tn.attention", t,
                   tokens.position[t]);
      continue;
    }
    if (query.hasNanScore())
      context.fail(TENON_FAILURE_NAN, "tn.attention", t, 0);
    std::vector<Float<A>> result = attend(query).values;
    for (int64_t d = 0; d < valueWidth; ++d)
      y.floats[row * valueWidth + d] = rounded<A>(result[d], y.element);
  }
  out.push_back(std::move(y));
  return llvm::Error::success();
}

} // namespace

TN_EVALUATE(RopeOp, evaluateRope)
TN_EVALUATE(CacheAppendOp, evaluateCacheAppend)
TN_EVALUATE(PositionsOp, evaluatePositions)
TN_EVALUATE(RepositionOp, evaluateReposition)
TN_EVALUATE(AttentionOp, evaluateAttention)
