//===- Model.h - Qwen2 and Qwen3, dense and with experts --------*- C++ -*-===//
//
// Qwen2, Qwen2.5 and R1-Distill-Qwen are a Llama with biases; Qwen3 has none,
// and norms of each head of queries and keys; Qwen3-MoE has experts besides.
// models/llama has the modules.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_MODELS_QWEN_MODEL_H
#define TENON_MODELS_QWEN_MODEL_H

#include "models/llama/Model.h"

namespace tenon::models::qwen {

/// Reads a GGUF's metadata or a config.json of any of them.
/// Errors: NOT_FOUND, INVALID_ARGUMENT (a value), UNIMPLEMENTED (a variation
///         that this model has not: some layers without a window, or
///         without experts).
absl::StatusOr<llama::Config> readConfig(const ModelFiles &files);

/// Builds the model that the files hold.
absl::StatusOr<Decoder> buildQwen(const ModelFiles &files,
                                  const DecoderOptions &options);

} // namespace tenon::models::qwen
#endif // TENON_MODELS_QWEN_MODEL_H
