//===- Model.cpp - Qwen2, Qwen2.5, R1-Distill-Qwen ------------------------===//
// Source: Qwen2 technical report, arXiv:2407.10671, section 2.2.

#include "models/qwen/Model.h"

namespace tenon::models::qwen {

absl::StatusOr<llama::Config> readConfig(const ModelFiles &files) {
  ConfigReader read(files);
  llama::Config c;
  c.readShared(files, read);
  c.bias = true;
  read.expect(!read.flag("use_sliding_window", false),
              "expects attention without a sliding window, got one");
  if (!read.status().ok())
    return read.status();
  return c;
}

absl::StatusOr<Decoder> buildQwen(const ModelFiles &files,
                                  const DecoderOptions &options) {
  absl::StatusOr<llama::Config> config = readConfig(files);
  if (!config.ok())
    return config.status();
  config->cacheType = options.cacheType;
  return decoderOf<llama::Model>(*config, llama::weightNames());
}

} // namespace tenon::models::qwen
