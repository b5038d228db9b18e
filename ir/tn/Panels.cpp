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
    return format;
  }
  bool isK = info.blockElements == 256;
  format.subBlock = type == ElementType::Q6_K ? 16 : 32;
  format.bits = type == ElementType::Q4_0 || type == ElementType::Q4_1 ||
                        type == ElementType::Q4_K
                    ? 4
                    : 8;
  format.offset = type == ElementType::Q4_0 ? 8 : 0;
  format.hasScale = true;
  format.hasMin = type == ElementType::Q4_1 || type == ElementType::Q5_1 ||
                  type == ElementType::Q4_K || type == ElementType::Q5_K;
  // d * sc is exact in f32 and no longer an f16.
  format.scaleType = isK ? ElementType::F32 : ElementType::F16;
  return format;
}

int64_t packedBytes(ElementType type, int64_t n, int64_t k) {
  return (n + kPanelLanes - 1) / kPanelLanes * panelFormat(type).panelBytes(k);
}

namespace {

// One element as panels store it. Scales and minima of the legacy formats keep
// the file's f16 bits; those of the K formats are f32.
struct Quant {
  uint32_t scale = 0, min = 0; // bits
  int value = 0;
};

uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

Quant quantAt(const base::BlockQ8_0 &b, int e) { return {b.d, 0, b.qs[e]}; }

int nibble(const uint8_t *qs, int e) {
  return e < 16 ? qs[e] & 15 : qs[e - 16] >> 4;
}

Quant quantAt(const base::BlockQ4_0 &b, int e) {
  return {b.d, 0, nibble(b.qs, e)};
}

Quant quantAt(const base::BlockQ4_1 &b, int e) {
  return {b.d, b.m, nibble(b.qs, e)};
}

Quant quantAt(const base::BlockQ5_0 &b, int e) {
  return {b.d, 0, base::fiveBits(b.qs, b.qh, e) - 16};
}

Quant quantAt(const base::BlockQ5_1 &b, int e) {
  return {b.d, b.m, base::fiveBits(b.qs, b.qh, e)};
}

// The minimum is stored negated, so that it is always added.
template <typename Block> Quant scaledK(const Block &b, int e, int value) {
  base::ScaleAndMin s = base::scaleAndMin(b.scales, e / 32);
  float scale = base::f16ToF32(b.d) * static_cast<float>(s.scale);
  float offset = base::f16ToF32(b.dmin) * static_cast<float>(s.min);
  return {bitsOf(scale), bitsOf(-offset), value};
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
  float scale = base::f16ToF32(b.d) * static_cast<float>(b.scales[e / 16]);
  return {bitsOf(scale), 0, (low | high << 4) - 32};
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

void storeQuant(const PanelFormat &format, char *panel, int64_t k, int64_t lane,
                const Quant &quant) {
  size_t scaleBytes =
      static_cast<size_t>(base::info(format.scaleType).blockBytes);
  std::memcpy(panel + format.scaleByte(k, lane), &quant.scale, scaleBytes);
  if (format.hasMin)
    std::memcpy(panel + format.minByte(k, lane), &quant.min, scaleBytes);
  char *at = panel + format.quantByte(k, lane);
  if (format.bits == 8)
    *at = static_cast<char>(quant.value);
  else
    *at = static_cast<char>(*at | quant.value << (k % 2 ? 4 : 0));
}

float loadScale(ElementType type, const char *at) {
  if (type == ElementType::F32) {
    float value;
    std::memcpy(&value, at, sizeof(value));
    return value;
  }
  uint16_t bits;
  std::memcpy(&bits, at, sizeof(bits));
  return base::f16ToF32(bits);
}

} // namespace

BlockedElement blockedElement(ElementType type, const void *row,
                              int64_t number) {
  Quant quant = quantOf(type, static_cast<const char *>(row), number);
  PanelFormat format = panelFormat(type);
  auto scaleOf = [&](const uint32_t &bits) {
    return loadScale(format.scaleType, reinterpret_cast<const char *>(&bits));
  };
  return {scaleOf(quant.scale), format.hasMin ? scaleOf(quant.min) : 0,
          quant.value - static_cast<int>(format.offset)};
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
      if (info.isBlocked())
        storeQuant(format, panel, e, lane, quantOf(type, from, e));
      else
        std::memcpy(panel + format.quantByte(e, lane),
                    from + e * info.blockBytes,
                    static_cast<size_t>(info.blockBytes));
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
  const char *at = panel + format.quantByte(k, lane);
  if (!format.hasScale) {
    float value;
    (void)base::unpack(type, at, 1, &value);
    return value;
  }
  int quant = static_cast<int8_t>(*at);
  if (format.bits == 4)
    quant = (static_cast<uint8_t>(*at) >> (k % 2 ? 4 : 0)) & 15;
  float scale = loadScale(format.scaleType, panel + format.scaleByte(k, lane));
  float value = scale * static_cast<float>(quant - format.offset);
  if (!format.hasMin)
    return value;
  return value + loadScale(format.scaleType, panel + format.minByte(k, lane));
}

} // namespace tenon::ir
