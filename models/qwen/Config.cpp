//===- Config.cpp - The sizes of a Qwen2 model ----------------------------===//

#include "models/qwen/Config.h"

namespace tenon::models::qwen {

absl::StatusOr<Config> readConfig(const ModelFiles &files) {
  ConfigReader read(files);
  Config c;
  c.layers = read.integer("block_count", "num_hidden_layers");
  c.width = read.integer("embedding_length", "hidden_size");
  c.hidden = read.integer("feed_forward_length", "intermediate_size");
  c.heads = read.integer("attention.head_count", "num_attention_heads");
  c.keyHeads = read.integer("attention.head_count_kv", "num_key_value_heads");
  read.expect(c.heads > 0 && c.width % c.heads == 0,
              "expects heads that divide the width, got " +
                  std::to_string(c.heads) + " and " + std::to_string(c.width));
  if (!read.status().ok())
    return read.status();
  c.headWidth =
      read.integer("attention.key_length", "head_dim", c.width / c.heads);
  c.vocabulary = read.rowsOf(files.isGguf() ? "token_embd.weight"
                                            : "model.embed_tokens.weight");
  c.context = read.integer("context_length", "max_position_embeddings", 32768);
  c.epsilon =
      read.number("attention.layer_norm_rms_epsilon", "rms_norm_eps", 1e-6);
  c.rope.theta = read.number("rope.freq_base", "rope_theta", 1e4);
  c.tied = !files.has(files.isGguf() ? "output.weight" : "lm_head.weight");
  std::string scaling =
      read.text("rope.scaling.type", "rope_scaling.rope_type", "none");
  read.expect(scaling == "none" || scaling == "default",
              "expects rope without scaling, got '" + scaling + "'");
  read.expect(!read.flag("use_sliding_window", false),
              "expects attention without a sliding window, got one");
  if (!read.status().ok())
    return read.status();
  return c;
}

} // namespace tenon::models::qwen
