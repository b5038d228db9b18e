//===- ModelConfig.cpp - What a model's files say about its shape ---------===//

#include "runtime/io/ModelConfig.h"

#include "runtime/io/PackedWeights.h"

#include <filesystem>

namespace tenon::io {

StatusOr<ModelConfig> ModelConfig::load(const WeightsFile &weights) {
  if (weights.format() == WeightsFormat::Safetensors) {
    std::filesystem::path folder =
        std::filesystem::path(weights.path()).parent_path();
    std::string path = (folder / "config.json").string();
    TENON_ASSIGN_OR_RETURN(std::string text, readFile(path, kMaxBytes));
    return parse(text, path);
  }
  TENON_ASSIGN_OR_RETURN(std::string_view arch,
                         weights.metadata().getString("general.architecture"));
  ModelConfig config;
  config.arch = arch;
  config.table = Metadata(weights.path());
  for (std::string_view key : weights.metadata().keys())
    config.table.add(key, *weights.metadata().find(key));
  return config;
}

StatusOr<ModelConfig> ModelConfig::parse(std::string_view text,
                                         std::string_view source) {
  JsonLimits limits = {.maxBytes = kMaxBytes, .maxDepth = 16};
  TENON_ASSIGN_OR_RETURN(Json root, parseJson(text, source, limits));
  if (!root.is_object())
    return dataLoss(source, ": expects a JSON object, got ", root.type_name());
  TENON_RETURN_IF_ERROR(checkQuantization(root, source));
  ModelConfig config;
  config.configKind = ConfigKind::HuggingFace;
  config.table = Metadata(std::string(source));
  config.table.addJson(root);
  TENON_ASSIGN_OR_RETURN(config.arch, config.table.getString("model_type"));
  return config;
}

std::string ModelConfig::key(std::string_view name) const {
  if (configKind == ConfigKind::HuggingFace)
    return std::string(name);
  return concat(arch, ".", name);
}

} // namespace tenon::io
