//===- Float8Weights.cpp - Weights of 8-bit floats with scales ------------===//

#include "runtime/io/Float8Weights.h"

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>

namespace tenon::io {
namespace {

using base::ElementType;

constexpr int64_t kBlock = 128; // rows and columns that share a scale
constexpr std::string_view kScale = "_scale_inv";

std::array<float, 256> makeTable() {
  std::array<float, 256> table;
  for (int bits = 0; bits < 256; ++bits) {
    int exponent = bits >> 3 & 15, mantissa = bits & 7;
    float value = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -9)
                                : std::ldexp(static_cast<float>(8 + mantissa),
                                             exponent - 10);
    if (exponent == 15 && mantissa == 7)
      value = std::numeric_limits<float>::quiet_NaN();
    table[bits] = bits & 128 ? -value : value;
  }
  return table;
}

int64_t blocksOf(int64_t extent) { return (extent + kBlock - 1) / kBlock; }

Status checkParts(const TensorEntry &weight, const TensorEntry *scale,
                  std::string_view source) {
  if (!scale)
    return dataLoss(source, ": expects \"", weight.name, kScale,
                    "\" beside its weight of 8-bit floats");
  bool isMatrix = weight.shape.size() == 2;
  std::vector<int64_t> expected;
  for (int64_t extent : weight.shape)
    expected.push_back(blocksOf(extent));
  if (isMatrix && scale->type == ElementType::F32 && scale->shape == expected)
    return Status();
  return dataLoss(source, ": expects \"", scale->name, "\" of f32 ",
                  printShape(expected), ", a scale for each ", kBlock, " by ",
                  kBlock, " of \"", weight.name, "\" ",
                  printShape(weight.shape), ", got ",
                  base::info(scale->type).name, " ", printShape(scale->shape));
}

std::vector<uint8_t> join(const TensorEntry &weight, const TensorEntry &scale) {
  int64_t rows = weight.shape[0], columns = weight.shape[1];
  int64_t across = blocksOf(columns);
  std::vector<uint8_t> bytes(rows * columns * sizeof(uint16_t));
  uint8_t *out = bytes.data();
  for (int64_t n = 0; n < rows; ++n)
    for (int64_t k = 0; k < columns; ++k, out += sizeof(uint16_t)) {
      float factor;
      int64_t block = n / kBlock * across + k / kBlock;
      std::memcpy(&factor, &scale.data[block * sizeof(float)], sizeof(float));
      uint16_t value =
          base::f32ToBf16(e4m3ToF32(weight.data[n * columns + k]) * factor);
      std::memcpy(out, &value, sizeof(value));
    }
  return bytes;
}

} // namespace

float e4m3ToF32(uint8_t bits) {
  static const std::array<float, 256> kTable = makeTable();
  return kTable[bits];
}

StatusOr<std::vector<std::vector<uint8_t>>>
joinFloat8Weights(std::vector<TensorEntry> &tensors, std::string_view source) {
  std::map<std::string, const TensorEntry *, std::less<>> weights, scales;
  for (const TensorEntry &tensor : tensors)
    if (tensor.isFloat8)
      weights[tensor.name] = &tensor;
  if (weights.empty())
    return std::vector<std::vector<uint8_t>>();
  for (const TensorEntry &tensor : tensors) {
    std::string_view name = tensor.name;
    bool isScale = name.ends_with(kScale);
    if (isScale &&
        weights.contains(name.substr(0, name.size() - kScale.size())))
      scales[std::string(name.substr(0, name.size() - kScale.size()))] =
          &tensor;
  }
  std::vector<std::vector<uint8_t>> built;
  std::vector<TensorEntry> result;
  for (const TensorEntry &tensor : tensors) {
    std::string_view name = tensor.name;
    if (name.ends_with(kScale) &&
        scales.contains(name.substr(0, name.size() - kScale.size())))
      continue;
    result.push_back(tensor);
    if (!tensor.isFloat8)
      continue;
    auto scale = scales.find(name);
    const TensorEntry *found = scale == scales.end() ? nullptr : scale->second;
    TENON_RETURN_IF_ERROR(checkParts(tensor, found, source));
    built.push_back(join(tensor, *found));
    TensorEntry &joined = result.back();
    joined.type = ElementType::BF16;
    joined.isFloat8 = false;
    joined.data = built.back();
  }
  tensors = std::move(result);
  return built;
}

} // namespace tenon::io
