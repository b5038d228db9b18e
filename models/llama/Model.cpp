//===- Model.cpp - Llama and its like -------------------------------------===//
// Source: Touvron et al. 2023, arXiv:2302.13971, section 2.2; grouped heads:
// Ainslie et al. 2023, arXiv:2305.13245.
// T tokens, D width, H heads, G key heads, W head width, R rows that want
// logits, V vocabulary.

#include "models/llama/Model.h"

#include <cmath>

namespace tenon::models::llama {

Attention::Attention(Module *parent, std::string_view name, const Config &c)
    : Module(parent, name), heads(c.heads), keyHeads(c.keyHeads),
      window(c.window), scale(1 / std::sqrt(static_cast<double>(c.headWidth))),
      positions(c.rope),
      query(this, "query", c.width, c.heads * c.headWidth, {.bias = c.bias}),
      key(this, "key", c.width, c.keyHeads * c.headWidth, {.bias = c.bias}),
      value(this, "value", c.width, c.keyHeads * c.headWidth, {.bias = c.bias}),
      output(this, "output", c.heads * c.headWidth, c.width),
      keys(cache("keys", CacheLayout::Keys, c.keyHeads, c.headWidth,
                 c.cacheType)),
      values(cache("values", CacheLayout::Values, c.keyHeads, c.headWidth,
                   c.cacheType)) {
  if (c.headNorms) {
    queryNorm.emplace(this, "query_norm", c.headWidth, c.epsilon);
    keyNorm.emplace(this, "key_norm", c.headWidth, c.epsilon);
  }
}

Tensor Attention::operator()(const Tensor &x, const Batch &batch) const {
  Tensor q = splitHeads(query(x), heads);  // [T, H, W]
  Tensor k = splitHeads(key(x), keyHeads); // [T, G, W]
  if (queryNorm) {
    q = (*queryNorm)(q);
    k = (*keyNorm)(k);
  }
  Tensor v = splitHeads(value(x), keyHeads); // [T, G, W]
  keys.append(rope(k, batch, positions), batch);
  values.append(v, batch);
  Tensor y = attention(rope(q, batch, positions), keys, values, batch, scale,
                       window); // [T, H, W]
  return output(mergeHeads(y)); // [T, D]
}

Layer::Layer(Module *parent, std::string_view name, const Config &c)
    : Module(parent, name),
      attentionNorm(this, "attention_norm", c.width, c.epsilon),
      attention(this, "attention", c),
      feedForwardNorm(this, "feed_forward_norm", c.width, c.epsilon) {
  if (c.experts)
    experts.emplace(this, "experts", *c.experts);
  else
    feedForward.emplace(this, "feed_forward", c.width, c.hidden, silu);
}

Tensor Layer::operator()(const Tensor &x, const Batch &batch) const {
  Tensor y = x + attention(attentionNorm(x), batch);
  Tensor normed = feedForwardNorm(y);
  return y + (experts ? (*experts)(normed) : (*feedForward)(normed));
}

Model::Model(const Config &c)
    : Module(nullptr, "llama"),
      embedding(this, "embedding", c.vocabulary, c.width),
      norm(this, "norm", c.width, c.epsilon) {
  for (int layer = 0; layer < c.layers; ++layer)
    layers.emplace_back(this, "layers." + std::to_string(layer), c);
  if (!c.tied)
    output.emplace(this, "head", c.width, c.vocabulary);
}

Tensor Model::hidden(const Tensor &tokens, const Batch &batch,
                     const Tensor &rows) const {
  Tensor x = embedding(tokens); // [T, D]
  for (const Layer &layer : layers)
    x = outline(layer)(x, batch);
  return norm(gather(x, rows));
}

absl::StatusOr<Decoder> buildLlama(const ModelFiles &files,
                                   const DecoderOptions &options) {
  absl::StatusOr<Config> config = readConfig(files);
  if (!config.ok())
    return config.status();
  config->cacheType = options.cacheType;
  Decoder decoder = decoderOf<Model>(*config, weightNames());
  bool isInterleaved = config->rope.layout == RopeLayout::Interleaved;
  for (int layer = 0; isInterleaved && layer < config->layers; ++layer) {
    std::string path = "layers." + std::to_string(layer) + ".attention.";
    decoder.interleaved.push_back({path + "query", config->heads});
    decoder.interleaved.push_back({path + "key", config->keyHeads});
  }
  return decoder;
}

} // namespace tenon::models::llama
