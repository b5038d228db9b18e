//===- Model.cpp - GPT-2 --------------------------------------------------===//
// Source: Radford et al. 2019, section 2.3; gelu as its code has it.
// T tokens, D width, H heads, W head width.

#include "models/gpt2/Model.h"

#include <cmath>

namespace tenon::models::gpt2 {
namespace {

Linear::Options inwards(const Config &c) {
  return {.bias = true, .inputsFirst = c.inputsFirst};
}

/// Of what is added to the residual stream: its deviation is to stay with any
/// number of layers.
Linear::Options outwards(const Config &c) {
  Linear::Options options = inwards(c);
  options.deviation /= std::sqrt(2.0 * static_cast<double>(c.layers));
  return options;
}
} // namespace

Attention::Attention(Module *parent, std::string_view name, const Config &c)
    : Module(parent, name), heads(c.heads), width(c.width),
      project(this, "project", c.width, 3 * c.width, inwards(c)),
      output(this, "output", c.width, c.width, outwards(c)),
      keys(cache("keys", CacheLayout::Keys, c.heads, c.width / c.heads,
                 c.cacheType)),
      values(cache("values", CacheLayout::Values, c.heads, c.width / c.heads,
                   c.cacheType)) {}

Tensor Attention::operator()(const Tensor &x, const Batch &batch) const {
  Tensor all = project(x); // [T, 3 D]
  auto part = [&](int64_t i) {
    return splitHeads(range(all, -1, i * width, (i + 1) * width), heads);
  };
  keys.append(part(1), batch);
  values.append(part(2), batch);
  double scale = 1 / std::sqrt(static_cast<double>(width / heads));
  return output(
      mergeHeads(tenon::attention(part(0), keys, values, batch, scale)));
}

Layer::Layer(Module *parent, std::string_view name, const Config &c)
    : Module(parent, name),
      attentionNorm(this, "attention_norm", c.width, c.epsilon),
      attention(this, "attention", c),
      feedForwardNorm(this, "feed_forward_norm", c.width, c.epsilon),
      up(this, "up", c.width, 4 * c.width, inwards(c)),
      down(this, "down", 4 * c.width, c.width, outwards(c)) {}

Tensor Layer::operator()(const Tensor &x, const Batch &batch) const {
  Tensor y = x + attention(attentionNorm(x), batch);
  return y + down(geluTanh(up(feedForwardNorm(y))));
}

Model::Model(const Config &c)
    : Module(nullptr, "gpt2"),
      embedding(this, "embedding", c.vocabulary, c.width),
      places(this, "places", c.context, c.width),
      norm(this, "norm", c.width, c.epsilon) {
  for (int layer = 0; layer < c.layers; ++layer)
    layers.emplace_back(this, "layers." + std::to_string(layer), c);
}

Tensor Model::hidden(const Tensor &tokens, const Batch &batch) const {
  Tensor x = embedding(tokens) + places(positions(batch)); // [T, D]
  for (const Layer &layer : layers)
    x = outline(layer)(x, batch);
  return norm(x);
}

absl::StatusOr<Decoder> buildGpt2(const ModelFiles &files,
                                  const DecoderOptions &options) {
  absl::StatusOr<Config> config = readConfig(files);
  if (!config.ok())
    return config.status();
  config->cacheType = options.cacheType;
  Decoder decoder = decoderOf<Model>(*config, weightNames());
  decoder.whole = "transformer.";
  return decoder;
}

} // namespace tenon::models::gpt2
