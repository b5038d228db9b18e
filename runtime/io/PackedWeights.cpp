//===- PackedWeights.cpp - Weights that files spread over tensors ---------===//

#include "runtime/io/PackedWeights.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

namespace tenon::io {

namespace {

using base::ElementType;

constexpr std::string_view kPackedEnd = "weight_packed";
constexpr int64_t kIntegersOfWord = 8, kRun = 32;
constexpr int64_t kGroups[] = {32, 64, 128};

std::string printEntry(const TensorEntry &tensor) {
  return concat(base::info(tensor.type).name, " ", printShape(tensor.shape));
}

/// The parts of one weight, and what they say.
struct Parts {
  std::string name; // of the weight
  const TensorEntry *packed = nullptr, *scale = nullptr, *shape = nullptr;
  int64_t rows = 0, columns = 0, group = 0;
  ElementType type = ElementType::Q4_0;
};

class PackedReader {
public:
  PackedReader(const std::vector<TensorEntry> &tensors, std::string_view source)
      : source(source) {
    for (const TensorEntry &tensor : tensors)
      byName[tensor.name] = &tensor;
  }

  /// Finds and checks what belongs to `packed`.
  StatusOr<Parts> partsOf(const TensorEntry &packed) const;
  /// Makes the blocks of a weight.
  StatusOr<std::vector<uint8_t>> build(const Parts &parts) const;

private:
  StatusOr<const TensorEntry *> part(const std::string &name) const;
  Status checkTypes(const Parts &parts) const;
  Status readExtents(Parts &parts) const;

  std::string_view source;
  std::map<std::string_view, const TensorEntry *> byName;
};

StatusOr<const TensorEntry *>
PackedReader::part(const std::string &name) const {
  if (auto found = byName.find(name); found != byName.end())
    return found->second;
  return dataLoss(source, ": expects \"", name, "\" beside its packed weight");
}

StatusOr<Parts> PackedReader::partsOf(const TensorEntry &packed) const {
  Parts parts;
  parts.packed = &packed;
  parts.name = packed.name.substr(0, packed.name.rfind('_'));
  for (const char *other : {"_zero_point", "_g_idx"})
    if (byName.contains(parts.name + other))
      return unimplemented(source, ": expects \"", parts.name,
                           "\" of symmetric integers in the order of their "
                           "columns, got \"",
                           parts.name, other, "\"");
  TENON_ASSIGN_OR_RETURN(parts.scale, part(parts.name + "_scale"));
  TENON_ASSIGN_OR_RETURN(parts.shape, part(parts.name + "_shape"));
  TENON_RETURN_IF_ERROR(checkTypes(parts));
  TENON_RETURN_IF_ERROR(readExtents(parts));
  return parts;
}

Status PackedReader::checkTypes(const Parts &parts) const {
  auto bad = [&](const TensorEntry &tensor, std::string_view expected) {
    return dataLoss(source, ": expects \"", tensor.name, "\" to be ", expected,
                    ", got ", printEntry(tensor));
  };
  const TensorEntry &packed = *parts.packed, &scale = *parts.scale;
  if (packed.type != ElementType::I32 || packed.shape.size() != 2)
    return bad(packed, "i32 of two axes");
  bool isFloat = scale.type == ElementType::F16 ||
                 scale.type == ElementType::BF16 ||
                 scale.type == ElementType::F32;
  if (!isFloat || scale.shape.size() != 2)
    return bad(scale, "f16, bf16 or f32 of two axes");
  if (parts.shape->type != ElementType::I64 ||
      parts.shape->shape != std::vector<int64_t>{2})
    return bad(*parts.shape, "i64 [2]");
  return Status();
}

Status PackedReader::readExtents(Parts &parts) const {
  int64_t extents[2];
  std::memcpy(extents, parts.shape->data.data(), sizeof(extents));
  parts.rows = extents[0];
  parts.columns = extents[1];
  const std::vector<int64_t> &packed = parts.packed->shape;
  int64_t columns = 0;
  if (parts.rows < 1 || parts.columns < 1 || packed[0] != parts.rows ||
      !multiply(packed[1], kIntegersOfWord, columns) ||
      columns != parts.columns)
    return dataLoss(source, ": expects \"", parts.packed->name,
                    "\" to have 8 integers of 4 bits a word of ",
                    printShape(extents), ", got ", printEntry(*parts.packed));
  const std::vector<int64_t> &scale = parts.scale->shape;
  for (int64_t group : kGroups) {
    if (columns % group != 0 || scale[0] != parts.rows ||
        scale[1] != columns / group)
      continue;
    parts.group = group;
    parts.type = *base::parseElementType(concat("int4_g", group));
    return Status();
  }
  return unimplemented(source, ": expects \"", parts.scale->name,
                       "\" to have a scale for each 32, 64 or 128 columns of ",
                       printShape(extents), ", got ", printEntry(*parts.scale));
}

/// Stores `count` integers, whole runs, as a block has them.
void repack(const uint8_t *words, int64_t count, uint8_t *quants) {
  constexpr int64_t kHalf = kRun / 2;
  auto integer = [](const uint8_t *run, int64_t e) {
    return run[e / 2] >> (e % 2 * 4) & 15;
  };
  for (int64_t start = 0; start < count; start += kRun)
    for (int64_t j = 0; j < kHalf; ++j)
      quants[start / 2 + j] =
          static_cast<uint8_t>(integer(words + start / 2, j) |
                               integer(words + start / 2, j + kHalf) << 4);
}

StatusOr<std::vector<uint8_t>> PackedReader::build(const Parts &parts) const {
  int64_t groups = parts.columns / parts.group;
  int64_t scaleBytes = groups * base::info(parts.scale->type).blockBytes;
  TENON_ASSIGN_OR_RETURN(
      int64_t size, base::sizeBytes(parts.type, parts.rows * parts.columns));
  std::vector<uint8_t> blocks(static_cast<size_t>(size));
  std::vector<float> scales(static_cast<size_t>(groups));
  const uint8_t *words = parts.packed->data.data();
  uint8_t *to = blocks.data();
  for (int64_t row = 0; row < parts.rows; ++row) {
    TENON_RETURN_IF_ERROR(base::unpack(
        parts.scale->type, parts.scale->data.data() + row * scaleBytes, groups,
        scales.data()));
    for (int64_t group = 0; group < groups; ++group) {
      constexpr uint16_t kInfinity = 0x7c00;
      float scale = scales[static_cast<size_t>(group)];
      uint16_t half = base::f32ToF16(scale);
      if ((half & kInfinity) == kInfinity)
        return outOfRange(source, ": expects scales of at most 65504 in \"",
                          parts.scale->name, "\", got ", scale, " at [", row,
                          ", ", group, "]");
      std::memcpy(to, &half, sizeof(half));
      repack(words, parts.group, to + sizeof(half));
      words += parts.group / 2;
      to += base::info(parts.type).blockBytes;
    }
  }
  return blocks;
}

} // namespace

StatusOr<std::vector<std::vector<uint8_t>>>
joinPackedWeights(std::vector<TensorEntry> &tensors, std::string_view source) {
  PackedReader reader(tensors, source);
  std::vector<std::vector<uint8_t>> built;
  std::vector<TensorEntry> joined;
  std::set<const TensorEntry *> used;
  for (const TensorEntry &tensor : tensors) {
    if (!tensor.name.ends_with(kPackedEnd))
      continue;
    TENON_ASSIGN_OR_RETURN(Parts parts, reader.partsOf(tensor));
    TENON_ASSIGN_OR_RETURN(std::vector<uint8_t> blocks, reader.build(parts));
    built.push_back(std::move(blocks));
    joined.push_back({parts.name,
                      parts.type,
                      {parts.rows, parts.columns},
                      tensor.file,
                      tensor.offset,
                      built.back()});
    used.insert({parts.scale, parts.shape});
  }
  std::vector<TensorEntry> result;
  auto next = joined.begin();
  for (TensorEntry &tensor : tensors) {
    if (used.contains(&tensor))
      continue;
    bool isPacked = tensor.name.ends_with(kPackedEnd);
    result.push_back(isPacked ? std::move(*next++) : std::move(tensor));
  }
  tensors = std::move(result);
  return built;
}

//===----------------------------------------------------------------------===//
// config.json
//===----------------------------------------------------------------------===//

namespace {

/// Prints a member that may be missing.
std::string printMember(const Json *value) {
  if (!value)
    return "nothing";
  return value->dump(-1, ' ', false, Json::error_handler_t::replace);
}

Status checkGroup(const Json &weights, std::string_view source) {
  auto expect = [&](bool holds, std::string_view key,
                    std::string_view expected) -> Status {
    if (holds)
      return Status();
    return unimplemented(source, ": expects quantised weights with \"", key,
                         "\" of ", expected, ", got ",
                         printMember(findMember(weights, key)));
  };
  int64_t bits = 0, size = 0;
  (void)readInt(findMember(weights, "num_bits"), 4, 4, bits);
  (void)readInt(findMember(weights, "group_size"), 32, 128, size);
  const std::string *type = textOf(findMember(weights, "type"));
  TENON_RETURN_IF_ERROR(expect(bits == 4, "num_bits", "4"));
  TENON_RETURN_IF_ERROR(expect(!type || *type == "int", "type", "\"int\""));
  TENON_RETURN_IF_ERROR(expect(boolOr(findMember(weights, "symmetric"), true),
                               "symmetric",
                               "true, as zero points are not supported"));
  return expect(std::ranges::count(kGroups, size) == 1, "group_size",
                "32, 64 or 128");
}

/// DeepSeek-V3's: what Float8Weights.h reads.
Status checkFloat8(const Json &quantization, std::string_view source) {
  const std::string *format = textOf(findMember(quantization, "fmt"));
  const Json *block = findMember(quantization, "weight_block_size");
  bool isKnown =
      format && *format == "e4m3" &&
      (!block || (block->is_array() && block->dump() == "[128,128]"));
  if (isKnown)
    return Status();
  return unimplemented(source,
                       ": expects \"quantization_config\" of \"fp8\" "
                       "with \"fmt\" \"e4m3\" and \"weight_block_size\" "
                       "[128,128], got ",
                       printMember(findMember(quantization, "fmt")), " and ",
                       printMember(block));
}

} // namespace

Status checkQuantization(const Json &config, std::string_view source) {
  const Json *quantization = findMember(config, "quantization_config");
  if (!quantization || quantization->is_null())
    return Status();
  const Json *method = findMember(*quantization, "quant_method");
  const Json *format = findMember(*quantization, "format");
  const std::string *methodText = textOf(method), *formatText = textOf(format);
  if (methodText && *methodText == "fp8")
    return checkFloat8(*quantization, source);
  if (!methodText || *methodText != "compressed-tensors" || !formatText ||
      *formatText != "pack-quantized")
    return unimplemented(source,
                         ": expects \"quantization_config\" of \"quant_method\""
                         " \"fp8\", or \"compressed-tensors\" and \"format\" "
                         "\"pack-quantized\", got ",
                         printMember(method), " and ", printMember(format));
  const Json *groups = findMember(*quantization, "config_groups");
  if (!groups || !groups->is_object())
    return Status(); // The tensors tell.
  for (const auto &[name, group] : groups->items())
    if (const Json *weights = findMember(group, "weights");
        weights && weights->is_object())
      TENON_RETURN_IF_ERROR(checkGroup(*weights, source));
  return Status();
}

} // namespace tenon::io
