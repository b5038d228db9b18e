//===- Model.h - DeepSeek-V2 and -V3 ----------------------------*- C++ -*-===//

#ifndef TENON_MODELS_DEEPSEEK_MODEL_H
#define TENON_MODELS_DEEPSEEK_MODEL_H

#include "models/deepseek/Attention.h"

namespace tenon::models::deepseek {

class Layer : public Module {
public:
  Layer(Module *parent, int64_t number, const Config &c);
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

/// Builds the DeepSeek-V2 or -V3 that the files hold.
absl::StatusOr<Decoder> buildDeepseek(const ModelFiles &files,
                                      const DecoderOptions &options);

/// The weights' names, for queries of a vector of their own or of the input;
/// see Weights.cpp.
std::vector<WeightName> weightNames(bool hasQueryRank);

} // namespace tenon::models::deepseek
#endif // TENON_MODELS_DEEPSEEK_MODEL_H
