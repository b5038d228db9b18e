//===- Config.h - The sizes of a Gemma 3 text model -------------*- C++ -*-===//

#ifndef TENON_MODELS_GEMMA_CONFIG_H
#define TENON_MODELS_GEMMA_CONFIG_H

#include "models/DecoderConfig.h"

namespace tenon::models::gemma {

struct Config : DecoderConfig {
  double attentionScale, embeddingScale;
  RopeOptions localRope, globalRope;
  std::vector<bool> isLocal; ///< By layer: attention over a window.
  bool normsWithoutOne;      ///< The file stores w - 1.
};

/// Reads a GGUF's metadata or a config.json.
/// Errors: NOT_FOUND, INVALID_ARGUMENT (a value), UNIMPLEMENTED (a variation
///         that this model has not: soft-capped logits, other scaling of rope).
absl::StatusOr<Config> readConfig(const ModelFiles &files);

} // namespace tenon::models::gemma
#endif // TENON_MODELS_GEMMA_CONFIG_H
