//===- ModelPath.cpp - What a MODEL argument names ------------------------===//

#include "tools/tenon/ModelPath.h"

#include "runtime/base/Hash.h"
#include "runtime/io/AdapterFile.h"
#include "runtime/io/Json.h"
#include "runtime/io/MappedFile.h"
#include "tools/tenon/Errors.h"

#include <algorithm>
#include <filesystem>

namespace tenon::tools {

namespace fs = std::filesystem;

namespace {

/// " config.json=<hash>".
StatusOr<std::string> fileDigest(const std::string &path) {
  TENON_ASSIGN_OR_RETURN(io::MappedFile file, io::MappedFile::open(path));
  base::Hash128 hash =
      base::hashBytes(file.bytes().data(), file.bytes().size());
  return concat(" ", fs::path(path).filename().string(), "=", hash.high, ",",
                hash.low);
}

bool isWeights(const fs::path &path) {
  fs::path extension = path.extension();
  return extension == ".gguf" || extension == ".safetensors" ||
         path.string().ends_with(".index.json");
}

} // namespace

std::optional<std::string> loneConfig(const std::string &path) {
  constexpr const char *kName = "config.json";
  std::error_code error;
  if (fs::path(path).filename() == kName && fs::exists(path, error))
    return path;
  fs::path config = fs::path(path) / kName;
  if (!fs::exists(config, error))
    return std::nullopt;
  for (fs::directory_iterator it(path, error), end; !error && it != end;
       it.increment(error))
    if (isWeights(it->path()))
      return std::nullopt;
  return config.string();
}

StatusOr<ModelKind> classifyModel(const std::string &path) {
  std::error_code error;
  if (!fs::exists(path, error))
    return notFound("expects a model at '", path, "', got no such file");
  if (fs::is_directory(path, error))
    return ModelKind::Weights;
  TENON_ASSIGN_OR_RETURN(io::MappedFile file, io::MappedFile::open(path));
  constexpr std::string_view kMagic = "TENON";
  std::span<const uint8_t> bytes = file.bytes();
  bool hasMagic = bytes.size() >= kMagic.size() &&
                  std::equal(kMagic.begin(), kMagic.end(), bytes.begin());
  bool isProgram = hasMagic || fs::path(path).extension() == ".tenon";
  return isProgram ? ModelKind::Program : ModelKind::Weights;
}

StatusOr<io::WeightsFile> openWeightsFile(const std::string &path) {
  StatusOr<io::WeightsFile> weights = io::WeightsFile::open(path);
  if (weights.ok())
    return weights;
  Status status = weights.status();
  if (status.code() == TENON_DATA_LOSS)
    return withAdvice(status, "download the file again");
  if (status.code() == TENON_INVALID_ARGUMENT)
    return withAdvice(status, "MODEL is a .gguf file, a .safetensors file, a "
                              "folder of one of them, or a .tenon file");
  return status;
}

StatusOr<std::string> modelDigest(const io::WeightsFile &weights) {
  std::string digest = weights.contentHash().toHex();
  if (weights.format() != io::WeightsFormat::Safetensors)
    return digest;
  fs::path folder = fs::path(weights.path()).parent_path();
  for (const char *name :
       {"config.json", "tokenizer.json", "tokenizer_config.json"}) {
    std::string path = (folder / name).string();
    std::error_code error;
    if (!fs::exists(path, error))
      continue;
    TENON_ASSIGN_OR_RETURN(std::string part, fileDigest(path));
    digest += part;
  }
  return digest;
}

std::string adaptersLike(const std::string &path) {
  return path.empty() ? "" : io::Json{{"files", path}}.dump();
}

StatusOr<std::string> adapterDigest(const std::string &path) {
  if (path.empty())
    return std::string();
  TENON_ASSIGN_OR_RETURN(io::AdapterFile file, io::AdapterFile::open(path));
  return concat(file.config().print(), " ",
                file.weights().contentHash().toHex());
}

StatusOr<std::string> configDigest(const std::string &config,
                                   const std::string &weightsType) {
  TENON_ASSIGN_OR_RETURN(std::string digest, fileDigest(config));
  return concat("drawn ", weightsType, digest);
}

} // namespace tenon::tools
