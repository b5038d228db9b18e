//===- Weights.cpp - The names of GPT-2's weights in files ----------------===//
// Safetensors written from a whole model have "transformer." before each name.

#include "models/gpt2/Model.h"

namespace tenon::models::gpt2 {

std::vector<WeightName> weightNames() {
  return {
      {"embedding.weight", "token_embd.weight", "wte.weight"},
      {"places.weight", "position_embd.weight", "wpe.weight"},
      {"norm.weight", "output_norm.weight", "ln_f.weight"},
      {"norm.bias", "output_norm.bias", "ln_f.bias"},
      {"layers.*.attention_norm.weight", "blk.*.attn_norm.weight",
       "h.*.ln_1.weight"},
      {"layers.*.attention_norm.bias", "blk.*.attn_norm.bias", "h.*.ln_1.bias"},
      {"layers.*.attention.project.weight", "blk.*.attn_qkv.weight",
       "h.*.attn.c_attn.weight"},
      {"layers.*.attention.project.bias", "blk.*.attn_qkv.bias",
       "h.*.attn.c_attn.bias"},
      {"layers.*.attention.output.weight", "blk.*.attn_output.weight",
       "h.*.attn.c_proj.weight"},
      {"layers.*.attention.output.bias", "blk.*.attn_output.bias",
       "h.*.attn.c_proj.bias"},
      {"layers.*.feed_forward_norm.weight", "blk.*.ffn_norm.weight",
       "h.*.ln_2.weight"},
      {"layers.*.feed_forward_norm.bias", "blk.*.ffn_norm.bias",
       "h.*.ln_2.bias"},
      {"layers.*.up.weight", "blk.*.ffn_up.weight", "h.*.mlp.c_fc.weight"},
      {"layers.*.up.bias", "blk.*.ffn_up.bias", "h.*.mlp.c_fc.bias"},
      {"layers.*.down.weight", "blk.*.ffn_down.weight",
       "h.*.mlp.c_proj.weight"},
      {"layers.*.down.bias", "blk.*.ffn_down.bias", "h.*.mlp.c_proj.bias"},
  };
}

} // namespace tenon::models::gpt2
