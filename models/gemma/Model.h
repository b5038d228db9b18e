//===- Model.h - Gemma 3, text ----------------------------------*- C++ -*-===//

#ifndef TENON_MODELS_GEMMA_MODEL_H
#define TENON_MODELS_GEMMA_MODEL_H

#include "frontend/dsl/Layers.h"
#include "models/gemma/Config.h"

namespace tenon::models::gemma {

class Attention : public Module {
public:
  Attention(Module *parent, std::string_view name, const Config &c, int layer);
  Tensor operator()(const Tensor &x, const Batch &batch) const;

private:
  int64_t heads, keyHeads;
  Window window;
  double scale;
  RopeOptions positions;
  Linear query, key, value, output;
  RmsNorm queryNorm, keyNorm;
  Cache keys, values;
};

class Layer : public Module {
public:
  Layer(Module *parent, std::string_view name, const Config &c, int layer);
  Tensor operator()(const Tensor &x, const Batch &batch) const;

private:
  RmsNorm attentionNorm;
  Attention attention;
  RmsNorm afterAttention, feedForwardNorm;
  GatedFeedForward feedForward;
  RmsNorm afterFeedForward;
};

class Model : public Module {
public:
  explicit Model(const Config &c);
  /// What the logits of rows are computed of: [R, D].
  Tensor hidden(const Tensor &tokens, const Batch &batch,
                const Tensor &rows) const;
  Tensor logits(const Tensor &x) const { return embedding.logits(x); }
  const Module &head() const { return embedding; }

private:
  double embeddingScale;
  Embedding embedding;
  std::vector<Layer> layers;
  RmsNorm norm;
};

/// Builds the model that the files hold.
absl::StatusOr<Decoder> buildGemma(const ModelFiles &files,
                                   const DecoderOptions &options);

/// The weights' names; see Weights.cpp.
std::vector<WeightName> weightNames();

} // namespace tenon::models::gemma
#endif // TENON_MODELS_GEMMA_MODEL_H
