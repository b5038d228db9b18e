//===- Config.h - The sizes of a DeepSeek-V2 or -V3 model -------*- C++ -*-===//

#ifndef TENON_MODELS_DEEPSEEK_CONFIG_H
#define TENON_MODELS_DEEPSEEK_CONFIG_H

#include "frontend/dsl/Experts.h"
#include "models/DecoderConfig.h"

#include <optional>

namespace tenon::models::deepseek {

struct Config : DecoderConfig {
  RopeOptions rope;
  int64_t queryRank;   ///< Of what queries are made of; 0: of the input itself.
  int64_t latentWidth; ///< Of what keys and values are made of.
  int64_t plainWidth; ///< Elements of a query's or key's head that do not turn.
  int64_t turnedWidth; ///< Those that do; a key's are the same in every head.
  int64_t valueWidth;
  double scale;    ///< Of scores.
  bool tied;       ///< The head is the embedding.
  bool splitUp;    ///< The file has the matrices of keys and of values apart.
  bool isAbsorbed; ///< Attention is over latents; see Attention.h.
  int64_t denseLayers = 0;               ///< The first ones, without experts.
  std::optional<ExpertsOptions> experts; ///< Of the others.
  /// Of the layer after the last, which predicts a further token: it is built,
  /// and the files have an embedding and a head for it alone.
  struct {
    bool isBuilt = false, hasEmbedding = false, hasHead = false;
  } further;

  bool hasExperts(int64_t layer) const {
    return experts && layer >= denseLayers;
  }
};

/// Reads the sizes of a DeepSeek-V2 or -V3.
/// Errors: NOT_FOUND, INVALID_ARGUMENT (a value), UNIMPLEMENTED (a variation
///         that this model has not: biases, other scalings than YaRN, experts
///         in some of the later layers alone).
absl::StatusOr<Config> readConfig(const ModelFiles &files,
                                  const DecoderOptions &options);

} // namespace tenon::models::deepseek
#endif // TENON_MODELS_DEEPSEEK_CONFIG_H
