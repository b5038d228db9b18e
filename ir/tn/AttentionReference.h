//===- AttentionReference.h - What definitions of attention share -*- C++
//-*-===//
//
// One query over the rows of its keys and values, wherever those lie.
//
//   Query<A> query{q, scale, width, valueWidth};
//   for (int64_t j = nextInRange(shape, t, 0); j <= t;
//        j = nextInRange(shape, t, j + 1))
//     query.keys.push_back({j, keyRow(j), valueRow(j)});
//   Attended<A> result = attend(query);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IR_TN_ATTENTIONREFERENCE_H
#define TENON_IR_TN_ATTENTIONREFERENCE_H

#include "ir/reference/Evaluate.h"
#include "ir/reference/Reduction.h"
#include "ir/tn/AttentionShape.h"

#include "tenon/abi.h"

#include <vector>

namespace tenon::ir::ref {

/// Keys of one block, and positions of one segment of attention.
inline constexpr int64_t kKeyBlock = TENON_CACHE_BLOCK;
inline constexpr int64_t kKeySegment = 512;

/// Fails unless the batch has as many tokens.
llvm::Error expectTokens(int64_t tokens, const Batch &batch);

/// The first key from j on that is in range of a token at `position`.
inline int64_t nextInRange(const AttentionShape &shape, int64_t position,
                           int64_t j) {
  if (!shape.window || j < shape.globals)
    return j;
  return std::max(j, position - shape.window + 1);
}

/// Rows of one head at a position.
template <typename A> struct Key {
  int64_t position;
  const Float<A> *key, *value;
};

/// One token's query head, and the keys it attends to.
template <typename A> struct Query {
  const Float<A> *q;
  Float<A> scale;
  int64_t width, valueWidth;
  std::vector<Key<A>> keys = {}; // positions ascend

  /// The product rule over a row of the query's token and one of position j.
  static Float<A> product(const Float<A> *row, const Float<A> *other,
                          int64_t count) {
    A a;
    return sumProducts(
        a, count, [&](int64_t d) { return row[d]; },
        [&](int64_t d) { return other[d]; });
  }
  Float<A> score(const Key<A> &key) const {
    return product(q, key.key, width) * scale;
  }
  bool hasNanScore() const {
    return llvm::any_of(keys, [&](const Key<A> &key) {
      Float<A> s = score(key);
      return s != s;
    });
  }
};

/// y, and the logarithm of the sum of exp(score).
template <typename A> struct Attended {
  std::vector<Float<A>> values;
  Float<A> logSum;
};

Attended<Contract> attend(const Query<Contract> &query);
Attended<Real> attend(const Query<Real> &query);

} // namespace tenon::ir::ref
#endif // TENON_IR_TN_ATTENTIONREFERENCE_H
