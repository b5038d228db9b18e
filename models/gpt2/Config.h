//===- Config.h - The sizes of a GPT-2 --------------------------*- C++ -*-===//

#ifndef TENON_MODELS_GPT2_CONFIG_H
#define TENON_MODELS_GPT2_CONFIG_H

#include "models/Decoder.h"

namespace tenon::models::gpt2 {

/// By default the sizes of the smallest one, of 124M parameters.
struct Config {
  int64_t vocabulary = 50257;
  int64_t context = 1024;
  int64_t layers = 12, heads = 12, width = 768;
  double epsilon = 1e-5;
  /// Matrices are stored [inputs, outputs], as safetensors have them.
  bool inputsFirst = false;
  CacheElement cacheType = CacheElement::f32;
};

/// Reads a GGUF's metadata or a config.json.
/// Errors: NOT_FOUND, INVALID_ARGUMENT (a value), UNIMPLEMENTED (an activation
///         or a scaling that the model has not).
absl::StatusOr<Config> readConfig(const ModelFiles &files);

} // namespace tenon::models::gpt2
#endif // TENON_MODELS_GPT2_CONFIG_H
