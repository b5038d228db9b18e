//===- ModelFiles.cpp - A model's weights and configuration ---------------===//

#include "frontend/session/ModelFiles.h"

namespace tenon {

absl::Status toAbsl(const Status &status) {
  switch (status.code()) {
  case TENON_OK:
    return absl::OkStatus();
  case TENON_INVALID_ARGUMENT:
    return absl::InvalidArgumentError(status.message());
  case TENON_NOT_FOUND:
    return absl::NotFoundError(status.message());
  case TENON_UNAVAILABLE:
    return absl::UnavailableError(status.message());
  case TENON_OUT_OF_RANGE:
    return absl::OutOfRangeError(status.message());
  case TENON_RESOURCE_EXHAUSTED:
    return absl::ResourceExhaustedError(status.message());
  case TENON_DATA_LOSS:
    return absl::DataLossError(status.message());
  case TENON_UNIMPLEMENTED:
    return absl::UnimplementedError(status.message());
  case TENON_CANCELLED:
    return absl::CancelledError(status.message());
  case TENON_INTERNAL:
    break;
  }
  return absl::InternalError(status.message());
}

absl::StatusOr<ModelFiles> ModelFiles::open(const std::string &path) {
  StatusOr<io::WeightsFile> weights = io::WeightsFile::open(path);
  if (!weights.ok())
    return toAbsl(weights.status());
  ModelFiles files;
  files.file = std::make_unique<io::WeightsFile>(*std::move(weights));
  StatusOr<io::ModelConfig> config = io::ModelConfig::load(*files.file);
  if (!config.ok())
    return toAbsl(config.status());
  files.settings = std::make_unique<io::ModelConfig>(*std::move(config));
  for (const io::TensorEntry &tensor : files.file->tensors())
    files.types[tensor.name] = {tensor.type, tensor.shape};
  return files;
}

absl::StatusOr<ModelFiles> ModelFiles::describe(const std::string &configPath,
                                                base::ElementType type) {
  using enum base::ElementType;
  bool isFloat = type == F32 || type == F16 || type == BF16;
  if (!isFloat && !base::info(type).isBlocked())
    return absl::InvalidArgumentError(
        "expects weights of a float or blocked type, got " +
        std::string(base::info(type).name));
  StatusOr<std::string> text =
      io::readFile(configPath, io::ModelConfig::kMaxBytes);
  if (!text.ok())
    return toAbsl(text.status());
  StatusOr<io::ModelConfig> config = io::ModelConfig::parse(*text, configPath);
  if (!config.ok())
    return toAbsl(config.status());
  ModelFiles files;
  files.settings = std::make_unique<io::ModelConfig>(*std::move(config));
  files.drawn = type;
  return files;
}

const std::string &ModelFiles::path() const {
  return file ? file->path() : settings->values().source();
}

bool ModelFiles::isGguf() const {
  return file && file->format() == io::WeightsFormat::Gguf;
}

bool ModelFiles::has(std::string_view tensor) const {
  return file && file->find(tensor);
}

//===----------------------------------------------------------------------===//
// ConfigReader
//===----------------------------------------------------------------------===//

std::string ConfigReader::key(std::string_view gguf,
                              std::string_view json) const {
  if (files.config().kind() == io::ConfigKind::Gguf)
    return files.config().key(gguf);
  return std::string(json);
}

void ConfigReader::note(const Status &status) {
  if (first.ok())
    first = toAbsl(status);
}

int64_t ConfigReader::integer(std::string_view gguf, std::string_view json,
                              std::optional<int64_t> fallback) {
  StatusOr<int64_t> value =
      files.config().values().getInt(key(gguf, json), fallback);
  if (!value.ok())
    return note(value.status()), 1; // a size that later checks can bear
  return *value;
}

double ConfigReader::number(std::string_view gguf, std::string_view json,
                            std::optional<double> fallback) {
  StatusOr<double> value =
      files.config().values().getFloat(key(gguf, json), fallback);
  if (!value.ok())
    return note(value.status()), 1;
  return *value;
}

std::string ConfigReader::text(std::string_view gguf, std::string_view json,
                               std::optional<std::string_view> fallback) {
  StatusOr<std::string_view> value =
      files.config().values().getString(key(gguf, json), fallback);
  if (!value.ok())
    return note(value.status()), std::string();
  return std::string(*value);
}

bool ConfigReader::flag(std::string_view json, bool fallback) {
  if (files.config().kind() == io::ConfigKind::Gguf)
    return fallback;
  return flag("", json, fallback);
}

bool ConfigReader::flag(std::string_view gguf, std::string_view json,
                        bool fallback) {
  StatusOr<bool> value =
      files.config().values().getBool(key(gguf, json), fallback);
  if (!value.ok())
    return note(value.status()), fallback;
  return *value;
}

std::vector<std::string> ConfigReader::list(std::string_view gguf,
                                            std::string_view json) {
  const io::Metadata &values = files.config().values();
  std::string name = key(gguf, json);
  const io::Value *value = values.find(name);
  if (!value || !std::holds_alternative<io::ArrayView>(*value))
    return {};
  std::vector<std::string> items;
  if (StatusOr<std::vector<std::string_view>> strings = values.getStrings(name);
      strings.ok()) {
    items.assign(strings->begin(), strings->end());
    return items;
  }
  const auto &array = std::get<io::ArrayView>(*value);
  if (array.element == io::ValueType::Bool) {
    for (uint8_t byte : array.bytes)
      items.push_back(byte ? "1" : "0");
    return items;
  }
  StatusOr<std::vector<int64_t>> numbers = values.getInts(name);
  if (!numbers.ok())
    return note(numbers.status()), items;
  for (int64_t number : *numbers)
    items.push_back(std::to_string(number));
  return items;
}

int64_t ConfigReader::rowsOf(std::string_view tensor) {
  StatusOr<const io::TensorEntry *> found = files.weights().tensor(tensor);
  if (!found.ok())
    return note(found.status()), 1;
  if ((*found)->shape.size() == 2)
    return (*found)->shape[0];
  note(dataLoss(files.weights().path(), ": expects '", tensor,
                "' of two axes, got ", (*found)->shape.size()));
  return 1;
}

void ConfigReader::expect(bool holds, const std::string &message) {
  if (!holds)
    note(unimplemented(files.path(), ": ", message));
}

} // namespace tenon
