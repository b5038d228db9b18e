//===- Float8Weights.h - Weights of 8-bit floats with scales ----*- C++ -*-===//
//
// DeepSeek-V3 and R1 store a weight X [N, K] as
//
//   X            F8_E4M3 [N, K]    sign, 4 bits of exponent, 3 of mantissa; no
//                                  infinities
//   X_scale_inv  f32 [ceil(N / 128), ceil(K / 128)]
//
// and mean X[n, k] * X_scale_inv[n / 128, k / 128], which becomes one tensor X
// of bf16, as their own conversion does.
// Source: deepseek-ai/DeepSeek-V3, README_WEIGHTS.md and inference/kernel.py;
// Micikevicius et al. 2022, arXiv:2209.05433, table 1.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IO_FLOAT8WEIGHTS_H
#define TENON_IO_FLOAT8WEIGHTS_H

#include "runtime/io/TensorTable.h"

namespace tenon::io {

/// The value of an E4M3 number.
float e4m3ToF32(uint8_t bits);

/// Puts every such weight among `tensors` in the place of its parts.
/// Returns: the bytes of those weights, which their entries view.
/// Errors: DATA_LOSS (a weight without scales, or of others), naming `source`
///         and tensor.
StatusOr<std::vector<std::vector<uint8_t>>>
joinFloat8Weights(std::vector<TensorEntry> &tensors, std::string_view source);

} // namespace tenon::io

#endif // TENON_IO_FLOAT8WEIGHTS_H
