//===- PackedWeights.h - Weights that files spread over several tensors ---===//
//
// The layout "pack-quantized" of compressed-tensors. A weight X [n, k] of 4-bit
// integers whose groups along k share a scale is stored as
//
//   X_packed     i32 [n, k / 8]    eight integers a word, the first of them in
//                                  the lowest bits, 8 added to each
//   X_scale      f16, bf16 or f32 [n, k / group]
//   X_shape      i64 [2]           n and k
//
// and becomes one tensor X of int4_g<group>, whose scales are rounded to f16.
// Source: vllm-project/compressed-tensors, src/compressed_tensors/compressors,
// pack_quantized.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IO_PACKEDWEIGHTS_H
#define TENON_IO_PACKEDWEIGHTS_H

#include "runtime/io/Json.h"
#include "runtime/io/TensorTable.h"

namespace tenon::io {

/// Puts every packed weight among `tensors` in the place of its parts.
/// Returns: the bytes of those weights, which their entries view.
/// Errors: DATA_LOSS (parts that lack or contradict one another), UNIMPLEMENTED
///         (zero points, reordered columns, other groups than of 32, 64 or
///         128), OUT_OF_RANGE (a scale that f16 has not), each naming `source`
///         and tensor.
StatusOr<std::vector<std::vector<uint8_t>>>
joinPackedWeights(std::vector<TensorEntry> &tensors, std::string_view source);

/// Checks what a config.json says about quantised weights, if it does.
/// Errors: UNIMPLEMENTED (any but the above and those of Float8Weights.h),
/// naming
///         `source` and member.
Status checkQuantization(const Json &config, std::string_view source);

} // namespace tenon::io

#endif // TENON_IO_PACKEDWEIGHTS_H
