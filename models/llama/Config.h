//===- Config.h - The sizes of a Llama or a Qwen ----------------*- C++ -*-===//

#ifndef TENON_MODELS_LLAMA_CONFIG_H
#define TENON_MODELS_LLAMA_CONFIG_H

#include "frontend/dsl/Experts.h"
#include "models/DecoderConfig.h"

#include <optional>

namespace tenon::models::llama {

struct Config : DecoderConfig {
  RopeOptions rope;
  bool bias = false; ///< Queries, keys and values have biases: Qwen2's do.
  bool tied = false; ///< The head is the embedding.
  /// Queries and keys are normed head by head: Qwen3's are.
  bool headNorms = false;
  std::optional<ExpertsOptions> experts; ///< In place of feed-forward parts.

  /// Reads what Llama and the Qwens have in common from a GGUF's metadata or a
  /// config.json.
  /// Errors: noted in `read`; UNIMPLEMENTED (rope scaled as Llama 3.1's).
  void readShared(const ModelFiles &files, ConfigReader &read);
};

/// Reads the sizes of a Llama.
/// Errors: NOT_FOUND, INVALID_ARGUMENT (a value), UNIMPLEMENTED (a variation
///         that this model has not: rope scaled as Llama 3.1's, biases,
///         experts).
absl::StatusOr<Config> readConfig(const ModelFiles &files);

} // namespace tenon::models::llama
#endif // TENON_MODELS_LLAMA_CONFIG_H
