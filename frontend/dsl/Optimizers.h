//===- Optimizers.h - Steps from gradients ----------------------*- C++ -*-===//
//
//   AdamW optimizer(&model, "adamw", model.parameters(), {.decay = 0.1});
//   ...
//   Tensor norm = globalNorm(model, step.gradients);
//   Tensor scale = clipScale(norm, /*most=*/1.0);
//   optimizer.step(step.gradients, rate, scale);
//
// Weights, moments and gradients are f32; each weight is updated in place, in
// one pass over its memory. A step whose scale is 0 changes nothing: so one is
// skipped whose gradients are not finite.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_FRONTEND_DSL_OPTIMIZERS_H
#define TENON_FRONTEND_DSL_OPTIMIZERS_H

#include "frontend/dsl/Gradient.h"

namespace tenon {

/// The square root of the sum of squares of all elements: f32 of rank 0.
Tensor globalNorm(const Module &module, const std::vector<Tensor> &tensors,
                  Site site = Site::current());

/// What brings a norm down to `most`: min(1, most / norm), f32 of rank 0; 0 for
/// a norm that is not finite.
Tensor clipScale(const Tensor &norm, double most, Site site = Site::current());

/// Sums of gradients over calls, for steps larger than a call.
class GradientSums : public Module {
public:
  /// Variables: "sum." before the weights' names.
  GradientSums(Module *parent, std::string_view name,
               const std::vector<NamedTensor> &weights);

  /// Adds to the sums, or begins them anew where `keeps`, f32 of rank 0, is 0.
  void add(const std::vector<Tensor> &gradients, const Tensor &keeps,
           Site site = Site::current());
  const std::vector<Tensor> &sums() const { return totals; }

private:
  std::vector<Tensor> totals;
};

/// Adam with decoupled weight decay.
/// Source: Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2.
class AdamW : public Module {
public:
  struct Options {
    double beta1 = 0.9, beta2 = 0.999;
    double epsilon = 1e-8;
    double decay = 0.01;
    /// Which weights decay, by name and shape; empty: those of two axes or
    /// more.
    std::function<bool(const NamedTensor &)> decays = {};
  };

  /// `weights` must be trained. Variables: "moment1." and "moment2." before the
  /// weights' names, "correction1" and "correction2".
  AdamW(Module *parent, std::string_view name, std::vector<NamedTensor> weights,
        Options options);

  /// Takes a step. Shapes: a gradient for each weight; rate and scale, which
  /// multiplies the gradients, f32 of rank 0.
  void step(const std::vector<Tensor> &gradients, const Tensor &rate,
            const Tensor &scale, Site site = Site::current());

private:
  struct Weight {
    NamedTensor weight;
    Tensor moment1, moment2;
    bool decays;
  };
  void stepOne(const Weight &weight, const Tensor &gradient, const Tensor &rate,
               const Tensor &scale, Site site);

  Options opts;
  std::vector<Weight> weights;
  Tensor correction1, correction2; // 1 - beta^t, of rank 0
};

/// Stochastic gradient descent with momentum: m = momentum m + g, w -= rate m.
class Sgd : public Module {
public:
  struct Options {
    double momentum = 0.9;
    double decay = 0; // added to the gradient: decay * w
  };
  /// `weights` must be trained. Variables: "momentum." before the weights'
  /// names.
  Sgd(Module *parent, std::string_view name, std::vector<NamedTensor> weights,
      Options options);
  /// As AdamW's.
  void step(const std::vector<Tensor> &gradients, const Tensor &rate,
            const Tensor &scale, Site site = Site::current());

private:
  Options opts;
  std::vector<NamedTensor> weights;
  std::vector<Tensor> momenta;
};

} // namespace tenon
#endif // TENON_FRONTEND_DSL_OPTIMIZERS_H
