//===- Panels.h - The packed layout of a weight [N, K] ----------*- C++ -*-===//
//
// The bytes behind the encoding #tn.panels<32>. A panel is 32 rows of the
// weight, which lie in the vector lanes, so that a product over k reads one
// contiguous stream; N is padded to whole panels by rows of zeros.
//
//   plain types     panel: [K][32] elements
//   blocked types   panel: [K / subBlock] sub-blocks, each
//                     scale [32]                      f16 or f32
//                     minimum [32]                    the same type, if any
//                     8 bits: [subBlock][32] i8       k by k
//                     4 bits: [subBlock / 2][32] u8   k even low, k odd high
//
// An element is scale * (quant - offset) + minimum, each operation rounded once
// to f32: bit for bit what base::unpack gives. The product is exact in every
// format, so one fused multiply-add gives the same value. Formats of 5 and 6
// bits are widened to 8, their offset subtracted.
//
//   PanelFormat q8 = panelFormat(base::ElementType::Q8_0);
//   int64_t at = q8.panelBytes(640) * (n / 32) + q8.quantByte(k, n % 32);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IR_TN_PANELS_H
#define TENON_IR_TN_PANELS_H

#include "runtime/base/Blocks.h"

#include <cstdint>
#include <string>

namespace tenon::ir {

/// Rows of a panel.
inline constexpr int64_t kPanelLanes = 32;

/// How the panels of one element type are laid out. All sizes in bytes.
struct PanelFormat {
  base::ElementType type = base::ElementType::F32;
  int64_t subBlock = 1; ///< Elements along k that share a scale; plain: 1.
  int64_t bits = 32;    ///< Of a quant, or of a plain element.
  int64_t offset = 0;   ///< Subtracted from a stored quant.
  bool hasScale = false;
  bool hasMin = false;
  base::ElementType scaleType = base::ElementType::F16; ///< F16 or F32.

  int64_t scaleRowBytes() const {
    return hasScale ? kPanelLanes * base::info(scaleType).blockBytes : 0;
  }
  /// Where the quants of a sub-block start: after its scales and minima.
  int64_t quantsOffset() const { return scaleRowBytes() * (hasMin ? 2 : 1); }
  /// The bytes that one step of k takes: half a row for 4-bit quants.
  int64_t bytesPerK() const { return kPanelLanes * bits / 8; }
  int64_t bytesPerSubBlock() const {
    return quantsOffset() + subBlock * bytesPerK();
  }
  int64_t panelBytes(int64_t k) const {
    return k / subBlock * bytesPerSubBlock();
  }

  /// Offsets in the panel of element (lane, k).
  int64_t scaleByte(int64_t k, int64_t lane) const {
    return k / subBlock * bytesPerSubBlock() +
           lane * base::info(scaleType).blockBytes;
  }
  int64_t minByte(int64_t k, int64_t lane) const {
    return scaleByte(k, lane) + scaleRowBytes();
  }
  int64_t quantByte(int64_t k, int64_t lane) const {
    int64_t row = bits == 4 ? k % subBlock / 2 : k % subBlock;
    int64_t laneBytes = bits == 4 ? 1 : bits / 8;
    return k / subBlock * bytesPerSubBlock() + quantsOffset() +
           (row * kPanelLanes + lane) * laneBytes;
  }
};

/// Describes the panels of `type`: f32, f16, bf16 or a blocked type.
PanelFormat panelFormat(base::ElementType type);

/// The bytes of a packed [n, k] weight; k is a multiple of the block.
int64_t packedBytes(base::ElementType type, int64_t n, int64_t k);

/// What one element of a blocked row is made of, as panels hold it: its value
/// is scale * quant + minimum.
struct BlockedElement {
  float scale = 0, minimum = 0;
  int quant = 0; ///< The offset is subtracted.
};

/// Takes element `number` of the row of `type` at `row` apart.
BlockedElement blockedElement(base::ElementType type, const void *row,
                              int64_t number);

/// Packs a weight as stored in a file: what generated pack kernels must equal.
/// Shapes: bytes [n, k] of `type`, row by row. Simple and slow, for tests.
std::string packReference(base::ElementType type, const void *bytes, int64_t n,
                          int64_t k);

/// The value of element (n, k) of a packed weight with rows of `columns`
/// elements. Simple and slow, for tests.
float unpackedElement(base::ElementType type, const void *packed,
                      int64_t columns, int64_t n, int64_t k);

} // namespace tenon::ir
#endif // TENON_IR_TN_PANELS_H
