//===- Panels.h - The packed layout of a weight [N, K] ----------*- C++ -*-===//
//
// The bytes behind the encoding #tn.panels<32>. A panel is 32 rows of the
// weight, which lie in the vector lanes, so that a product over k reads one
// contiguous stream; N is padded to whole panels by rows of zeros. Of weights
// [E, N, K] the panels of each matrix follow those of the one before.
//
//   plain types     panel: [K][32] elements
//   bf16            panel: [K / 2][32] words of two k, the even one in the high
//                     half: the order in which the machine adds their products.
//                     An odd K ends with a word of one
//   i8              panel: [K / 4][32] words of four k, in order, 128 added to
//                     each; the last one is padded by zeros
//   blocked types   panel: [K / superBlock] super-blocks, each
//                     scale [32]                      f16
//                     minimum [32]                    f16, if any
//                     [superBlock / 32] groups, each of 32 k, one of all but
//                     the K formats and int4_g64, int4_g128:
//                       K formats: of each sub-block  i8 [32 / subBlock][32]
//                       and if it has minima again    i8 [32 / subBlock][32]
//                       the quants of each sub-block
//
// in the order in which a product reads it, every row of lanes aligned to it.
//
// Quants are unsigned and lie in words: four k of a lane are the bytes of a
// word, so that a product of integers takes four k at a time. A sub-block is
//
//   8 bits          [subBlock / 4][32] words, byte j is k = j
//   4 bits          [subBlock / 8][32] words, byte j is k = j in its low half
//                   and k = j + 4 in its high half
//   5 and 6 bits    the low 4 bits so, then the others in words of 32 or 16 k:
//                   bit i of byte j is of k = 4 * i + j; bits 2 * i, 2 * i + 1
//
// An element is scale * (quant - offset) + minimum, each operation rounded once
// to f32: bit for bit what base::unpack gives. Scale and minimum of a sub-block
// of a K format are the super-block's times the sub-block's integers; all these
// products are exact, so one fused multiply-add gives the same value. Minima
// are stored negated, to be added.
//
//   PanelFormat q8 = panelFormat(base::ElementType::Q8_0);
//   int64_t at = q8.panelBytes(640) * (n / 32) + k / 32 * q8.superBlockBytes();
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

/// Elements along k whose factors and quants lie together.
inline constexpr int64_t kPanelGroup = 32;
/// Elements along k that share a word.
inline constexpr int64_t kQuad = 4;
/// One f16, one i8 and one word of every lane.
inline constexpr int64_t kHalfRowBytes = 2 * kPanelLanes,
                         kByteRowBytes = kPanelLanes,
                         kWordRowBytes = 4 * kPanelLanes;

/// How the panels of one element type are laid out. All sizes in bytes.
struct PanelFormat {
  base::ElementType type = base::ElementType::F32;
  int64_t superBlock = 1; ///< Elements along k that share f16s; plain: 1.
  int64_t subBlock = 1;   ///< Elements along k whose quants lie together.
  int64_t bits = 32;      ///< Of a quant's low part, or of a plain element.
  int64_t highBits = 0;   ///< Of a quant's other part.
  int64_t offset = 0;     ///< Subtracted from a stored quant.
  bool hasScale = false;  ///< A blocked type.
  bool hasMin = false;
  /// Whether sub-blocks have integers that multiply the super-block's f16s; if
  /// not, these are the scale and the minimum of all of them.
  bool hasFactors = false;

  int64_t subBlocks() const { return superBlock / subBlock; }

  // Offsets in a super-block; its f16s come first.
  int64_t minimumByte() const { return kHalfRowBytes; }
  int64_t groupsByte() const { return kHalfRowBytes * (hasMin ? 2 : 1); }
  int64_t superBlockBytes() const {
    return groupsByte() + superBlock / kPanelGroup * groupBytes();
  }

  // Offsets in a group; its integers come first.
  int64_t perGroup() const { return kPanelGroup / subBlock; }
  int64_t minFactorByte() const { return perGroup() * kByteRowBytes; }
  int64_t quantsByte() const {
    return hasFactors ? minFactorByte() * (hasMin ? 2 : 1) : 0;
  }
  int64_t groupBytes() const {
    return quantsByte() + perGroup() * subBlockBytes();
  }

  bool isBytes() const { return type == base::ElementType::I8; }
  /// Elements along k that share a word, of a plain type.
  int64_t group() const {
    if (isBytes())
      return kQuad;
    return type == base::ElementType::BF16 ? 2 : 1;
  }
  /// Where an element of a plain type lies in its panel.
  int64_t plainByte(int64_t k, int64_t lane) const {
    int64_t inWord = isBytes() ? k % group() : group() - 1 - k % group();
    return (k / group() * kPanelLanes * group() + lane * group() + inWord) *
           bits / 8;
  }
  int64_t panelBytes(int64_t k) const {
    if (!hasScale)
      return (k + group() - 1) / group() * group() * kPanelLanes * bits / 8;
    return k / superBlock * superBlockBytes();
  }

  // Of the quants of a sub-block.
  int64_t subBlockBytes() const {
    return subBlock * kPanelLanes * (bits + highBits) / 8;
  }
  /// Quads that share a word, and where that of a quad starts.
  int64_t quadsPerWord() const { return 8 / bits; }
  int64_t lowByte(int64_t quad) const {
    return quad / quadsPerWord() * kWordRowBytes;
  }
  int64_t quadsPerHighWord() const { return 8 / highBits; }
  int64_t highByte(int64_t quad) const {
    return subBlock * kPanelLanes * bits / 8 +
           quad / quadsPerHighWord() * kWordRowBytes;
  }
  /// How far a quad's bits are shifted in its words.
  int64_t lowShift(int64_t quad) const { return quad % quadsPerWord() * bits; }
  int64_t highShift(int64_t quad) const {
    return quad % quadsPerHighWord() * highBits;
  }
};

/// Describes the panels of `type`: f32, f16, bf16, i8 or a blocked type.
PanelFormat panelFormat(base::ElementType type);

/// The bytes of a packed [n, k] weight; k is a multiple of the block.
int64_t packedBytes(base::ElementType type, int64_t n, int64_t k);

/// What one element of a blocked row is made of, as panels hold it: its value
/// is scale * quant + minimum.
struct BlockedElement {
  float scale = 0, minimum = 0;
  int quant = 0; ///< The offset is subtracted.
  /// Scale and minimum of a K format are products of these.
  float superScale = 0, superMinimum = 0;
  int factor = 1, minFactor = 1;
};

/// Takes element `number` of the row of `type`, of weights or of activations,
/// at `row` apart.
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
