//===- Safetensors.cpp - The safetensors reader ---------------------------===//

#include "runtime/io/Safetensors.h"

#include "runtime/io/ByteReader.h"
#include "runtime/io/Json.h"

#include <algorithm>
#include <map>

namespace tenon::io {

namespace {

using base::ElementType;

constexpr uint64_t kMaxHeaderBytes = 100'000'000; // the format's own limit
constexpr size_t kMaxRank = 16;

struct DType {
  std::string_view name;
  ElementType type;
};
constexpr std::string_view kFloat8 = "F8_E4M3";
constexpr DType kDTypes[] = {
    {"BOOL", ElementType::Bool}, {"U8", ElementType::U8},
    {"I8", ElementType::I8},     {"I16", ElementType::I16},
    {"I32", ElementType::I32},   {"I64", ElementType::I64},
    {"F16", ElementType::F16},   {"BF16", ElementType::BF16},
    {"F32", ElementType::F32},   {"F64", ElementType::F64},
    {kFloat8, ElementType::U8}, // until its scales are there
};

StatusOr<ElementType> readType(const Json &tensor, std::string_view name,
                               std::string_view source) {
  const std::string *text = textOf(findMember(tensor, "dtype"));
  if (!text)
    return dataLoss(source, ": expects tensor \"", name,
                    "\" to have a string \"dtype\"");
  std::string known;
  for (const DType &dtype : kDTypes) {
    if (dtype.name == *text)
      return dtype.type;
    known += concat(known.empty() ? "" : ", ", dtype.name);
  }
  return unimplemented(source, ": expects tensor \"", name,
                       "\" to have a dtype of ", known, ", got \"", *text,
                       "\"");
}

Status readShape(const Json &tensor, std::string_view source,
                 TensorEntry &entry) {
  const Json *shape = findMember(tensor, "shape");
  if (!shape || !shape->is_array() || shape->size() > kMaxRank)
    return dataLoss(source, ": expects tensor \"", entry.name,
                    "\" to have a \"shape\" of at most ", kMaxRank,
                    " dimensions");
  int64_t elements = 1;
  for (const Json &value : *shape) {
    int64_t extent = 0;
    if (!readInt(&value, 0, std::numeric_limits<int64_t>::max(), extent) ||
        !multiply(elements, extent, elements))
      return dataLoss(source, ": expects tensor \"", entry.name,
                      "\" to have dimensions of at least 0 and fewer than "
                      "2^63 elements");
    entry.shape.push_back(extent);
  }
  return Status();
}

StatusOr<TensorEntry> readTensor(const std::string &name, const Json &tensor,
                                 std::span<const uint8_t> data,
                                 std::string_view source) {
  TensorEntry entry;
  entry.name = name;
  TENON_ASSIGN_OR_RETURN(entry.type, readType(tensor, name, source));
  entry.isFloat8 = *textOf(findMember(tensor, "dtype")) == kFloat8;
  TENON_RETURN_IF_ERROR(readShape(tensor, source, entry));
  const Json *offsets = findMember(tensor, "data_offsets");
  auto limit = static_cast<int64_t>(data.size());
  int64_t begin = 0, end = 0;
  if (!offsets || !offsets->is_array() || offsets->size() != 2 ||
      !readInt(&(*offsets)[0], 0, limit, begin) ||
      !readInt(&(*offsets)[1], begin, limit, end))
    return dataLoss(source, ": expects tensor \"", name,
                    "\" to have \"data_offsets\" [begin, end] in order and "
                    "within ",
                    limit, " bytes of data");
  StatusOr<int64_t> size = base::sizeBytes(entry.type, entry.elements());
  if (!size.ok())
    return dataLoss(source, ": tensor \"", name,
                    "\": ", size.status().message());
  if (*size != end - begin)
    return dataLoss(source, ": expects tensor \"", name, "\" of shape ",
                    printShape(entry.shape), " to have ", *size, " bytes, got ",
                    end - begin);
  entry.offset = static_cast<uint64_t>(begin); // rebased once all are read
  entry.data = data.subspan(entry.offset, static_cast<size_t>(*size));
  return entry;
}

// The format forbids holes, which could hide other content.
Status checkCovers(std::span<const TensorEntry> tensors, size_t dataBytes,
                   std::string_view source) {
  TENON_RETURN_IF_ERROR(checkDisjoint(tensors, source));
  size_t covered = 0; // Disjoint and inside: equal sums mean no hole.
  for (const TensorEntry &tensor : tensors)
    covered += tensor.data.size();
  if (covered != dataBytes)
    return dataLoss(source, ": expects tensors to cover all ", dataBytes,
                    " bytes of data, got ", covered);
  return Status();
}

Status readMetadata(const Json &object, std::string_view source,
                    Metadata &values) {
  if (!object.is_object())
    return dataLoss(source, ": expects \"__metadata__\" to be an object");
  for (const auto &[key, value] : object.items())
    if (!value.is_string())
      return dataLoss(source,
                      ": expects \"__metadata__\" to hold strings, "
                      "got \"",
                      key, "\" of type ", value.type_name());
  values.addJson(object);
  return Status();
}

bool isPlainName(const std::string &name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
}

} // namespace

StatusOr<SafetensorsFile> SafetensorsFile::parse(std::span<const uint8_t> bytes,
                                                 std::string_view source) {
  ByteReader in(bytes, source);
  TENON_ASSIGN_OR_RETURN(auto headerSize, in.read<uint64_t>("header size"));
  if (headerSize > kMaxHeaderBytes)
    return dataLoss(source, ": expects a header of at most ", kMaxHeaderBytes,
                    " bytes, got ", headerSize);
  TENON_ASSIGN_OR_RETURN(std::span<const uint8_t> raw,
                         in.take(headerSize, "header"));
  std::string_view text(reinterpret_cast<const char *>(raw.data()), raw.size());
  if (text.empty() || text.front() != '{')
    return dataLoss(source, ": expects the header to begin with '{'");
  JsonLimits limits = {.maxBytes = kMaxHeaderBytes, .maxDepth = 4};
  TENON_ASSIGN_OR_RETURN(Json header, parseJson(text, source, limits));

  SafetensorsFile file;
  file.values = Metadata(std::string(source));
  file.headerBytes = bytes.first(in.position());
  std::span<const uint8_t> data = bytes.subspan(in.position());
  std::vector<TensorEntry> tensors;
  for (const auto &[name, value] : header.items()) {
    if (name == "__metadata__") {
      TENON_RETURN_IF_ERROR(readMetadata(value, source, file.values));
      continue;
    }
    TENON_ASSIGN_OR_RETURN(TensorEntry entry,
                           readTensor(name, value, data, source));
    tensors.push_back(std::move(entry));
  }
  TENON_RETURN_IF_ERROR(checkCovers(tensors, data.size(), source));
  std::sort(tensors.begin(), tensors.end(),
            [](const TensorEntry &a, const TensorEntry &b) {
              return a.offset < b.offset;
            });
  for (TensorEntry &entry : tensors)
    entry.offset += in.position();
  TENON_ASSIGN_OR_RETURN(file.table,
                         TensorTable::create(std::move(tensors), source));
  return file;
}

StatusOr<SafetensorsIndex> parseSafetensorsIndex(std::string_view text,
                                                 std::string_view source) {
  JsonLimits limits = {.maxBytes = size_t{64} << 20, .maxDepth = 8};
  TENON_ASSIGN_OR_RETURN(Json root, parseJson(text, source, limits));
  TENON_ASSIGN_OR_RETURN(const Json *map, member(root, "weight_map", source));
  if (!map->is_object())
    return dataLoss(source, ": expects \"weight_map\" to be an object");
  std::map<std::string, uint32_t> files;
  for (const auto &[tensor, value] : map->items()) {
    const std::string *name = textOf(&value);
    if (!name)
      return dataLoss(source, ": expects tensor \"", tensor,
                      "\" to map to a file name, got ", value.type_name());
    if (!isPlainName(*name))
      return invalidArgument(source, ": expects tensor \"", tensor,
                             "\" to map to a file beside the index, got \"",
                             *name, "\"");
    files.emplace(*name, 0);
  }
  SafetensorsIndex index;
  for (auto &[name, number] : files) {
    number = static_cast<uint32_t>(index.files.size());
    index.files.push_back(name);
  }
  for (const auto &[tensor, value] : map->items())
    index.entries.push_back({tensor, files[*textOf(&value)]});
  return index;
}

} // namespace tenon::io
