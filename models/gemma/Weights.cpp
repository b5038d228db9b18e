//===- Weights.cpp - The names of Gemma's weights in files ----------------===//
// The head is the embedding. In GGUF "ffn_norm" is the norm before the feed
// forward part; the norms' weights there include the 1 that safetensors leave
// out (`Config::normsWithoutOne`).

#include "models/gemma/Model.h"

namespace tenon::models::gemma {

std::vector<WeightName> weightNames() {
  return decoderNames({
      {"layers.*.attention.query_norm.weight", "blk.*.attn_q_norm.weight",
       "model.layers.*.self_attn.q_norm.weight"},
      {"layers.*.attention.key_norm.weight", "blk.*.attn_k_norm.weight",
       "model.layers.*.self_attn.k_norm.weight"},
      {"layers.*.after_attention.weight", "blk.*.post_attention_norm.weight",
       "model.layers.*.post_attention_layernorm.weight"},
      {"layers.*.feed_forward_norm.weight", "blk.*.ffn_norm.weight",
       "model.layers.*.pre_feedforward_layernorm.weight"},
      {"layers.*.after_feed_forward.weight", "blk.*.post_ffw_norm.weight",
       "model.layers.*.post_feedforward_layernorm.weight"},
  });
}

} // namespace tenon::models::gemma
