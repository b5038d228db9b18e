//===- Tolerance.h - How far the two oracles may be apart -------*- C++ -*-===//
//
// The only place where tolerances are made: from the element type and from how
// many terms a result sums.
//
//   Tolerance t = toleranceFor(ElementType::BF16, /*summed=*/640);
//   EXPECT_TRUE(t.accepts(contract, real, /*scale=*/4.0));
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TESTS_SUPPORT_TOLERANCE_H
#define TENON_TESTS_SUPPORT_TOLERANCE_H

#include "runtime/base/Blocks.h"

#include <cmath>
#include <cstdint>

namespace tenon::testing {

/// |contract - real| <= relative * |real| + absolute * scale, where `scale` is
/// the size of the terms that a result sums (1 where nothing can cancel).
struct Tolerance {
  double relative = 0;
  double absolute = 0;
  double largest = 0; // beyond it the result may be infinite
  double tiniest = 0; // below it the result may be zero

  bool accepts(double contract, double real, double scale = 1) const {
    if (std::isnan(real) || std::isnan(contract))
      return std::isnan(real) && std::isnan(contract);
    if (std::isinf(contract))
      return std::fabs(real) >= largest * (1 - relative) &&
             std::signbit(contract) == std::signbit(real);
    double allowed = relative * std::fabs(real) + absolute * scale + tiniest;
    return std::fabs(contract - real) <= allowed;
  }
};

/// For one op (or a chain of `ops` of them) whose results round to `type` and
/// whose sums have `summed` terms. A unit is half the distance of neighbours at
/// 1; a sum of n terms in the row rule adds at most n / 128 + 7 of them, in the
/// matmul rule at most min(n, 512) + n / 512.
inline Tolerance toleranceFor(base::ElementType type, int64_t summed = 1,
                              int64_t ops = 1) {
  constexpr double kUnit = 0x1p-24; // f32: all arithmetic
  constexpr double kElementOps = 8; // operations of the longest element formula
  bool isHalf = type == base::ElementType::F16;
  bool isBrain = type == base::ElementType::BF16;
  double stored = isHalf ? 0x1p-11 : isBrain ? 0x1p-8 : kUnit;
  double terms = summed > 1 ? static_cast<double>(summed) + 8 : 0;
  Tolerance t;
  t.relative = static_cast<double>(ops) * (kElementOps * kUnit + stored);
  t.absolute = static_cast<double>(ops) * (kElementOps + terms) * kUnit;
  t.largest = isHalf ? 65504.0 : 0x1.fep127;
  t.tiniest = isHalf ? 0x1p-24 : 0x1p-126;
  return t;
}

/// For sums that round to `type` after each of `additions`: where terms cancel,
/// what the larger sums before lost is still missing.
inline Tolerance toleranceForRoundedSums(base::ElementType type,
                                         int64_t additions) {
  Tolerance t = toleranceFor(type, 1, additions);
  t.absolute += t.relative;
  return t;
}

} // namespace tenon::testing
#endif // TENON_TESTS_SUPPORT_TOLERANCE_H
