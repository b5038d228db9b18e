//===- Weights.cpp - The names of Gemma's weights in files ----------------===//
// The head is the embedding. In GGUF "ffn_norm" is the norm before the feed
// forward part; the norms' weights there include the 1 that safetensors leave
// out (`Config::normsWithoutOne`).

#include "models/gemma/Model.h"

namespace tenon::models::gemma {

std::span<const WeightName> weightNames() {
  static constexpr WeightName kNames[] = {
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
      {"layers.*.attention.query_norm.weight", "blk.*.attn_q_norm.weight",
       "model.layers.*.self_attn.q_norm.weight"},
      {"layers.*.attention.key_norm.weight", "blk.*.attn_k_norm.weight",
       "model.layers.*.self_attn.k_norm.weight"},
      {"layers.*.after_attention.weight", "blk.*.post_attention_norm.weight",
       "model.layers.*.post_attention_layernorm.weight"},
      {"layers.*.feed_forward_norm.weight", "blk.*.ffn_norm.weight",
       "model.layers.*.pre_feedforward_layernorm.weight"},
      {"layers.*.feed_forward.gate.weight", "blk.*.ffn_gate.weight",
       "model.layers.*.mlp.gate_proj.weight"},
      {"layers.*.feed_forward.up.weight", "blk.*.ffn_up.weight",
       "model.layers.*.mlp.up_proj.weight"},
      {"layers.*.feed_forward.down.weight", "blk.*.ffn_down.weight",
       "model.layers.*.mlp.down_proj.weight"},
      {"layers.*.after_feed_forward.weight", "blk.*.post_ffw_norm.weight",
       "model.layers.*.post_feedforward_layernorm.weight"},
  };
  return kNames;
}

} // namespace tenon::models::gemma
