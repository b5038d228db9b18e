//===- Config.cpp - The sizes of a Llama or Qwen2 model -------------------===//

#include "models/llama/Config.h"

namespace tenon::models::llama {

void Config::readShared(const ModelFiles &files, ConfigReader &read) {
  readSizes(files, read, 0);
  // Newer config.json files have these in one object.
  double theta = read.number("", "rope_parameters.rope_theta", 1e4);
  rope.theta = read.number("rope.freq_base", "rope_theta", theta);
  tied = files.hasWeights()
             ? !files.has(files.isGguf() ? "output.weight" : "lm_head.weight")
             : read.flag("tie_word_embeddings", false);
  readRopeScaling(read, rope);
  // Llama 3.1's scaling: in GGUF a tensor of factors.
  read.expect(!files.has("rope_freqs.weight"),
              "expects rope without scaling, got the tensor "
              "'rope_freqs.weight'");
}

absl::StatusOr<Config> readConfig(const ModelFiles &files) {
  ConfigReader read(files);
  Config c;
  c.readShared(files, read);
  c.readWindow(read);
  // Conversion to GGUF reorders the rows of queries and keys for this.
  if (files.isGguf())
    c.rope.layout = RopeLayout::Interleaved;
  int64_t turned =
      read.integer("rope.dimension_count", "head_dim", c.headWidth);
  read.expect(turned == c.headWidth,
              "expects rope of all " + std::to_string(c.headWidth) +
                  " elements of a head, got " + std::to_string(turned));
  read.expect(!files.has("blk.0.attn_q.bias") &&
                  !read.flag("attention_bias", false) &&
                  !read.flag("mlp_bias", false),
              "expects weights without biases, got some");
  read.expect(read.integer("expert_count", "num_local_experts", 0) == 0,
              "expects feed-forward parts without experts, got some");
  std::string activation = read.text("", "hidden_act", "silu");
  read.expect(activation == "silu",
              "expects the activation 'silu', got '" + activation + "'");
  if (!read.status().ok())
    return read.status();
  return c;
}

} // namespace tenon::models::llama
