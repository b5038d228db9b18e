//===- Reduction.h - The order of sums --------------------------*- C++ -*-===//
//
// Reduction order is part of the meaning. The row rule: segments of 4096
// columns from 0; in a segment 128 partial sums, column j going to partial
// j % 128, ascending, from +0; then the tree of halves, p[j] += p[j + 64], 32,
// .., 1; segment results are added in ascending order.
//
//   float sum = ref::sumRow(a, columns, [&](int64_t d) { return x[d]; });
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IR_REFERENCE_REDUCTION_H
#define TENON_IR_REFERENCE_REDUCTION_H

#include "ir/reference/Arithmetic.h"

#include <algorithm>
#include <array>

namespace tenon::ir::ref {

inline constexpr int64_t kRowSegment = 4096;
inline constexpr int64_t kRowPartials = 128;
/// Rows of a segment where a sum goes over rows.
inline constexpr int64_t kColumnSegment = 512;
/// Products of a segment of a matmul or of a score.
inline constexpr int64_t kChainSegment = 512;

/// Sums p[0 .. size) by the tree of halves; `size` is a power of two.
template <typename A> typename A::F sumTree(A &a, typename A::F *p, int size) {
  for (int half = size / 2; half > 0; half /= 2)
    for (int j = 0; j < half; ++j)
      p[j] = a.add(p[j], p[j + half]);
  return p[0];
}

/// Sums term(0), .., term(columns - 1) by the row rule; +0 for none.
template <typename A, typename Term>
typename A::F sumRow(A &a, int64_t columns, Term term) {
  typename A::F sum = 0;
  for (int64_t start = 0; start < columns; start += kRowSegment) {
    std::array<typename A::F, kRowPartials> partials{};
    int64_t end = std::min(columns, start + kRowSegment);
    for (int64_t d = start; d < end; ++d) {
      typename A::F &partial = partials[(d - start) % kRowPartials];
      partial = a.add(partial, term(d));
    }
    typename A::F segment = sumTree(a, partials.data(), kRowPartials);
    sum = start == 0 ? segment : a.add(sum, segment);
  }
  return sum;
}

/// Sums term(0), .., term(rows - 1) ascending from +0 in segments of 512 rows,
/// segment results added in ascending order: sums over rows.
template <typename A, typename Term>
typename A::F sumColumn(A &a, int64_t rows, Term term) {
  typename A::F sum = 0;
  for (int64_t start = 0; start < rows; start += kColumnSegment) {
    typename A::F segment = 0;
    int64_t end = std::min(rows, start + kColumnSegment);
    for (int64_t t = start; t < end; ++t)
      segment = a.add(segment, term(t));
    sum = start == 0 ? segment : a.add(sum, segment);
  }
  return sum;
}

/// Sums the products x(0) * y(0), .., x(count - 1) * y(count - 1) as a matmul
/// does: segments of 512, each a chain of fused multiply-adds from +0,
/// ascending; segment results added in ascending order.
template <typename A, typename X, typename Y>
typename A::F sumProducts(A &a, int64_t count, X x, Y y) {
  typename A::F sum = 0;
  for (int64_t start = 0; start < count; start += kChainSegment) {
    typename A::F segment = 0;
    int64_t end = std::min(count, start + kChainSegment);
    for (int64_t k = start; k < end; ++k)
      segment = a.fma(x(k), y(k), segment);
    sum = start == 0 ? segment : a.add(sum, segment);
  }
  return sum;
}

} // namespace tenon::ir::ref
#endif // TENON_IR_REFERENCE_REDUCTION_H
