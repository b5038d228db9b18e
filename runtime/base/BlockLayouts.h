//===- BlockLayouts.h - The blocks as structs, for Blocks and Quantise ----===//
//
// Private to runtime/base. Every member is of 1 or 2 bytes, so that no struct
// has padding; qh of the 5-bit types is a little-endian word stored as bytes.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_BASE_BLOCKLAYOUTS_H
#define TENON_BASE_BLOCKLAYOUTS_H

#include "runtime/base/Blocks.h"

#include <cstdint>

namespace tenon::base {

struct BlockQ8_0 {
  uint16_t d;
  int8_t qs[32];
};
/// Runs of 32 elements; of each, j and j + 16 share a byte.
template <int Elements> struct BlockInt4 {
  uint16_t d;
  uint8_t qs[Elements / 2];
};
using BlockQ4_0 = BlockInt4<32>;
using BlockInt4_G64 = BlockInt4<64>;
using BlockInt4_G128 = BlockInt4<128>;
struct BlockQ4_1 {
  uint16_t d, m;
  uint8_t qs[16];
};
struct BlockQ5_0 {
  uint16_t d;
  uint8_t qh[4];
  uint8_t qs[16];
};
struct BlockQ5_1 {
  uint16_t d, m;
  uint8_t qh[4];
  uint8_t qs[16];
};
struct BlockQ4_K {
  uint16_t d, dmin;
  uint8_t scales[12];
  uint8_t qs[128];
};
struct BlockQ5_K {
  uint16_t d, dmin;
  uint8_t scales[12];
  uint8_t qh[32];
  uint8_t qs[128];
};
struct BlockQ6_K {
  uint8_t ql[128];
  uint8_t qh[64];
  int8_t scales[16];
  uint16_t d;
};
struct BlockQ8_K {
  uint8_t d[4]; // a little-endian f32
  int8_t qs[256];
  int16_t sums[16]; // each of 16 qs
};
static_assert(sizeof(BlockQ8_0) == 34 && sizeof(BlockQ4_0) == 18 &&
              sizeof(BlockQ4_1) == 20 && sizeof(BlockQ5_0) == 22 &&
              sizeof(BlockQ5_1) == 24 && sizeof(BlockQ4_K) == 144 &&
              sizeof(BlockQ5_K) == 176 && sizeof(BlockQ6_K) == 210 &&
              sizeof(BlockQ8_K) == 292 && sizeof(BlockInt4_G64) == 34 &&
              sizeof(BlockInt4_G128) == 66);

/// Where element `e` of runs of 32 has its 4 bits.
struct FourBits {
  int byte, shift;
};
inline FourBits fourBitsAt(int e) {
  return {e / 32 * 16 + e % 16, e % 32 < 16 ? 0 : 4};
}
inline int fourBits(const uint8_t *qs, int e) {
  FourBits at = fourBitsAt(e);
  return (qs[at.byte] >> at.shift) & 15;
}

/// The 5-bit integer of element `j` of 32: a nibble and a bit of the word.
inline int fiveBits(const uint8_t *qs, const uint8_t *qh, int j) {
  return fourBits(qs, j) | ((qh[j / 8] >> (j % 8)) & 1) << 4;
}

struct ScaleAndMin {
  int scale, min;
};

/// The 6-bit scale and minimum of sub-block `j` of 8, from 12 bytes: the first
/// four have a byte each; the others borrow the top bits of those bytes.
inline ScaleAndMin scaleAndMin(const uint8_t *s, int j) {
  if (j < 4)
    return {s[j] & 63, s[j + 4] & 63};
  return {(s[j + 4] & 15) | (s[j - 4] >> 6) << 4, (s[j + 4] >> 4) | (s[j] >> 6)
                                                                        << 4};
}

/// The nibble of element `e` of 256: 64 elements share 32 bytes, the first 32
/// in the low halves.
inline int nibbleK(const uint8_t *qs, int e) {
  uint8_t byte = qs[e / 64 * 32 + e % 32];
  return e % 64 < 32 ? byte & 15 : byte >> 4;
}

/// Where the 4 low and 2 high bits of one q6_k element lie.
struct SixBits {
  int lowByte, lowShift, highByte, highShift;
};

/// Finds element `e` of 256: each half of 128 is four runs of 32, of which two
/// share the bytes of ql and all four those of qh.
inline SixBits sixBits(int e) {
  int half = e / 128, run = e % 128 / 32, lane = e % 32;
  return {half * 64 + run % 2 * 32 + lane, run / 2 * 4, half * 32 + lane,
          run * 2};
}

/// Calls `f` with an empty block of the struct that stores `type`.
template <typename F> Status dispatchBlock(ElementType type, F f) {
  switch (type) {
  case ElementType::Q8_0:
    return f(BlockQ8_0());
  case ElementType::Q4_0:
    return f(BlockQ4_0());
  case ElementType::Q4_1:
    return f(BlockQ4_1());
  case ElementType::Q5_0:
    return f(BlockQ5_0());
  case ElementType::Q5_1:
    return f(BlockQ5_1());
  case ElementType::Q4_K:
    return f(BlockQ4_K());
  case ElementType::Q5_K:
    return f(BlockQ5_K());
  case ElementType::Q6_K:
    return f(BlockQ6_K());
  case ElementType::Q8_K:
    return f(BlockQ8_K());
  case ElementType::Int4_G64:
    return f(BlockInt4_G64());
  case ElementType::Int4_G128:
    return f(BlockInt4_G128());
  default:
    return internalError("expects a blocked type, got ", info(type).name);
  }
}

} // namespace tenon::base

#endif // TENON_BASE_BLOCKLAYOUTS_H
