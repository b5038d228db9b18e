//===- Model.h - GPT-2 ------------------------------------------*- C++ -*-===//

#ifndef TENON_MODELS_GPT2_MODEL_H
#define TENON_MODELS_GPT2_MODEL_H

#include "frontend/dsl/Layers.h"
#include "models/gpt2/Config.h"

namespace tenon::models::gpt2 {

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
  /// What the logits of rows are computed of: [R, D].
  Tensor hidden(const Tensor &tokens, const Batch &batch,
                const Tensor &rows) const {
    return gather(hidden(tokens, batch), rows);
  }
  Tensor logits(const Tensor &x) const { return embedding.logits(x); }
  const Module &head() const { return embedding; }
  /// The logits [T, V] of every token.
  Tensor operator()(const Tensor &tokens, const Batch &batch) const {
    return embedding.logits(hidden(tokens, batch));
  }

private:
  Tensor hidden(const Tensor &tokens, const Batch &batch) const; // [T, D]

  Embedding embedding, places;
  std::vector<Layer> layers;
  LayerNorm norm;
};

/// Builds the model that the files hold.
absl::StatusOr<Decoder> buildGpt2(const ModelFiles &files,
                                  const DecoderOptions &options);

/// The weights' names; see Weights.cpp.
std::vector<WeightName> weightNames();

} // namespace tenon::models::gpt2
#endif // TENON_MODELS_GPT2_MODEL_H
