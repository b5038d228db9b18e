//===- AttentionReference.h - What definitions of attention share -*- C++
//-*-===//
//
// One query over the rows of its keys and values, wherever those lie.
//
//   Query<A> query{q, scale, width, from, to, keys, values};
//   Attended<A> result = attend(query);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IR_TN_ATTENTIONREFERENCE_H
#define TENON_IR_TN_ATTENTIONREFERENCE_H

#include "ir/reference/Evaluate.h"
#include "ir/reference/Reduction.h"

#include "tenon/abi.h"

#include <vector>

namespace tenon::ir::ref {

/// Keys of one block, and positions of one segment of attention.
inline constexpr int64_t kKeyBlock = TENON_CACHE_BLOCK;
inline constexpr int64_t kKeySegment = 512;

/// Fails unless the batch has as many tokens.
llvm::Error expectTokens(int64_t tokens, const Batch &batch);

/// The first position in range of a token at position to - 1.
inline int64_t firstInRange(int64_t to, int64_t window) {
  return window ? std::max<int64_t>(0, to - window) : 0;
}

/// One token's query head, and the rows of the keys and values it attends to.
template <typename A> struct Query {
  const Float<A> *q;
  Float<A> scale;
  int64_t width, valueWidth;
  int64_t from, to;                           // positions [from, to)
  std::vector<const Float<A> *> keys, values; // of position from + i

  /// The product rule over a row of the query's token and one of position j.
  static Float<A> product(const Float<A> *row, const Float<A> *other,
                          int64_t count) {
    A a;
    return sumProducts(
        a, count, [&](int64_t d) { return row[d]; },
        [&](int64_t d) { return other[d]; });
  }
  Float<A> score(int64_t j) const {
    return product(q, keys[j - from], width) * scale;
  }
  bool hasNanScore() const {
    for (int64_t j = from; j < to; ++j)
      if (Float<A> s = score(j); s != s)
        return true;
    return false;
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
