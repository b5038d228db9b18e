//===- ModelPath.cpp - What a MODEL argument names ------------------------===//

#include "tools/tenon/ModelPath.h"

#include "runtime/base/Hash.h"
#include "runtime/io/MappedFile.h"
#include "tools/tenon/Errors.h"

#include <algorithm>
#include <filesystem>

namespace tenon::tools {

namespace fs = std::filesystem;

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
    TENON_ASSIGN_OR_RETURN(io::MappedFile file, io::MappedFile::open(path));
    base::Hash128 hash =
        base::hashBytes(file.bytes().data(), file.bytes().size());
    digest += concat(" ", name, "=", hash.high, ",", hash.low);
  }
  return digest;
}

} // namespace tenon::tools
