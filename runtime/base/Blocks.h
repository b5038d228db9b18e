//===- Blocks.h - Element types and the layouts of blocked ones -----------===//
//
// The one definition of what a tensor's bytes mean: the loaders, the dialect's
// element types, the reference interpreter and the kernels all follow it.
//
//   const ElementInfo &q8 = info(ElementType::Q8_0);   // 32 elements, 34 bytes
//   TENON_RETURN_IF_ERROR(unpack(ElementType::Q8_0, bytes, 640, floats));
//
// A blocked type stores a row as whole blocks: a few scales, then small
// integers. Unpacking is exact and part of the numerics contract:
//
//   q8_0, q4_0, q5_0       y = d * q
//   int4_g64, int4_g128    y = d * q
//   q4_1, q5_1             y = d * q + m
//   q4_k, q5_k             y = (d * sc) * q - (dmin * m)
//   q6_k                   y = (d * sc) * q
//   q8_k                   y = d * q
//
// each product and the last sum rounded once to f32; d, m and dmin are f16, but
// q8_k's d is f32. Activations alone are stored in q8_k.
//
// int4_g<N> stores N elements along a row as one scale and 4-bit integers from
// -8, in N / 32 runs that each lie as q4_0's do: int4_g32 is q4_0, by another
// name.
//
// Source: ggml-org/ggml, docs/gguf.md and src/ggml-common.h (layouts).
//
//===----------------------------------------------------------------------===//

#ifndef TENON_BASE_BLOCKS_H
#define TENON_BASE_BLOCKS_H

#include "runtime/base/Status.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace tenon::base {

/// The numbers stand in files: add at the end, never renumber.
enum class ElementType : uint8_t {
  F32,
  F16,
  BF16,
  F64,
  I8,
  U8,
  I16,
  I32,
  I64,
  Bool,
  Q8_0,
  Q4_0,
  Q4_1,
  Q5_0,
  Q5_1,
  Q4_K,
  Q5_K,
  Q6_K,
  Q8_K,
  Int4_G64,
  Int4_G128,
};

/// How one element type is stored. A plain type is a block of one element.
struct ElementInfo {
  std::string_view name; ///< Lower case: "f32", "q4_k".
  int64_t blockElements;
  int64_t blockBytes;

  bool isBlocked() const { return blockElements > 1; }
};

/// Whether weights are stored in blocks of `type`.
bool isBlockedWeight(ElementType type);

/// Returns every element type, in the order of their numbers.
std::span<const ElementType> allElementTypes();

/// Describes `type`, which must be one of the enumerators.
const ElementInfo &info(ElementType type);

/// Finds an element type by its name, of which q4_0 has two: "int4_g32";
/// nothing when there is none.
std::optional<ElementType> parseElementType(std::string_view name);

/// Computes the bytes that `count` elements take.
/// Errors: INVALID_ARGUMENT (count is negative or no multiple of the block),
///         OUT_OF_RANGE (the result exceeds int64_t).
StatusOr<int64_t> sizeBytes(ElementType type, int64_t count);

/// Converts between f32 and the 16-bit floats; to 16 bits round to nearest,
/// ties to even, overflow to infinity. A NaN stays a (quiet) NaN.
float f16ToF32(uint16_t bits);
uint16_t f32ToF16(float value);
float bf16ToF32(uint16_t bits);
uint16_t f32ToBf16(float value);

/// Unpacks `count` elements at `blocks`, of any alignment, to f32.
/// Errors: INVALID_ARGUMENT (as sizeBytes).
Status unpack(ElementType type, const void *blocks, int64_t count, float *out);

/// Packs `count` floats: the reference quantiser, simple rather than best.
/// Plain integers round to nearest, ties to even, and saturate.
/// Errors: INVALID_ARGUMENT (as sizeBytes; a NaN or an infinity for a type
///         that has none).
Status pack(ElementType type, const float *values, int64_t count, void *blocks);

} // namespace tenon::base

#endif // TENON_BASE_BLOCKS_H
