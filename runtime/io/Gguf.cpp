//===- Gguf.cpp - The GGUF v2 and v3 reader -------------------------------===//

#include "runtime/io/Gguf.h"

#include "runtime/io/ByteReader.h"

#include <bit>

namespace tenon::io {

namespace {

using base::ElementType;

// The format says 64 KiB for keys and 64 bytes for names; real files have
// longer names, so the bound on those is looser.
constexpr uint64_t kMaxKeyBytes = 65535;
constexpr uint64_t kMaxNameBytes = 1024;
constexpr uint64_t kMaxAlignment = 1 << 20;
constexpr uint32_t kMaxRank = 4;

// The least that one entry takes: what a count can be checked against before
// anything is allocated for it.
constexpr uint64_t kLeastValueBytes = 8 + 4 + 1;
constexpr uint64_t kLeastTensorBytes = 8 + 4 + 4 + 8;

struct GgmlType {
  uint32_t id;
  ElementType type;
};
constexpr GgmlType kGgmlTypes[] = {
    {0, ElementType::F32},   {1, ElementType::F16},   {2, ElementType::Q4_0},
    {3, ElementType::Q4_1},  {6, ElementType::Q5_0},  {7, ElementType::Q5_1},
    {8, ElementType::Q8_0},  {12, ElementType::Q4_K}, {13, ElementType::Q5_K},
    {14, ElementType::Q6_K}, {24, ElementType::I8},   {25, ElementType::I16},
    {26, ElementType::I32},  {27, ElementType::I64},  {28, ElementType::F64},
    {30, ElementType::BF16},
};

const ElementType *findGgmlType(uint32_t id) {
  for (const GgmlType &entry : kGgmlTypes)
    if (entry.id == id)
      return &entry.type;
  return nullptr;
}

std::string readableGgmlTypes() {
  std::string names;
  for (const GgmlType &entry : kGgmlTypes)
    names += concat(names.empty() ? "" : ", ", base::info(entry.type).name);
  return names;
}

// A tensor as the table states it, before its data is known to exist.
struct Claim {
  TensorEntry entry;
  uint64_t relativeOffset = 0;
};

class Parser {
public:
  Parser(std::span<const uint8_t> fileBytes, std::string_view fileSource)
      : bytes(fileBytes), source(fileSource), in(fileBytes, fileSource),
        metadata(std::string(fileSource)) {}

  Status run();

  std::span<const uint8_t> bytes;
  std::string_view source;
  ByteReader in;
  uint32_t version = 0;
  uint64_t tensorCount = 0, valueCount = 0, alignment = 32, dataStart = 0;
  std::span<const uint8_t> valueBytes;
  Metadata metadata;
  std::vector<TensorEntry> tensors;

private:
  Status readHeader();
  Status readValue();
  StatusOr<Value> readScalar(ValueType type, std::string_view key);
  StatusOr<Value> readArray(std::string_view key);
  Status readAlignment();
  StatusOr<Claim> readClaim();
  Status readShape(TensorEntry &entry);
  Status place(Claim claim);
};

Status Parser::readHeader() {
  TENON_ASSIGN_OR_RETURN(std::span<const uint8_t> magic, in.take(4, "magic"));
  if (std::string_view(reinterpret_cast<const char *>(magic.data()), 4) !=
      "GGUF")
    return dataLoss(source, ": expects the magic \"GGUF\"");
  TENON_ASSIGN_OR_RETURN(version, in.read<uint32_t>("version"));
  if (version == __builtin_bswap32(2) || version == __builtin_bswap32(3))
    return unimplemented(source, ": expects a little-endian GGUF file, got a "
                                 "big-endian one");
  if (version != 2 && version != 3)
    return unimplemented(source, ": expects GGUF version 2 or 3, got ",
                         version);
  TENON_ASSIGN_OR_RETURN(tensorCount, in.read<uint64_t>("tensor count"));
  TENON_ASSIGN_OR_RETURN(valueCount, in.read<uint64_t>("metadata count"));
  if (tensorCount > in.remaining() / kLeastTensorBytes)
    return dataLoss(source, ": expects a tensor count that ", bytes.size(),
                    " bytes can hold, got ", tensorCount);
  if (valueCount > in.remaining() / kLeastValueBytes)
    return dataLoss(source, ": expects a metadata count that ", bytes.size(),
                    " bytes can hold, got ", valueCount);
  return Status();
}

StatusOr<Value> Parser::readScalar(ValueType type, std::string_view key) {
  switch (type) {
  case ValueType::U8:
    return in.readAs<uint8_t, uint64_t, Value>(key);
  case ValueType::I8:
    return in.readAs<int8_t, int64_t, Value>(key);
  case ValueType::U16:
    return in.readAs<uint16_t, uint64_t, Value>(key);
  case ValueType::I16:
    return in.readAs<int16_t, int64_t, Value>(key);
  case ValueType::U32:
    return in.readAs<uint32_t, uint64_t, Value>(key);
  case ValueType::I32:
    return in.readAs<int32_t, int64_t, Value>(key);
  case ValueType::U64:
    return in.readAs<uint64_t, uint64_t, Value>(key);
  case ValueType::I64:
    return in.readAs<int64_t, int64_t, Value>(key);
  case ValueType::F32:
    return in.readAs<float, double, Value>(key);
  case ValueType::F64:
    return in.readAs<double, double, Value>(key);
  case ValueType::Bool: {
    TENON_ASSIGN_OR_RETURN(uint8_t flag, in.read<uint8_t>(key));
    if (flag > 1)
      return dataLoss(source, ": expects the boolean \"", key,
                      "\" to be 0 or 1, got ", int{flag});
    return Value(flag == 1);
  }
  case ValueType::String: {
    TENON_ASSIGN_OR_RETURN(std::string_view text,
                           in.readString(key, bytes.size()));
    return Value(text);
  }
  case ValueType::Array:
    return readArray(key);
  }
  return dataLoss(source, ": expects a value type of 0 to 12 for \"", key,
                  "\", got ", static_cast<uint32_t>(type));
}

StatusOr<Value> Parser::readArray(std::string_view key) {
  TENON_ASSIGN_OR_RETURN(uint32_t id, in.read<uint32_t>(key));
  TENON_ASSIGN_OR_RETURN(uint64_t count, in.read<uint64_t>(key));
  auto element = static_cast<ValueType>(id);
  if (element == ValueType::Array)
    return unimplemented(source, ": expects arrays of scalars, got \"", key,
                         "\", an array of arrays");
  size_t start = in.position(), size = valueTypeSize(element);
  if (size == 0 && element != ValueType::String)
    return dataLoss(source, ": expects an element type of 0 to 12 for \"", key,
                    "\", got ", id);
  if (count > in.remaining() / (size ? size : 8))
    return dataLoss(source, ": expects an array \"", key, "\" that fits in ",
                    in.remaining(), " bytes, got ", count, " of ",
                    valueTypeName(element));
  TENON_RETURN_IF_ERROR(size ? in.skip(count * size, key)
                             : in.skipStrings(count, key));
  return Value(
      ArrayView{element, count, bytes.subspan(start, in.position() - start)});
}

Status Parser::readValue() {
  TENON_ASSIGN_OR_RETURN(std::string_view key,
                         in.readString("metadata key", kMaxKeyBytes));
  TENON_ASSIGN_OR_RETURN(uint32_t type, in.read<uint32_t>(key));
  TENON_ASSIGN_OR_RETURN(Value value,
                         readScalar(static_cast<ValueType>(type), key));
  if (!metadata.add(key, value))
    return dataLoss(source, ": expects each key once, got \"", key, "\" twice");
  return Status();
}

Status Parser::readAlignment() {
  TENON_ASSIGN_OR_RETURN(int64_t value,
                         metadata.getInt("general.alignment", 32));
  alignment = static_cast<uint64_t>(value);
  if (value < 1 || alignment > kMaxAlignment || !std::has_single_bit(alignment))
    return dataLoss(source,
                    ": expects \"general.alignment\" to be a power of "
                    "two of at most ",
                    kMaxAlignment, ", got ", value);
  return Status();
}

Status Parser::readShape(TensorEntry &entry) {
  TENON_ASSIGN_OR_RETURN(uint32_t rank, in.read<uint32_t>(entry.name));
  if (rank > kMaxRank)
    return dataLoss(source, ": expects tensor \"", entry.name,
                    "\" to have at most ", kMaxRank, " dimensions, got ", rank);
  entry.shape.resize(rank);
  int64_t elements = 1;
  // The file lists the innermost dimension first.
  for (uint32_t i = rank; i-- > 0;) {
    TENON_ASSIGN_OR_RETURN(auto extent, in.read<int64_t>(entry.name));
    if (extent < 1 || !multiply(elements, extent, elements))
      return dataLoss(source, ": expects tensor \"", entry.name,
                      "\" to have dimensions of at least 1 and fewer than "
                      "2^63 elements, got ",
                      static_cast<uint64_t>(extent), " at dimension ", i);
    entry.shape[i] = extent;
  }
  return Status();
}

StatusOr<Claim> Parser::readClaim() {
  Claim claim;
  TENON_ASSIGN_OR_RETURN(claim.entry.name,
                         in.readString("tensor name", kMaxNameBytes));
  TENON_RETURN_IF_ERROR(readShape(claim.entry));
  TENON_ASSIGN_OR_RETURN(auto id, in.read<uint32_t>(claim.entry.name));
  const ElementType *type = findGgmlType(id);
  if (!type)
    return unimplemented(source, ": expects tensor \"", claim.entry.name,
                         "\" to be one of ", readableGgmlTypes(),
                         ", got ggml type ", id);
  claim.entry.type = *type;
  TENON_ASSIGN_OR_RETURN(claim.relativeOffset,
                         in.read<uint64_t>(claim.entry.name));
  return claim;
}

// Turns a claim into a tensor: its bytes must be whole rows, aligned, inside.
Status Parser::place(Claim claim) {
  TensorEntry &entry = claim.entry;
  const base::ElementInfo &layout = base::info(entry.type);
  int64_t row = entry.shape.empty() ? 1 : entry.shape.back();
  if (row % layout.blockElements != 0)
    return dataLoss(source, ": expects rows of tensor \"", entry.name,
                    "\" to be a multiple of ", layout.blockElements, ", as ",
                    layout.name, " needs, got shape ", printShape(entry.shape));
  StatusOr<int64_t> size = base::sizeBytes(entry.type, entry.elements());
  if (!size.ok())
    return dataLoss(source, ": tensor \"", entry.name,
                    "\": ", size.status().message());
  if (claim.relativeOffset % alignment != 0)
    return dataLoss(source, ": expects tensor \"", entry.name,
                    "\" at a multiple of ", alignment, ", got offset ",
                    claim.relativeOffset);
  uint64_t space = bytes.size() - std::min<uint64_t>(bytes.size(), dataStart);
  auto wanted = static_cast<uint64_t>(*size);
  if (claim.relativeOffset > space || wanted > space - claim.relativeOffset)
    return dataLoss(source, ": expects tensor \"", entry.name, "\" within ",
                    space, " bytes of data, got ", wanted, " bytes at offset ",
                    claim.relativeOffset);
  entry.offset = dataStart + claim.relativeOffset;
  entry.data = bytes.subspan(entry.offset, wanted);
  tensors.push_back(std::move(entry));
  return Status();
}

Status Parser::run() {
  TENON_RETURN_IF_ERROR(readHeader());
  size_t valueStart = in.position();
  for (uint64_t i = 0; i < valueCount; ++i)
    TENON_RETURN_IF_ERROR(readValue());
  valueBytes = bytes.subspan(valueStart, in.position() - valueStart);
  TENON_RETURN_IF_ERROR(readAlignment());
  std::vector<Claim> claims;
  for (uint64_t i = 0; i < tensorCount; ++i) {
    TENON_ASSIGN_OR_RETURN(Claim claim, readClaim());
    claims.push_back(std::move(claim));
  }
  dataStart = (in.position() + alignment - 1) / alignment * alignment;
  for (Claim &claim : claims)
    TENON_RETURN_IF_ERROR(place(std::move(claim)));
  return checkDisjoint(tensors, source);
}

} // namespace

std::optional<uint32_t> ggmlTypeOf(ElementType type) {
  for (const GgmlType &entry : kGgmlTypes)
    if (entry.type == type)
      return entry.id;
  return std::nullopt;
}

StatusOr<GgufFile> GgufFile::parse(std::span<const uint8_t> bytes,
                                   std::string_view source) {
  Parser parser(bytes, source);
  TENON_RETURN_IF_ERROR(parser.run());
  GgufFile file;
  file.fileVersion = parser.version;
  file.dataAlignment = parser.alignment;
  file.values = std::move(parser.metadata);
  TENON_ASSIGN_OR_RETURN(
      file.table, TensorTable::create(std::move(parser.tensors), source));
  file.valueBytes = parser.valueBytes;
  file.countOfValues = parser.valueCount;
  file.headerBytes =
      bytes.first(std::min<uint64_t>(bytes.size(), parser.dataStart));
  return file;
}

} // namespace tenon::io
