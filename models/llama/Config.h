//===- Config.h - The sizes of a Llama or Qwen2 model -----------*- C++ -*-===//

#ifndef TENON_MODELS_LLAMA_CONFIG_H
#define TENON_MODELS_LLAMA_CONFIG_H

#include "models/DecoderConfig.h"

namespace tenon::models::llama {

struct Config : DecoderConfig {
  RopeOptions rope;
  bool bias = false; ///< Queries, keys and values have biases: Qwen2's do.
  bool tied = false; ///< The head is the embedding.

  /// Reads what Llama and Qwen2 have in common from a GGUF's metadata or a
  /// config.json.
  /// Errors: noted in `read`; UNIMPLEMENTED (scaled rope).
  void readShared(const ModelFiles &files, ConfigReader &read);
};

/// Reads the sizes of a Llama.
/// Errors: NOT_FOUND, INVALID_ARGUMENT (a value), UNIMPLEMENTED (a variation
///         that this model has not: scaled rope, biases, experts).
absl::StatusOr<Config> readConfig(const ModelFiles &files);

} // namespace tenon::models::llama
#endif // TENON_MODELS_LLAMA_CONFIG_H
