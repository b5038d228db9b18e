//===- Weights.cpp - The names of weights in files of Llama and Qwen2 -----===//

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
  });
}

} // namespace tenon::models::llama
