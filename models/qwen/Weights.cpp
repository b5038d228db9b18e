//===- Weights.cpp - The names of Qwen2's weights in files ----------------===//

#include "models/qwen/Model.h"

namespace tenon::models::qwen {

std::span<const WeightName> weightNames() {
  static constexpr WeightName kNames[] = {
      {"embedding.weight", "token_embd.weight", "model.embed_tokens.weight"},
      {"norm.weight", "output_norm.weight", "model.norm.weight"},
      {"head.weight", "output.weight", "lm_head.weight"},
      {"layers.*.attention_norm.weight", "blk.*.attn_norm.weight",
       "model.layers.*.input_layernorm.weight"},
      {"layers.*.attention.query.weight", "blk.*.attn_q.weight",
       "model.layers.*.self_attn.q_proj.weight"},
      {"layers.*.attention.query.bias", "blk.*.attn_q.bias",
       "model.layers.*.self_attn.q_proj.bias"},
      {"layers.*.attention.key.weight", "blk.*.attn_k.weight",
       "model.layers.*.self_attn.k_proj.weight"},
      {"layers.*.attention.key.bias", "blk.*.attn_k.bias",
       "model.layers.*.self_attn.k_proj.bias"},
      {"layers.*.attention.value.weight", "blk.*.attn_v.weight",
       "model.layers.*.self_attn.v_proj.weight"},
      {"layers.*.attention.value.bias", "blk.*.attn_v.bias",
       "model.layers.*.self_attn.v_proj.bias"},
      {"layers.*.attention.output.weight", "blk.*.attn_output.weight",
       "model.layers.*.self_attn.o_proj.weight"},
      {"layers.*.feed_forward_norm.weight", "blk.*.ffn_norm.weight",
       "model.layers.*.post_attention_layernorm.weight"},
      {"layers.*.feed_forward.gate.weight", "blk.*.ffn_gate.weight",
       "model.layers.*.mlp.gate_proj.weight"},
      {"layers.*.feed_forward.up.weight", "blk.*.ffn_up.weight",
       "model.layers.*.mlp.up_proj.weight"},
      {"layers.*.feed_forward.down.weight", "blk.*.ffn_down.weight",
       "model.layers.*.mlp.down_proj.weight"},
  };
  return kNames;
}

} // namespace tenon::models::qwen
