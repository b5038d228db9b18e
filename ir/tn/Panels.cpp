//===- Panels.cpp - Formats and the reference packing ---------------------===//

#include "ir/tn/Panels.h"

#include "runtime/base/BlockLayouts.h"

#include <cstring>

namespace tenon::ir {

using base::ElementType;

PanelFormat panelFormat(ElementType type) {
  PanelFormat format;
  format.type = type;
  const base::ElementInfo &info = base::info(type);
  if (!info.isBlocked()) {
    format.bits = info.blockBytes * 8;
    format.offset = format.isBytes() ? 128 : 0;
    return format;
  }
  format.superBlock = info.blockElements;
  format.subBlock = type == ElementType::Q6_K ? 16 : 32;
  format.hasScale = true;
  format.hasFactors = type == ElementType::Q4_K || type == ElementType::Q5_K ||
                      type == ElementType::Q6_K;
  format.hasMin = type == ElementType::Q4_1 || type == ElementType::Q5_1 ||
                  type == ElementType::Q4_K || type == ElementType::Q5_K;
  format.bits = type == ElementType::Q8_0 ? 8 : 4;
  if (type == ElementType::Q5_0 || type == ElementType::Q5_1 ||
      type == ElementType::Q5_K)
    format.highBits = 1;
  if (type == ElementType::Q6_K)
    format.highBits = 2;
  // Formats without a minimum are symmetric.
  if (!format.hasMin)
    format.offset = 1 << (format.bits + format.highBits - 1);
  return format;
}

int64_t packedBytes(ElementType type, int64_t n, int64_t k) {
  return (n + kPanelLanes - 1) / kPanelLanes * panelFormat(type).panelBytes(k);
}

namespace {

// One element as panels store it: d and minimum are bits of an f16, the minimum
// already negated where the format subtracts it.
struct Quant {
  uint16_t d = 0, min = 0;
  int factor = 1, minFactor = 1;
  int value = 0; // the offset added
};

Quant quantAt(const base::BlockQ8_0 &b, int e) {
  return {.d = b.d, .value = b.qs[e] + 128};
}

template <int Elements>
Quant quantAt(const base::BlockInt4<Elements> &b, int e) {
  return {.d = b.d, .value = base::fourBits(b.qs, e)};
}

Quant quantAt(const base::BlockQ4_1 &b, int e) {
  return {.d = b.d, .min = b.m, .value = base::fourBits(b.qs, e)};
}

Quant quantAt(const base::BlockQ5_0 &b, int e) {
  return {.d = b.d, .value = base::fiveBits(b.qs, b.qh, e)};
}

Quant quantAt(const base::BlockQ5_1 &b, int e) {
  return {.d = b.d, .min = b.m, .value = base::fiveBits(b.qs, b.qh, e)};
}

template <typename Block> Quant scaledK(const Block &b, int e, int value) {
  constexpr uint16_t kSign = 0x8000;
  base::ScaleAndMin s = base::scaleAndMin(b.scales, e / 32);
  return {b.d, static_cast<uint16_t>(b.dmin ^ kSign), s.scale, s.min, value};
}

Quant quantAt(const base::BlockQ4_K &b, int e) {
  return scaledK(b, e, base::nibbleK(b.qs, e));
}

Quant quantAt(const base::BlockQ5_K &b, int e) {
  int high = (b.qh[e % 32] >> (e / 32)) & 1;
  return scaledK(b, e, base::nibbleK(b.qs, e) + 16 * high);
}

Quant quantAt(const base::BlockQ6_K &b, int e) {
  base::SixBits at = base::sixBits(e);
  int low = (b.ql[at.lowByte] >> at.lowShift) & 15;
  int high = (b.qh[at.highByte] >> at.highShift) & 3;
  return {.d = b.d, .factor = b.scales[e / 16], .value = low | high << 4};
}

/// Of activations alone: its scale is no f16.
Quant quantAt(const base::BlockQ8_K &b, int e) { return {.value = b.qs[e]}; }

BlockedElement activationOf(const char *row, int64_t e) {
  base::BlockQ8_K block;
  constexpr int64_t size = std::size(block.qs);
  std::memcpy(&block, row + e / size * sizeof(block), sizeof(block));
  BlockedElement element;
  std::memcpy(&element.scale, block.d, sizeof(element.scale));
  element.quant = block.qs[e % size];
  return element;
}

/// Element e of the row at `row`.
Quant quantOf(ElementType type, const char *row, int64_t e) {
  const base::ElementInfo &info = base::info(type);
  const char *block = row + e / info.blockElements * info.blockBytes;
  Quant quant;
  (void)base::dispatchBlock(type, [&](auto b) {
    std::memcpy(&b, block, sizeof(b));
    quant = quantAt(b, static_cast<int>(e % info.blockElements));
    return Status();
  });
  return quant;
}

/// Where one element's parts lie in its panel.
struct Place {
  Place(const PanelFormat &format, int64_t k, int64_t lane) {
    d = k / format.superBlock * format.superBlockBytes() + 2 * lane;
    min = d + format.minimumByte();
    int64_t group = d - 2 * lane + format.groupsByte() +
                    k % format.superBlock / kPanelGroup * format.groupBytes();
    int64_t sub = k % kPanelGroup / format.subBlock;
    factor = group + sub * kByteRowBytes + lane;
    minFactor = factor + format.minFactorByte();
    int64_t quad = k % format.subBlock / kQuad;
    int64_t quants = group + format.quantsByte() +
                     sub * format.subBlockBytes() + kQuad * lane + k % kQuad;
    low = quants + format.lowByte(quad);
    lowShift = format.lowShift(quad);
    if (!format.highBits)
      return;
    high = quants + format.highByte(quad);
    highShift = format.highShift(quad);
  }

  int64_t d, min, factor, minFactor;
  int64_t low, lowShift, high = 0, highShift = 0;
};

void storeQuant(const PanelFormat &format, char *panel, int64_t k, int64_t lane,
                const Quant &quant) {
  Place at(format, k, lane);
  std::memcpy(panel + at.d, &quant.d, sizeof(quant.d));
  if (format.hasMin)
    std::memcpy(panel + at.min, &quant.min, sizeof(quant.min));
  if (format.hasFactors)
    panel[at.factor] = static_cast<char>(quant.factor);
  if (format.hasFactors && format.hasMin)
    panel[at.minFactor] = static_cast<char>(quant.minFactor);
  int low = quant.value & ((1 << format.bits) - 1);
  panel[at.low] = static_cast<char>(panel[at.low] | low << at.lowShift);
  if (format.highBits)
    panel[at.high] = static_cast<char>(
        panel[at.high] | (quant.value >> format.bits) << at.highShift);
}

Quant loadQuant(const PanelFormat &format, const char *panel, int64_t k,
                int64_t lane) {
  Place at(format, k, lane);
  auto bits = [&](int64_t byte, int64_t shift, int64_t count) {
    return (static_cast<uint8_t>(panel[byte]) >> shift) & ((1 << count) - 1);
  };
  Quant quant;
  std::memcpy(&quant.d, panel + at.d, sizeof(quant.d));
  if (format.hasMin)
    std::memcpy(&quant.min, panel + at.min, sizeof(quant.min));
  if (format.hasFactors)
    quant.factor = static_cast<int8_t>(panel[at.factor]);
  if (format.hasFactors && format.hasMin)
    quant.minFactor = static_cast<int8_t>(panel[at.minFactor]);
  quant.value = bits(at.low, at.lowShift, format.bits);
  if (format.highBits)
    quant.value |= bits(at.high, at.highShift, format.highBits) << format.bits;
  return quant;
}

BlockedElement elementOf(const PanelFormat &format, const Quant &quant) {
  auto scaled = [&](uint16_t half, int factor) {
    float value = base::f16ToF32(half);
    return format.hasFactors ? value * static_cast<float>(factor) : value;
  };
  return {scaled(quant.d, quant.factor),
          format.hasMin ? scaled(quant.min, quant.minFactor) : 0,
          quant.value - static_cast<int>(format.offset),
          base::f16ToF32(quant.d),
          format.hasMin ? base::f16ToF32(quant.min) : 0,
          quant.factor,
          quant.minFactor};
}

} // namespace

BlockedElement blockedElement(ElementType type, const void *row,
                              int64_t number) {
  if (type == ElementType::Q8_K)
    return activationOf(static_cast<const char *>(row), number);
  return elementOf(panelFormat(type),
                   quantOf(type, static_cast<const char *>(row), number));
}

std::string packReference(ElementType type, const void *bytes, int64_t n,
                          int64_t k) {
  const base::ElementInfo &info = base::info(type);
  PanelFormat format = panelFormat(type);
  std::string packed(static_cast<size_t>(packedBytes(type, n, k)), '\0');
  const char *source = static_cast<const char *>(bytes);
  for (int64_t row = 0; row < n; ++row) {
    char *panel = packed.data() + row / kPanelLanes * format.panelBytes(k);
    int64_t lane = row % kPanelLanes;
    const char *from = source + row * k / info.blockElements * info.blockBytes;
    for (int64_t e = 0; e < k; ++e) {
      if (info.isBlocked()) {
        storeQuant(format, panel, e, lane, quantOf(type, from, e));
        continue;
      }
      char *to = panel + format.plainByte(e, lane);
      std::memcpy(to, from + e * info.blockBytes,
                  static_cast<size_t>(info.blockBytes));
      if (format.isBytes())
        *to = static_cast<char>(*to + format.offset);
    }
  }
  return packed;
}

float unpackedElement(ElementType type, const void *packed, int64_t columns,
                      int64_t n, int64_t k) {
  PanelFormat format = panelFormat(type);
  const char *panel = static_cast<const char *>(packed) +
                      n / kPanelLanes * format.panelBytes(columns);
  int64_t lane = n % kPanelLanes;
  if (!format.hasScale) {
    const char *at = panel + format.plainByte(k, lane);
    if (format.isBytes())
      return static_cast<float>(static_cast<uint8_t>(*at) - format.offset);
    float value;
    (void)base::unpack(type, at, 1, &value);
    return value;
  }
  BlockedElement element = elementOf(format, loadQuant(format, panel, k, lane));
  float value = element.scale * static_cast<float>(element.quant);
  return format.hasMin ? value + element.minimum : value;
}

} // namespace tenon::ir
