//===- Config.cpp - The sizes of a GPT-2 ----------------------------------===//

#include "models/gpt2/Config.h"

namespace tenon::models::gpt2 {

absl::StatusOr<Config> readConfig(const ModelFiles &files) {
  ConfigReader read(files);
  Config c;
  c.layers = read.integer("block_count", "n_layer");
  c.width = read.integer("embedding_length", "n_embd");
  c.heads = read.integer("attention.head_count", "n_head");
  c.context = read.integer("context_length", "n_positions");
  c.epsilon =
      read.number("attention.layer_norm_epsilon", "layer_norm_epsilon", 1e-5);
  c.inputsFirst = !files.isGguf();
  if (!files.hasWeights())
    c.vocabulary = read.integer("", "vocab_size");
  else if (files.isGguf())
    c.vocabulary = read.rowsOf("token_embd.weight");
  else
    c.vocabulary = read.rowsOf(files.has("transformer.wte.weight")
                                   ? "transformer.wte.weight"
                                   : "wte.weight");
  read.expect(c.heads > 0 && c.width % c.heads == 0,
              "expects heads that divide the width, got " +
                  std::to_string(c.heads) + " and " + std::to_string(c.width));
  std::string activation = read.text("", "activation_function", "gelu_new");
  read.expect(activation == "gelu_new",
              "expects the activation 'gelu_new', got '" + activation + "'");
  read.expect(!read.flag("scale_attn_by_inverse_layer_idx", false),
              "expects attention scaled alike in all layers, got "
              "scale_attn_by_inverse_layer_idx");
  if (!read.status().ok())
    return read.status();
  return c;
}

} // namespace tenon::models::gpt2
