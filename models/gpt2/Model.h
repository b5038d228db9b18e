//===- Model.h - GPT-2 ------------------------------------------*- C++ -*-===//

#ifndef TENON_MODELS_GPT2_MODEL_H
#define TENON_MODELS_GPT2_MODEL_H

#include "frontend/dsl/Layers.h"

namespace tenon::models::gpt2 {

/// By default the sizes of the smallest one, of 124M parameters.
struct Config {
  int64_t vocabulary = 50257;
  int64_t context = 1024;
  int64_t layers = 12, heads = 12, width = 768;
  double epsilon = 1e-5;
};

class Attention : public Module {
public:
  Attention(Module *parent, std::string_view name, const Config &c);
  Tensor operator()(const Tensor &x, const Batch &batch) const;

private:
  int64_t heads, width;
  Linear project, output; // queries, keys and values side by side
  Cache keys, values;
};

class Layer : public Module {
public:
  Layer(Module *parent, std::string_view name, const Config &c);
  Tensor operator()(const Tensor &x, const Batch &batch) const;

private:
  LayerNorm attentionNorm;
  Attention attention;
  LayerNorm feedForwardNorm;
  Linear up, down;
};

class Model : public Module {
public:
  explicit Model(const Config &c);
  /// The hidden states [T, D] of tokens i32 [T].
  Tensor operator()(const Tensor &tokens, const Batch &batch) const;
  /// Shapes: x [R, D], result [R, V].
  Tensor logits(const Tensor &x) const { return embedding.logits(x); }

private:
  Embedding embedding, places;
  std::vector<Layer> layers;
  LayerNorm norm;
};

} // namespace tenon::models::gpt2
#endif // TENON_MODELS_GPT2_MODEL_H
