//===- Weights.cpp - The names of weights in files of DeepSeek ------------===//

#include "models/deepseek/Model.h"

namespace tenon::models::deepseek {

std::vector<WeightName> weightNames(bool hasQueryRank) {
  std::vector<WeightName> names = decoderNames({
      {"head.weight", "output.weight", "lm_head.weight"},
      {"layers.*.feed_forward_norm.weight", "blk.*.ffn_norm.weight",
       "model.layers.*.post_attention_layernorm.weight"},
      {"layers.*.attention.latent.weight", "blk.*.attn_kv_a_mqa.weight",
       "model.layers.*.self_attn.kv_a_proj_with_mqa.weight"},
      {"layers.*.attention.latent_norm.weight", "blk.*.attn_kv_a_norm.weight",
       "model.layers.*.self_attn.kv_a_layernorm.weight"},
      {"layers.*.attention.latent_up.weight", "blk.*.attn_kv_b.weight",
       "model.layers.*.self_attn.kv_b_proj.weight"},
      {"layers.*.attention.latent_up.keys", "blk.*.attn_k_b.weight", ""},
      {"layers.*.attention.latent_up.values", "blk.*.attn_v_b.weight", ""},
      {"layers.*.attention.query.down.weight", "blk.*.attn_q_a.weight",
       "model.layers.*.self_attn.q_a_proj.weight"},
      {"layers.*.attention.query.norm.weight", "blk.*.attn_q_a_norm.weight",
       "model.layers.*.self_attn.q_a_layernorm.weight"},
      {"layers.*.further.embedding_norm.weight", "blk.*.nextn.enorm.weight",
       "model.layers.*.enorm.weight"},
      {"layers.*.further.state_norm.weight", "blk.*.nextn.hnorm.weight",
       "model.layers.*.hnorm.weight"},
      {"layers.*.further.join.weight", "blk.*.nextn.eh_proj.weight",
       "model.layers.*.eh_proj.weight"},
      {"layers.*.further.embedding.weight", "blk.*.nextn.embed_tokens.weight",
       "model.layers.*.embed_tokens.weight"},
      {"layers.*.further.norm.weight", "blk.*.nextn.shared_head_norm.weight",
       "model.layers.*.shared_head.norm.weight"},
      {"layers.*.further.head.weight", "blk.*.nextn.shared_head_head.weight",
       "model.layers.*.shared_head.head.weight"},
      {"layers.*.experts.router.weight", "blk.*.ffn_gate_inp.weight",
       "model.layers.*.mlp.gate.weight"},
      {"layers.*.experts.router.bias", "blk.*.exp_probs_b.bias",
       "model.layers.*.mlp.gate.e_score_correction_bias"},
      {"layers.*.experts.gate.weight", "blk.*.ffn_gate_exps.weight",
       "model.layers.*.mlp.experts.#.gate_proj.weight"},
      {"layers.*.experts.up.weight", "blk.*.ffn_up_exps.weight",
       "model.layers.*.mlp.experts.#.up_proj.weight"},
      {"layers.*.experts.down.weight", "blk.*.ffn_down_exps.weight",
       "model.layers.*.mlp.experts.#.down_proj.weight"},
      {"layers.*.experts.shared.gate.weight", "blk.*.ffn_gate_shexp.weight",
       "model.layers.*.mlp.shared_experts.gate_proj.weight"},
      {"layers.*.experts.shared.up.weight", "blk.*.ffn_up_shexp.weight",
       "model.layers.*.mlp.shared_experts.up_proj.weight"},
      {"layers.*.experts.shared.down.weight", "blk.*.ffn_down_shexp.weight",
       "model.layers.*.mlp.shared_experts.down_proj.weight"},
  });
  if (hasQueryRank)
    names.push_back({"layers.*.attention.query.up.weight",
                     "blk.*.attn_q_b.weight",
                     "model.layers.*.self_attn.q_b_proj.weight"});
  else
    names.push_back({"layers.*.attention.query.up.weight",
                     "blk.*.attn_q.weight",
                     "model.layers.*.self_attn.q_proj.weight"});
  return names;
}

} // namespace tenon::models::deepseek
