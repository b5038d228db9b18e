//===- Balance.h - Experts that are used alike ------------------*- C++ -*-===//
//
// What training adds to a model's layers of experts, E of them, K for each
// token. Nothing of it changes what the model computes but the capacity.
//
//   sequence loss  a sum_i f_i p_i for each sequence, of which the mean is
//                  taken: f_i = E / K times the share of its tokens that chose
//                  expert i, p_i the mean of its scores that sum to 1
//                  (DeepSeek-AI 2024, arXiv 2412.19437, section 2.1.2)
//   z loss         z mean(logsumexp(logits)^2)
//                  (Zoph et al. 2022, arXiv 2202.08906, equation 5)
//   biases         after a step, an expert that was chosen more often than the
//                  mean is preferred less by `rate`, others more (as the first)
//   capacity       an expert counts for its first ceil(capacity T K / E)
//                  assignments; what is beyond weighs 0
//
// The losses are not in the loss that is reported: gradients have their part.
//
//   Balance balance(model, {.sequenceLoss = 1e-4});
//   balance.begin({.sequences = sequences, ...});
//   made = lossAndGradients(model, loss, {..., balance.probes()});
//   balance.end();
//   balance.update(loads, rate); // loads: the gradients of the probes
//
//===----------------------------------------------------------------------===//

#ifndef TENON_FRONTEND_DSL_BALANCE_H
#define TENON_FRONTEND_DSL_BALANCE_H

#include "frontend/dsl/Experts.h"

namespace tenon {

/// A layer of experts of a model.
struct ExpertsPart {
  std::string path; ///< "layers.1.experts"
  ExpertsOptions options;
  Tensor bias; ///< of the choice; absent: it has none
};

/// A model's, in the order of their declaration.
const std::vector<ExpertsPart> &expertsParts(const Module &model);

struct BalanceOptions {
  double sequenceLoss = 0, zLoss = 0;
  bool hasCapacity = false;
};

/// Of the call that is traced.
struct BalancedCall {
  Tensor sequences;          ///< i32 [T], of each token
  int64_t mostSequences = 1; ///< They are below it.
  Tensor weight;             ///< f32 [], of the losses
  Tensor capacity;           ///< f32 [], above 0; where there is one
};

/// A part of `model`, with a variable "balance.PATH.load" for each layer of
/// experts.
class Balance : public Module {
public:
  Balance(Module &model, const BalanceOptions &options);
  ~Balance();
  Balance(const Balance &) = delete;
  Balance &operator=(const Balance &) = delete;

  /// From here to `end`, layers of experts are balanced.
  void begin(const BalancedCall &call);
  void end();

  /// f32 [E + 1] each. The gradient of a layer's is how often each expert was
  /// chosen, and how many assignments were beyond the capacity.
  std::vector<NamedTensor> probes() const;
  bool hasBiases() const;
  /// Changes the biases of all layers that have some. Shapes: rate [].
  void update(const std::vector<Tensor> &loads, const Tensor &rate,
              Site site = Site::current());

private:
  Routing balanced(size_t layer, const Tensor &logits, const Routing &routing,
                   Site site) const;
  Tensor losses(const ExpertsPart &part, const Tensor &logits,
                const Tensor &chosen, Site site) const;

  BalanceOptions opts;
  std::vector<Tensor> loads; // by layer
  std::optional<BalancedCall> current;
};

namespace detail {
/// What a layer of experts that is declared, and routes, asks of the tree.
void declareExperts(const Module &module, const ExpertsOptions &options,
                    const Tensor &bias);
Routing rerouted(const Module &module, const Tensor &logits,
                 const Routing &routing, Site site);
} // namespace detail

} // namespace tenon
#endif // TENON_FRONTEND_DSL_BALANCE_H
