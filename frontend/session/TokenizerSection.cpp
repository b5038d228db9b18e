//===- TokenizerSection.cpp - A model's tokenizer, to store ---------------===//

#include "frontend/session/TokenizerSection.h"

#include "runtime/io/Tokenizer.h"

#include <filesystem>

namespace tenon {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxFileBytes = size_t{256} << 20;

/// A GGUF file of metadata alone.
class MetadataWriter {
public:
  void add(std::string_view key, const io::Value &value) {
    addString(key);
    std::visit([&](const auto &typed) { addValue(typed); }, value);
    ++count;
  }

  bool isEmpty() const { return count == 0; }

  std::string finish() const {
    constexpr uint32_t kVersion = 3;
    std::string out = "GGUF";
    append(out, kVersion);
    append(out, uint64_t{0}); // tensors
    append(out, count);
    return out + values;
  }

private:
  template <typename T> static void append(std::string &out, T value) {
    out.append(reinterpret_cast<const char *>(&value), sizeof(T));
  }

  void addString(std::string_view text) {
    append(values, static_cast<uint64_t>(text.size()));
    values += text;
  }

  void addType(io::ValueType type) {
    append(values, static_cast<uint32_t>(type));
  }

  void addValue(bool value) {
    addType(io::ValueType::Bool);
    append(values, static_cast<uint8_t>(value));
  }
  void addValue(int64_t value) {
    addType(io::ValueType::I64);
    append(values, value);
  }
  void addValue(uint64_t value) {
    addType(io::ValueType::U64);
    append(values, value);
  }
  void addValue(double value) {
    addType(io::ValueType::F64);
    append(values, value);
  }
  void addValue(std::string_view value) {
    addType(io::ValueType::String);
    addString(value);
  }
  void addValue(const io::ArrayView &array) { // as it lies in its file
    addType(io::ValueType::Array);
    addType(array.element);
    append(values, array.count);
    values.append(reinterpret_cast<const char *>(array.bytes.data()),
                  array.bytes.size());
  }

  uint64_t count = 0;
  std::string values;
};

StatusOr<std::string> fromFolder(const fs::path &folder) {
  MetadataWriter writer;
  std::error_code error;
  if (!fs::exists(folder / "tokenizer.json", error))
    return std::string();
  TENON_ASSIGN_OR_RETURN(
      std::string tokenizer,
      io::readFile((folder / "tokenizer.json").string(), kMaxFileBytes));
  writer.add(io::kStoredTokenizerKey, std::string_view(tokenizer));
  if (!fs::exists(folder / "tokenizer_config.json", error))
    return writer.finish();
  TENON_ASSIGN_OR_RETURN(
      std::string config,
      io::readFile((folder / "tokenizer_config.json").string(), kMaxFileBytes));
  writer.add(io::kStoredTokenizerConfigKey, std::string_view(config));
  return writer.finish();
}

} // namespace

StatusOr<std::string> writeTokenizerSection(const io::WeightsFile &weights) {
  if (weights.format() == io::WeightsFormat::Safetensors)
    return fromFolder(fs::path(weights.path()).parent_path());
  MetadataWriter writer;
  for (std::string_view key : weights.metadata().keys())
    if (key.starts_with("tokenizer."))
      writer.add(key, *weights.metadata().find(key));
  return writer.isEmpty() ? std::string() : writer.finish();
}

} // namespace tenon
