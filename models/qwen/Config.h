//===- Config.h - The sizes of a Qwen2 model --------------------*- C++ -*-===//

#ifndef TENON_MODELS_QWEN_CONFIG_H
#define TENON_MODELS_QWEN_CONFIG_H

#include "models/DecoderConfig.h"

namespace tenon::models::qwen {

struct Config : DecoderConfig {
  RopeOptions rope;
  bool tied; ///< The head is the embedding.
};

/// Reads a GGUF's metadata or a config.json.
/// Errors: NOT_FOUND, INVALID_ARGUMENT (a value), UNIMPLEMENTED (a variation
///         that this model has not: a sliding window, scaled rope).
absl::StatusOr<Config> readConfig(const ModelFiles &files);

} // namespace tenon::models::qwen
#endif // TENON_MODELS_QWEN_CONFIG_H
