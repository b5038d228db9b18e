//===- Model.cpp - DeepSeek-V2 and -V3 ------------------------------------===//
// Source: DeepSeek-AI 2024, arXiv:2405.04434 and arXiv:2412.19437, section 2.1.
// T tokens, D width, R rows that want logits, V vocabulary.

#include "models/deepseek/Model.h"

namespace tenon::models::deepseek {

Layer::Layer(Module *parent, int64_t number, const Config &c)
    : Module(parent, "layers." + std::to_string(number)),
      attentionNorm(this, "attention_norm", c.width, c.epsilon),
      attention(this, "attention", c),
      feedForwardNorm(this, "feed_forward_norm", c.width, c.epsilon) {
  if (c.hasExperts(number))
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
    : Module(nullptr, "deepseek"),
      embedding(this, "embedding", c.vocabulary, c.width),
      norm(this, "norm", c.width, c.epsilon) {
  for (int64_t layer = 0; layer < c.layers; ++layer)
    layers.emplace_back(this, layer, c);
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

absl::StatusOr<Decoder> buildDeepseek(const ModelFiles &files,
                                      const DecoderOptions &options) {
  absl::StatusOr<Config> config = readConfig(files, options);
  if (!config.ok())
    return config.status();
  return decoderOf<Model>(*config, weightNames(config->queryRank != 0));
}

} // namespace tenon::models::deepseek
