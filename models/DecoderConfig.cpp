//===- DecoderConfig.cpp - What decoders' files have in common ------------===//

#include "models/DecoderConfig.h"

namespace tenon::models {

void DecoderConfig::readSizes(const ModelFiles &files, ConfigReader &read,
                              int64_t usualHeadWidth) {
  layers = read.integer("block_count", "num_hidden_layers");
  width = read.integer("embedding_length", "hidden_size");
  hidden = read.integer("feed_forward_length", "intermediate_size");
  heads = read.integer("attention.head_count", "num_attention_heads");
  keyHeads = read.integer("attention.head_count_kv", "num_key_value_heads");
  bool divides = heads > 0 && width % heads == 0;
  if (usualHeadWidth == 0) {
    read.expect(divides, "expects heads that divide the width, got " +
                             std::to_string(heads) + " and " +
                             std::to_string(width));
    usualHeadWidth = divides ? width / heads : 1;
  }
  headWidth = read.integer("attention.key_length", "head_dim", usualHeadWidth);
  vocabulary = files.hasWeights()
                   ? read.rowsOf(files.isGguf() ? "token_embd.weight"
                                                : "model.embed_tokens.weight")
                   : read.integer("", "vocab_size");
  context = read.integer("context_length", "max_position_embeddings", 32768);
  epsilon =
      read.number("attention.layer_norm_rms_epsilon", "rms_norm_eps", 1e-6);
}

void DecoderConfig::readWindow(ConfigReader &read) {
  window.tokens = read.integer("attention.sliding_window", "sliding_window", 0);
  window.globals = read.integer("attention.global_tokens", "global_tokens", 0);
  read.expect(window.tokens >= 0 && window.globals >= 0 &&
                  (window.globals == 0 || window.tokens > 0),
              "expects a window of at least 0 tokens, and global tokens beside "
              "one, got a window of " +
                  std::to_string(window.tokens) + " and " +
                  std::to_string(window.globals) + " global tokens");
}

void readRopeScaling(ConfigReader &read, RopeOptions &rope) {
  // Newer config.json files have these beside theta, in one object.
  auto text = [&](const char *gguf, const std::string &key,
                  const std::string &usual) {
    std::string newer = read.text("", "rope_parameters." + key, usual);
    return read.text(gguf, "rope_scaling." + key, newer);
  };
  auto number = [&](const char *gguf, const std::string &key, double usual) {
    double newer = read.number("", "rope_parameters." + key, usual);
    return read.number(gguf, "rope_scaling." + key, newer);
  };
  std::string kind = text("", "type", "none"); // the older key
  kind = text("rope.scaling.type", "rope_type", kind);
  if (kind == "none" || kind == "default")
    return;
  rope.scaling.factor = number("rope.scaling.factor", "factor", 1);
  read.expect(rope.scaling.factor >= 1,
              "expects rope to be scaled by at least 1, got " +
                  std::to_string(rope.scaling.factor));
  if (kind == "linear") {
    rope.scaling.kind = ir::RopeScaling::Linear;
    return;
  }
  read.expect(kind == "yarn",
              "expects rope scaled by 'linear', 'yarn' or not, got '" + kind +
                  "'");
  rope.scaling.kind = ir::RopeScaling::Yarn;
  rope.scaling.originalContext =
      static_cast<int64_t>(number("rope.scaling.original_context_length",
                                  "original_max_position_embeddings", 4096));
  rope.scaling.betaFast =
      number("rope.scaling.yarn_beta_fast", "beta_fast", 32);
  rope.scaling.betaSlow = number("rope.scaling.yarn_beta_slow", "beta_slow", 1);
  rope.amplitude =
      number("", "attention_factor", ir::yarnMagnitude(rope.scaling.factor));
}

std::vector<WeightName> decoderNames(std::initializer_list<WeightName> own) {
  std::vector<WeightName> names = {
      {"embedding.weight", "token_embd.weight", "model.embed_tokens.weight"},
      {"norm.weight", "output_norm.weight", "model.norm.weight"},
      {"layers.*.attention_norm.weight", "blk.*.attn_norm.weight",
       "model.layers.*.input_layernorm.weight"},
      {"layers.*.attention.query.weight", "blk.*.attn_q.weight",
       "model.layers.*.self_attn.q_proj.weight"},
      {"layers.*.attention.key.weight", "blk.*.attn_k.weight",
       "model.layers.*.self_attn.k_proj.weight"},
      {"layers.*.attention.value.weight", "blk.*.attn_v.weight",
       "model.layers.*.self_attn.v_proj.weight"},
      {"layers.*.attention.output.weight", "blk.*.attn_output.weight",
       "model.layers.*.self_attn.o_proj.weight"},
      {"layers.*.feed_forward.gate.weight", "blk.*.ffn_gate.weight",
       "model.layers.*.mlp.gate_proj.weight"},
      {"layers.*.feed_forward.up.weight", "blk.*.ffn_up.weight",
       "model.layers.*.mlp.up_proj.weight"},
      {"layers.*.feed_forward.down.weight", "blk.*.ffn_down.weight",
       "model.layers.*.mlp.down_proj.weight"},
  };
  names.insert(names.end(), own);
  return names;
}

} // namespace tenon::models
