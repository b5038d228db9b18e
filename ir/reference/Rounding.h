//===- Rounding.h - A value in its element type -----------------*- C++ -*-===//
//
// A value rounds to its element type at every op. f32 to bf16 and f16 rounds to
// nearest even; f16 results may be subnormal (the machine's conversion keeps
// them whatever FTZ says). bf16 is rounded by integer arithmetic on the bits of
// the f32, so that what is subnormal there stays as it is.
//
//   y.floats[i] = rounded<A>(value, y.element);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IR_REFERENCE_ROUNDING_H
#define TENON_IR_REFERENCE_ROUNDING_H

#include "ir/reference/Value.h"
#include "runtime/base/Blocks.h"

#include "mlir/IR/BuiltinTypes.h"

#include <type_traits>

namespace tenon::ir::ref {

/// Rounds `value` to the float type `element`; `Real` does not round.
template <typename A> Float<A> rounded(Float<A> value, mlir::Type element) {
  if constexpr (std::is_same_v<A, Contract>) {
    if (element.isBF16())
      return base::bf16ToF32(base::f32ToBf16(value));
    if (element.isF16())
      return base::f16ToF32(base::f32ToF16(value));
  }
  return value;
}

/// Wraps `value` to the integer type `element`.
inline int64_t wrapped(int64_t value, mlir::Type element) {
  unsigned width = element.getIntOrFloatBitWidth();
  if (width == 1)
    return value & 1;
  return static_cast<int64_t>(static_cast<uint64_t>(value) << (64 - width)) >>
         (64 - width);
}

} // namespace tenon::ir::ref
#endif // TENON_IR_REFERENCE_ROUNDING_H
