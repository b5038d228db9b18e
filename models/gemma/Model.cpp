//===- Model.cpp - Gemma 3, text ------------------------------------------===//
// Source: Gemma 3 technical report, arXiv:2503.19786, section 2.
// T tokens, D width, H heads, G key heads, W head width,
// R rows that want logits, V vocabulary.

#include "models/gemma/Model.h"

namespace tenon::models::gemma {
namespace {

RmsNorm::Options normOptions(const Config &c) {
  return {.addOne = c.normsWithoutOne};
}
} // namespace

Attention::Attention(Module *parent, std::string_view name, const Config &c,
                     int layer)
    : Module(parent, name), heads(c.heads), keyHeads(c.keyHeads),
      window(c.isLocal[layer] ? c.window : Window()), scale(c.attentionScale),
      positions(c.isLocal[layer] ? c.localRope : c.globalRope),
      query(this, "query", c.width, c.heads * c.headWidth),
      key(this, "key", c.width, c.keyHeads * c.headWidth),
      value(this, "value", c.width, c.keyHeads * c.headWidth),
      output(this, "output", c.heads * c.headWidth, c.width),
      queryNorm(this, "query_norm", c.headWidth, c.epsilon, normOptions(c)),
      keyNorm(this, "key_norm", c.headWidth, c.epsilon, normOptions(c)),
      keys(cache("keys", CacheLayout::Keys, c.keyHeads, c.headWidth,
                 c.cacheType)),
      values(cache("values", CacheLayout::Values, c.keyHeads, c.headWidth,
                   c.cacheType)) {}

Tensor Attention::operator()(const Tensor &x, const Batch &batch) const {
  Tensor q = queryNorm(splitHeads(query(x), heads)); // [T, H, W]
  Tensor k = keyNorm(splitHeads(key(x), keyHeads));  // [T, G, W]
  Tensor v = splitHeads(value(x), keyHeads);         // [T, G, W]
  keys.append(rope(k, batch, positions), batch);
  values.append(v, batch);
  Tensor y = attention(rope(q, batch, positions), keys, values, batch, scale,
                       window); // [T, H, W]
  return output(mergeHeads(y)); // [T, D]
}

Layer::Layer(Module *parent, std::string_view name, const Config &c, int layer)
    : Module(parent, name),
      attentionNorm(this, "attention_norm", c.width, c.epsilon, normOptions(c)),
      attention(this, "attention", c, layer),
      afterAttention(this, "after_attention", c.width, c.epsilon,
                     normOptions(c)),
      feedForwardNorm(this, "feed_forward_norm", c.width, c.epsilon,
                      normOptions(c)),
      feedForward(this, "feed_forward", c.width, c.hidden, geluTanh),
      afterFeedForward(this, "after_feed_forward", c.width, c.epsilon,
                       normOptions(c)) {}

Tensor Layer::operator()(const Tensor &x, const Batch &batch) const {
  Tensor y = x + afterAttention(attention(attentionNorm(x), batch));
  return y + afterFeedForward(feedForward(feedForwardNorm(y)));
}

Model::Model(const Config &c)
    : Module(nullptr, "gemma"), embeddingScale(c.embeddingScale),
      embedding(this, "embedding", c.vocabulary, c.width),
      norm(this, "norm", c.width, c.epsilon, normOptions(c)) {
  for (int layer = 0; layer < c.layers; ++layer)
    layers.emplace_back(this, "layers." + std::to_string(layer), c, layer);
}

Tensor Model::hidden(const Tensor &tokens, const Batch &batch,
                     const Tensor &rows) const {
  Tensor x = embedding(tokens) * embeddingScale; // [T, D]
  for (const Layer &layer : layers)
    x = outline(layer)(x, batch);
  return norm(gather(x, rows));
}

absl::StatusOr<Decoder> buildGemma(const ModelFiles &files,
                                   const DecoderOptions &options) {
  absl::StatusOr<Config> config = readConfig(files);
  if (!config.ok())
    return config.status();
  config->cacheType = options.cacheType;
  return decoderOf<Model>(*config, weightNames());
}

} // namespace tenon::models::gemma
