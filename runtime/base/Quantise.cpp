//===- Quantise.cpp - pack(): the reference quantisers --------------------===//

#include "runtime/base/BlockLayouts.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace tenon::base {

namespace {

constexpr float kMaxF16 = 65504.0f;

// A scale beyond f16 would turn the whole block into infinities.
uint16_t scaleToF16(float scale) {
  return f32ToF16(std::clamp(scale, -kMaxF16, kMaxF16));
}

// Divides, taking 0/0 and x/0 as 0: an all-zero block has scale 0.
float ratio(float x, float scale) { return scale == 0 ? 0 : x / scale; }

int quantum(float x, int low, int high) {
  float clamped =
      std::clamp(x, static_cast<float>(low), static_cast<float>(high));
  return static_cast<int>(std::nearbyint(clamped));
}

// The value of largest magnitude, with its sign.
float signedMax(const float *x, int n) {
  float best = 0;
  for (int j = 0; j < n; ++j)
    if (std::fabs(x[j]) > std::fabs(best))
      best = x[j];
  return best;
}

void setFiveBits(uint8_t *qs, uint8_t *qh, int j, int q) {
  qs[j % 16] |= static_cast<uint8_t>((q & 15) << (j < 16 ? 0 : 4));
  qh[j / 8] |= static_cast<uint8_t>((q >> 4) << (j % 8));
}

void packBlock(const float *x, BlockQ8_0 &b) {
  b.d = scaleToF16(std::fabs(signedMax(x, 32)) / 127);
  float d = f16ToF32(b.d);
  for (int j = 0; j < 32; ++j)
    b.qs[j] = static_cast<int8_t>(quantum(ratio(x[j], d), -127, 127));
}

template <int Elements> void packBlock(const float *x, BlockInt4<Elements> &b) {
  // The extreme value maps to -8, the side with one more step.
  b.d = scaleToF16(signedMax(x, Elements) / -8);
  float d = f16ToF32(b.d);
  for (int e = 0; e < Elements; ++e) {
    int q = quantum(ratio(x[e], d), -8, 7) + 8;
    FourBits at = fourBitsAt(e);
    b.qs[at.byte] |= static_cast<uint8_t>(q << at.shift);
  }
}

void packBlock(const float *x, BlockQ5_0 &b) {
  b.d = scaleToF16(signedMax(x, 32) / -16);
  float d = f16ToF32(b.d);
  for (int j = 0; j < 32; ++j)
    setFiveBits(b.qs, b.qh, j, quantum(ratio(x[j], d), -16, 15) + 16);
}

void packBlock(const float *x, BlockQ4_1 &b) {
  auto [low, high] = std::minmax_element(x, x + 32);
  b.d = scaleToF16(*high / 15 - *low / 15);
  b.m = scaleToF16(*low);
  float d = f16ToF32(b.d), m = f16ToF32(b.m);
  for (int j = 0; j < 32; ++j) {
    int q = quantum(ratio(x[j] - m, d), 0, 15);
    b.qs[j % 16] |= static_cast<uint8_t>(q << (j < 16 ? 0 : 4));
  }
}

void packBlock(const float *x, BlockQ5_1 &b) {
  auto [low, high] = std::minmax_element(x, x + 32);
  b.d = scaleToF16(*high / 31 - *low / 31);
  b.m = scaleToF16(*low);
  float d = f16ToF32(b.d), m = f16ToF32(b.m);
  for (int j = 0; j < 32; ++j)
    setFiveBits(b.qs, b.qh, j, quantum(ratio(x[j] - m, d), 0, 31));
}

void setScaleAndMin(uint8_t *s, int j, ScaleAndMin v) {
  if (j < 4) {
    s[j] |= static_cast<uint8_t>(v.scale);
    s[j + 4] |= static_cast<uint8_t>(v.min);
    return;
  }
  s[j + 4] |= static_cast<uint8_t>((v.scale & 15) | (v.min & 15) << 4);
  s[j - 4] |= static_cast<uint8_t>((v.scale >> 4) << 6);
  s[j] |= static_cast<uint8_t>((v.min >> 4) << 6);
}

// Fills the two-level scales that q4_k and q5_k share, then calls
// `store(element, q)` for each of the 256 integers in [0, `steps`].
template <typename Block, typename Store>
void packTwoLevel(const float *x, int steps, Block &b, Store store) {
  float scale[8], offset[8]; // x is close to scale * q - offset
  for (int j = 0; j < 8; ++j) {
    auto [low, high] = std::minmax_element(x + 32 * j, x + 32 * j + 32);
    offset[j] = std::max(0.0f, -*low); // The stored minimum has no sign.
    scale[j] = std::max(0.0f, (*high / static_cast<float>(steps) +
                               offset[j] / static_cast<float>(steps)));
  }
  b.d = scaleToF16(*std::max_element(scale, scale + 8) / 63);
  b.dmin = scaleToF16(*std::max_element(offset, offset + 8) / 63);
  float d = f16ToF32(b.d), dmin = f16ToF32(b.dmin);
  for (int j = 0; j < 8; ++j) {
    ScaleAndMin v = {quantum(ratio(scale[j], d), 0, 63),
                     quantum(ratio(offset[j], dmin), 0, 63)};
    setScaleAndMin(b.scales, j, v);
    float step = d * static_cast<float>(v.scale);
    float shift = dmin * static_cast<float>(v.min);
    for (int e = 32 * j; e < 32 * j + 32; ++e)
      store(e, quantum(ratio(x[e] + shift, step), 0, steps));
  }
}

void storeNibbleK(uint8_t *qs, int e, int q) {
  qs[e / 64 * 32 + e % 32] |=
      static_cast<uint8_t>((q & 15) << (e % 64 < 32 ? 0 : 4));
}

void packBlock(const float *x, BlockQ4_K &b) {
  packTwoLevel(x, 15, b, [&](int e, int q) { storeNibbleK(b.qs, e, q); });
}

void packBlock(const float *x, BlockQ5_K &b) {
  packTwoLevel(x, 31, b, [&](int e, int q) {
    storeNibbleK(b.qs, e, q);
    b.qh[e % 32] |= static_cast<uint8_t>((q >> 4) << (e / 32));
  });
}

void packBlock(const float *x, BlockQ6_K &b) {
  float scale[16];
  for (int j = 0; j < 16; ++j)
    scale[j] = signedMax(x + 16 * j, 16) / -32;
  b.d = scaleToF16(std::fabs(signedMax(scale, 16)) / 127);
  float d = f16ToF32(b.d);
  for (int j = 0; j < 16; ++j)
    b.scales[j] = static_cast<int8_t>(quantum(ratio(scale[j], d), -127, 127));
  for (int e = 0; e < 256; ++e) {
    float step = d * static_cast<float>(b.scales[e / 16]);
    int q = quantum(ratio(x[e], step), -32, 31) + 32;
    SixBits at = sixBits(e);
    b.ql[at.lowByte] |= static_cast<uint8_t>((q & 15) << at.lowShift);
    b.qh[at.highByte] |= static_cast<uint8_t>((q >> 4) << at.highShift);
  }
}

// Smaller steps would have subnormal products with other scales.
constexpr float kLeastStep = 0x1p-100f;

void packBlock(const float *x, BlockQ8_K &b) {
  float d = std::fabs(signedMax(x, 256)) / 127;
  if (d < kLeastStep)
    d = 0;
  std::memcpy(b.d, &d, sizeof(d));
  for (int e = 0; e < 256; ++e) {
    int q = quantum(ratio(x[e], d), -127, 127);
    b.qs[e] = static_cast<int8_t>(q);
    b.sums[e / 16] = static_cast<int16_t>(b.sums[e / 16] + q);
  }
}

// The largest float that converts to T: (float)INT64_MAX would be one too big.
template <typename T> T saturate(float value) {
  float rounded = std::nearbyint(value);
  constexpr float limit = -static_cast<float>(std::numeric_limits<T>::min());
  if constexpr (std::is_signed_v<T>) {
    if (rounded >= limit)
      return std::numeric_limits<T>::max();
    return static_cast<T>(std::max(rounded, -limit));
  } else {
    constexpr auto most = static_cast<float>(std::numeric_limits<T>::max());
    return static_cast<T>(std::clamp(rounded, 0.0f, most));
  }
}

template <typename T, typename Convert>
void packPlain(const float *values, int64_t count, void *out, Convert convert) {
  auto *bytes = static_cast<uint8_t *>(out);
  for (int64_t i = 0; i < count; ++i) {
    T value = convert(values[i]);
    std::memcpy(bytes + i * sizeof(T), &value, sizeof(T));
  }
}

// Packs one of the types that can hold every float; false for the others.
bool packFloat(ElementType type, const float *values, int64_t count,
               void *out) {
  switch (type) {
  case ElementType::F32:
    packPlain<float>(values, count, out, [](float v) { return v; });
    return true;
  case ElementType::F64:
    packPlain<double>(values, count, out,
                      [](float v) { return static_cast<double>(v); });
    return true;
  case ElementType::F16:
    packPlain<uint16_t>(values, count, out, f32ToF16);
    return true;
  case ElementType::BF16:
    packPlain<uint16_t>(values, count, out, f32ToBf16);
    return true;
  default:
    return false;
  }
}

// Packs one of the plain integer types; false for the others.
bool packInteger(ElementType type, const float *values, int64_t count,
                 void *out) {
  switch (type) {
  case ElementType::I8:
    packPlain<int8_t>(values, count, out, saturate<int8_t>);
    return true;
  case ElementType::U8:
    packPlain<uint8_t>(values, count, out, saturate<uint8_t>);
    return true;
  case ElementType::I16:
    packPlain<int16_t>(values, count, out, saturate<int16_t>);
    return true;
  case ElementType::I32:
    packPlain<int32_t>(values, count, out, saturate<int32_t>);
    return true;
  case ElementType::I64:
    packPlain<int64_t>(values, count, out, saturate<int64_t>);
    return true;
  case ElementType::Bool:
    packPlain<uint8_t>(values, count, out,
                       [](float v) { return uint8_t{v != 0}; });
    return true;
  default:
    return false;
  }
}

} // namespace

Status pack(ElementType type, const float *values, int64_t count,
            void *blocks) {
  StatusOr<int64_t> size = sizeBytes(type, count);
  if (!size.ok())
    return size.status();
  if (packFloat(type, values, count, blocks))
    return Status();
  for (int64_t i = 0; i < count; ++i)
    if (!std::isfinite(values[i]))
      return invalidArgument("expects finite values for ", info(type).name,
                             ", got ", values[i], " at index ", i);
  if (packInteger(type, values, count, blocks))
    return Status();
  return dispatchBlock(type, [&](auto empty) {
    int64_t perBlock = info(type).blockElements;
    auto *bytes = static_cast<uint8_t *>(blocks);
    for (int64_t i = 0; i < count / perBlock; ++i) {
      auto block = empty;
      packBlock(values + i * perBlock, block);
      std::memcpy(bytes + i * sizeof(block), &block, sizeof(block));
    }
    return Status();
  });
}

} // namespace tenon::base
