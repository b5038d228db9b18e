//===- Blocks.cpp - Element types, conversions, unpacking -----------------===//

#include "runtime/base/Blocks.h"

#include "runtime/base/BlockLayouts.h"

#include <array>
#include <bit>
#include <cstring>
#include <limits>

namespace tenon::base {

namespace {

constexpr std::array kTypes = {
    ElementType::F32,  ElementType::F16,      ElementType::BF16,
    ElementType::F64,  ElementType::I8,       ElementType::U8,
    ElementType::I16,  ElementType::I32,      ElementType::I64,
    ElementType::Bool, ElementType::Q8_0,     ElementType::Q4_0,
    ElementType::Q4_1, ElementType::Q5_0,     ElementType::Q5_1,
    ElementType::Q4_K, ElementType::Q5_K,     ElementType::Q6_K,
    ElementType::Q8_K, ElementType::Int4_G64, ElementType::Int4_G128,
};

constexpr std::array<ElementInfo, kTypes.size()> kInfos = {{
    {"f32", 1, 4},
    {"f16", 1, 2},
    {"bf16", 1, 2},
    {"f64", 1, 8},
    {"i8", 1, 1},
    {"u8", 1, 1},
    {"i16", 1, 2},
    {"i32", 1, 4},
    {"i64", 1, 8},
    {"bool", 1, 1},
    {"q8_0", 32, sizeof(BlockQ8_0)},
    {"q4_0", 32, sizeof(BlockQ4_0)},
    {"q4_1", 32, sizeof(BlockQ4_1)},
    {"q5_0", 32, sizeof(BlockQ5_0)},
    {"q5_1", 32, sizeof(BlockQ5_1)},
    {"q4_k", 256, sizeof(BlockQ4_K)},
    {"q5_k", 256, sizeof(BlockQ5_K)},
    {"q6_k", 256, sizeof(BlockQ6_K)},
    {"q8_k", 256, sizeof(BlockQ8_K)},
    {"int4_g64", 64, sizeof(BlockInt4_G64)},
    {"int4_g128", 128, sizeof(BlockInt4_G128)},
}};

void unpackBlock(const BlockQ8_0 &b, float *out) {
  float d = f16ToF32(b.d);
  for (int j = 0; j < 32; ++j)
    out[j] = d * static_cast<float>(b.qs[j]);
}

template <int Elements>
void unpackBlock(const BlockInt4<Elements> &b, float *out) {
  float d = f16ToF32(b.d);
  for (int e = 0; e < Elements; ++e)
    out[e] = d * static_cast<float>(fourBits(b.qs, e) - 8);
}

void unpackBlock(const BlockQ4_1 &b, float *out) {
  float d = f16ToF32(b.d), m = f16ToF32(b.m);
  for (int j = 0; j < 16; ++j) {
    out[j] = d * static_cast<float>(b.qs[j] & 15) + m;
    out[j + 16] = d * static_cast<float>(b.qs[j] >> 4) + m;
  }
}

void unpackBlock(const BlockQ5_0 &b, float *out) {
  float d = f16ToF32(b.d);
  for (int j = 0; j < 32; ++j)
    out[j] = d * static_cast<float>(fiveBits(b.qs, b.qh, j) - 16);
}

void unpackBlock(const BlockQ5_1 &b, float *out) {
  float d = f16ToF32(b.d), m = f16ToF32(b.m);
  for (int j = 0; j < 32; ++j)
    out[j] = d * static_cast<float>(fiveBits(b.qs, b.qh, j)) + m;
}

void unpackBlock(const BlockQ4_K &b, float *out) {
  float d = f16ToF32(b.d), dmin = f16ToF32(b.dmin);
  for (int e = 0; e < 256; ++e) {
    ScaleAndMin s = scaleAndMin(b.scales, e / 32);
    float scale = d * static_cast<float>(s.scale);
    float offset = dmin * static_cast<float>(s.min);
    float product = scale * static_cast<float>(nibbleK(b.qs, e));
    out[e] = product - offset;
  }
}

void unpackBlock(const BlockQ5_K &b, float *out) {
  float d = f16ToF32(b.d), dmin = f16ToF32(b.dmin);
  for (int e = 0; e < 256; ++e) {
    ScaleAndMin s = scaleAndMin(b.scales, e / 32);
    float scale = d * static_cast<float>(s.scale);
    float offset = dmin * static_cast<float>(s.min);
    int high = (b.qh[e % 32] >> (e / 32)) & 1;
    float product = scale * static_cast<float>(nibbleK(b.qs, e) + 16 * high);
    out[e] = product - offset;
  }
}

void unpackBlock(const BlockQ6_K &b, float *out) {
  float d = f16ToF32(b.d);
  for (int e = 0; e < 256; ++e) {
    SixBits at = sixBits(e);
    int low = (b.ql[at.lowByte] >> at.lowShift) & 15;
    int high = (b.qh[at.highByte] >> at.highShift) & 3;
    float scale = d * static_cast<float>(b.scales[e / 16]);
    out[e] = scale * static_cast<float>((low | high << 4) - 32);
  }
}

void unpackBlock(const BlockQ8_K &b, float *out) {
  float d;
  std::memcpy(&d, b.d, sizeof(d));
  for (int e = 0; e < 256; ++e)
    out[e] = d * static_cast<float>(b.qs[e]);
}

// Blocks in a file need not be aligned, so each is copied before it is read.
template <typename Block>
void unpackBlocks(const void *blocks, int64_t count, int64_t perBlock,
                  float *out) {
  const auto *bytes = static_cast<const uint8_t *>(blocks);
  for (int64_t i = 0; i < count / perBlock; ++i) {
    Block block;
    std::memcpy(&block, bytes + i * sizeof(Block), sizeof(Block));
    unpackBlock(block, out + i * perBlock);
  }
}

template <typename T, typename Convert>
void unpackPlain(const void *values, int64_t count, float *out,
                 Convert convert) {
  const auto *bytes = static_cast<const uint8_t *>(values);
  for (int64_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, bytes + i * sizeof(T), sizeof(T));
    out[i] = convert(value);
  }
}

template <typename T> float asFloat(T value) {
  return static_cast<float>(value);
}

} // namespace

std::span<const ElementType> allElementTypes() { return kTypes; }

const ElementInfo &info(ElementType type) {
  return kInfos[static_cast<size_t>(type)];
}

bool isBlockedWeight(ElementType type) {
  return info(type).isBlocked() && type != ElementType::Q8_K;
}

std::optional<ElementType> parseElementType(std::string_view name) {
  if (name == "int4_g32")
    return ElementType::Q4_0;
  for (ElementType type : kTypes)
    if (info(type).name == name)
      return type;
  return std::nullopt;
}

StatusOr<int64_t> sizeBytes(ElementType type, int64_t count) {
  const ElementInfo &layout = info(type);
  if (count < 0 || count % layout.blockElements != 0)
    return invalidArgument("expects a count of ", layout.name,
                           " elements that is a multiple of ",
                           layout.blockElements, ", got ", count);
  int64_t blocks = count / layout.blockElements;
  if (blocks > std::numeric_limits<int64_t>::max() / layout.blockBytes)
    return outOfRange("expects a size below 2^63 bytes, got ", count,
                      " elements of ", layout.name);
  return blocks * layout.blockBytes;
}

float f16ToF32(uint16_t bits) {
  uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  uint32_t exponent = (bits >> 10) & 31, mantissa = bits & 0x3ff;
  if (exponent == 31) // Infinity, or a NaN that becomes quiet.
    return std::bit_cast<float>(sign | 0x7f800000 | mantissa << 13 |
                                (mantissa ? 0x400000u : 0u));
  if (exponent == 0) { // Zero or subnormal: an exact multiple of 2^-24.
    float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
}

uint16_t f32ToF16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  uint16_t sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000)
    return static_cast<uint16_t>(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
  if (magnitude >= 0x477ff000) // 65520 and above round to infinity.
    return sign | 0x7c00;
  if (magnitude < 0x33000000) // Below 2^-25 everything rounds to zero.
    return sign;
  uint32_t exponent = magnitude >> 23;
  uint32_t significand = (magnitude & 0x7fffff) | 0x800000;
  // Normal results drop 13 bits; subnormal ones (below 2^-14) drop more.
  uint32_t shift = exponent < 113 ? 126 - exponent : 13;
  uint32_t base = exponent < 113 ? 0 : (exponent - 113) << 10;
  uint32_t kept = significand >> shift;
  uint32_t rest = significand & ((1u << shift) - 1), half = 1u << (shift - 1);
  if (rest > half || (rest == half && (kept & 1)))
    ++kept; // A carry moves into the exponent, as it should.
  return static_cast<uint16_t>(sign | (base + kept));
}

float bf16ToF32(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

uint16_t f32ToBf16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000)
    return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

Status unpack(ElementType type, const void *blocks, int64_t count, float *out) {
  StatusOr<int64_t> size = sizeBytes(type, count);
  if (!size.ok())
    return size.status();
  if (count == 0)
    return Status();
  switch (type) {
  case ElementType::F32:
    std::memcpy(out, blocks, static_cast<size_t>(*size));
    break;
  case ElementType::F16:
    unpackPlain<uint16_t>(blocks, count, out, f16ToF32);
    break;
  case ElementType::BF16:
    unpackPlain<uint16_t>(blocks, count, out, bf16ToF32);
    break;
  case ElementType::F64:
    unpackPlain<double>(blocks, count, out, asFloat<double>);
    break;
  case ElementType::I8:
    unpackPlain<int8_t>(blocks, count, out, asFloat<int8_t>);
    break;
  case ElementType::U8:
    unpackPlain<uint8_t>(blocks, count, out, asFloat<uint8_t>);
    break;
  case ElementType::I16:
    unpackPlain<int16_t>(blocks, count, out, asFloat<int16_t>);
    break;
  case ElementType::I32:
    unpackPlain<int32_t>(blocks, count, out, asFloat<int32_t>);
    break;
  case ElementType::I64:
    unpackPlain<int64_t>(blocks, count, out, asFloat<int64_t>);
    break;
  case ElementType::Bool:
    unpackPlain<uint8_t>(blocks, count, out,
                         [](uint8_t value) { return value ? 1.0f : 0.0f; });
    break;
  default:
    return dispatchBlock(type, [&](auto block) {
      unpackBlocks<decltype(block)>(blocks, count, info(type).blockElements,
                                    out);
      return Status();
    });
  }
  return Status();
}

} // namespace tenon::base
