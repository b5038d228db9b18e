//===- Model.h - Llama and its like -----------------------------*- C++ -*-===//

#ifndef TENON_MODELS_LLAMA_MODEL_H
#define TENON_MODELS_LLAMA_MODEL_H

#include "frontend/dsl/Layers.h"
#include "models/llama/Config.h"

namespace tenon::models::llama {

class Attention : public Module {
public:
  Attention(Module *parent, std::string_view name, const Config &c);
  Tensor operator()(const Tensor &x, const Batch &batch) const;

private:
  int64_t heads, keyHeads;
  Window window;
  double scale;
  RopeOptions positions;
  Linear query, key, value, output;
  std::optional<RmsNorm> queryNorm, keyNorm;
  Cache keys, values;
};

class Layer : public Module {
public:
  Layer(Module *parent, std::string_view name, const Config &c);
  Tensor operator()(const Tensor &x, const Batch &batch) const;

private:
  RmsNorm attentionNorm;
  Attention attention;
  RmsNorm feedForwardNorm;
  std::optional<GatedFeedForward> feedForward; // or
  std::optional<Experts> experts;
};

class Model : public Module {
public:
  explicit Model(const Config &c);
  /// What the logits of rows are computed of: [R, D].
  Tensor hidden(const Tensor &tokens, const Batch &batch,
                const Tensor &rows) const;
  Tensor logits(const Tensor &x) const {
    return output ? (*output)(x) : embedding.logits(x);
  }
  const Module &head() const {
    return output ? static_cast<const Module &>(*output) : embedding;
  }

private:
  Embedding embedding;
  std::vector<Layer> layers;
  RmsNorm norm;
  std::optional<Linear> output; // absent where the embedding is the head
};

/// Builds the Llama that the files hold.
absl::StatusOr<Decoder> buildLlama(const ModelFiles &files,
                                   const DecoderOptions &options);

/// The weights' names; see Weights.cpp.
std::vector<WeightName> weightNames();

} // namespace tenon::models::llama
#endif // TENON_MODELS_LLAMA_MODEL_H
