//===- Weights.cpp - The names of weights in files of Llama and the Qwens -===//

#include "models/llama/Model.h"

namespace tenon::models::llama {

std::vector<WeightName> weightNames() {
  return decoderNames({
      {"head.weight", "output.weight", "lm_head.weight"},
      {"layers.*.attention.query.bias", "blk.*.attn_q.bias",
       "model.layers.*.self_attn.q_proj.bias"},
      {"layers.*.attention.key.bias", "blk.*.attn_k.bias",
       "model.layers.*.self_attn.k_proj.bias"},
      {"layers.*.attention.value.bias", "blk.*.attn_v.bias",
       "model.layers.*.self_attn.v_proj.bias"},
      {"layers.*.feed_forward_norm.weight", "blk.*.ffn_norm.weight",
       "model.layers.*.post_attention_layernorm.weight"},
      {"layers.*.attention.query_norm.weight", "blk.*.attn_q_norm.weight",
       "model.layers.*.self_attn.q_norm.weight"},
      {"layers.*.attention.key_norm.weight", "blk.*.attn_k_norm.weight",
       "model.layers.*.self_attn.k_norm.weight"},
      {"layers.*.experts.router.weight", "blk.*.ffn_gate_inp.weight",
       "model.layers.*.mlp.gate.weight"},
      {"layers.*.experts.gate.weight", "blk.*.ffn_gate_exps.weight",
       "model.layers.*.mlp.experts.#.gate_proj.weight"},
      {"layers.*.experts.up.weight", "blk.*.ffn_up_exps.weight",
       "model.layers.*.mlp.experts.#.up_proj.weight"},
      {"layers.*.experts.down.weight", "blk.*.ffn_down_exps.weight",
       "model.layers.*.mlp.experts.#.down_proj.weight"},
  });
}

} // namespace tenon::models::llama
