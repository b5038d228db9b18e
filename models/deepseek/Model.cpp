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

Further::Further(Module *parent, const Config &c)
    : Module(parent, "layers." + std::to_string(c.layers) + ".further"),
      embeddingNorm(this, "embedding_norm", c.width, c.epsilon),
      stateNorm(this, "state_norm", c.width, c.epsilon),
      join(this, "join", 2 * c.width, c.width), layer(parent, c.layers, c),
      norm(this, "norm", c.width, c.epsilon) {
  if (c.further.hasEmbedding)
    embedding.emplace(this, "embedding", c.vocabulary, c.width);
  if (c.further.hasHead)
    output.emplace(this, "head", c.width, c.vocabulary);
}

Tensor Further::operator()(const Tensor &embedded, const Tensor &states,
                           const Batch &batch, const Tensor &rows) const {
  Tensor x = join(concat({embeddingNorm(embedded), stateNorm(states)}, 1));
  return norm(gather(outline(layer)(x, batch), rows));
}

Model::Model(const Config &c)
    : Module(nullptr, "deepseek"),
      embedding(this, "embedding", c.vocabulary, c.width),
      norm(this, "norm", c.width, c.epsilon) {
  for (int64_t layer = 0; layer < c.layers; ++layer)
    layers.emplace_back(this, layer, c);
  if (!c.tied)
    output.emplace(this, "head", c.width, c.vocabulary);
  if (c.further.isBuilt)
    further.emplace(this, c);
}

Tensor Model::layered(const Tensor &tokens, const Batch &batch) const {
  Tensor x = embedding(tokens);
  for (const Layer &layer : layers)
    x = outline(layer)(x, batch);
  return x;
}

absl::StatusOr<Decoder> buildDeepseek(const ModelFiles &files,
                                      const DecoderOptions &options) {
  absl::StatusOr<Config> config = readConfig(files, options);
  if (!config.ok())
    return config.status();
  auto model = std::make_shared<Model>(*config);
  Decoder decoder =
      decoderOf(model, *config, weightNames(config->queryRank != 0));
  decoder.hasLatents = true;
  if (model->drafts())
    decoder.drafting = {
        [model](const Tensor &tokens, const Batch &batch) {
          return model->states(tokens, batch);
        },
        [model](const Tensor &tokens, const Tensor &states, const Batch &batch,
                const Tensor &rows) {
          return model->furtherStates(tokens, states, batch, rows);
        },
        [model](const Tensor &x) { return model->furtherLogits(x); },
        model->furtherHead().path()};
  return decoder;
}

} // namespace tenon::models::deepseek
