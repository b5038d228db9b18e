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

/// A layer that predicts the token after the next one, of the model's state of
/// a token and the token after it; or a later one, of its own state. Its parts
/// have names of `layers.L`, L the number of layers before it, as the layer
/// has.
class Further : public Module {
public:
  Further(Module *parent, const Config &c);

  /// States [R, D] of rows, for the embedded tokens [T, D] after those that
  /// `states` [T, D] and the batch are of.
  Tensor operator()(const Tensor &embedded, const Tensor &states,
                    const Batch &batch, const Tensor &rows) const;

  std::optional<Embedding> embedding; // absent where it is the model's
  std::optional<Linear> output;       // absent where it is the model's

private:
  RmsNorm embeddingNorm, stateNorm;
  Linear join;
  Layer layer;
  RmsNorm norm;
};

class Model : public Module {
public:
  explicit Model(const Config &c);
  /// What the logits of rows are computed of: [R, D].
  Tensor hidden(const Tensor &tokens, const Batch &batch,
                const Tensor &rows) const {
    return norm(gather(layered(tokens, batch), rows));
  }
  /// The same of all tokens: [T, D].
  Tensor states(const Tensor &tokens, const Batch &batch) const {
    return norm(layered(tokens, batch));
  }
  Tensor logits(const Tensor &x) const {
    return output ? (*output)(x) : embedding.logits(x);
  }
  const Module &head() const {
    return output ? static_cast<const Module &>(*output) : embedding;
  }

  bool drafts() const { return further.has_value(); }
  /// States [R, D] of rows of the layer that predicts a further token, for the
  /// tokens [T] after those that `given` [T, D] are the states of.
  Tensor furtherStates(const Tensor &tokens, const Tensor &given,
                       const Batch &batch, const Tensor &rows) const {
    const Embedding &own = further->embedding ? *further->embedding : embedding;
    return (*further)(own(tokens), given, batch, rows);
  }
  /// The logits [R, V] of those states.
  Tensor furtherLogits(const Tensor &x) const {
    return further->output ? (*further->output)(x) : logits(x);
  }
  const Module &furtherHead() const {
    return further->output ? *further->output : head();
  }

private:
  Tensor layered(const Tensor &tokens, const Batch &batch) const; // [T, D]

  Embedding embedding;
  std::vector<Layer> layers;
  RmsNorm norm;
  std::optional<Linear> output;   // absent where the embedding is the head
  std::optional<Further> further; // for drafts
};

/// Builds the DeepSeek-V2 or -V3 that the files hold.
absl::StatusOr<Decoder> buildDeepseek(const ModelFiles &files,
                                      const DecoderOptions &options);

/// The weights' names, for queries of a vector of their own or of the input;
/// see Weights.cpp.
std::vector<WeightName> weightNames(bool hasQueryRank);

} // namespace tenon::models::deepseek
#endif // TENON_MODELS_DEEPSEEK_MODEL_H
