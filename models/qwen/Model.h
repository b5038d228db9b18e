//===- Model.h - Qwen2, Qwen2.5, R1-Distill-Qwen ----------------*- C++ -*-===//
//
// A Llama with biases: models/llama has the modules.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_MODELS_QWEN_MODEL_H
#define TENON_MODELS_QWEN_MODEL_H

#include "models/llama/Model.h"

namespace tenon::models::qwen {

/// Reads a GGUF's metadata or a config.json.
/// Errors: NOT_FOUND, INVALID_ARGUMENT (a value), UNIMPLEMENTED (a variation
///         that this model has not: a sliding window, scaled rope).
absl::StatusOr<llama::Config> readConfig(const ModelFiles &files);

/// Builds the model that the files hold.
absl::StatusOr<Decoder> buildQwen(const ModelFiles &files,
                                  const DecoderOptions &options);

} // namespace tenon::models::qwen
#endif // TENON_MODELS_QWEN_MODEL_H
