//===- Optimizers.cpp - Steps from gradients ------------------------------===//

#include "frontend/dsl/Optimizers.h"

#include "frontend/dsl/Sugar.h"

namespace tenon {

Tensor globalNorm(const Module &module, const std::vector<Tensor> &tensors,
                  Site site) {
  Tensor total;
  for (const Tensor &tensor : tensors) {
    // A function of its own: equal shapes are compiled once.
    Tensor squares = detail::outlined(
        module,
        [&] {
          Tensor squared = tensor * tensor;
          while (squared.rank() > 0)
            squared = squeeze(sum(squared, -1, site), -1, site);
          return squared;
        },
        site);
    total = total.isAbsent() ? squares : total + squares;
  }
  return sqrt(total, site);
}

Tensor clipScale(const Tensor &norm, double most, Site site) {
  Tensor one = fullLike(norm, 1, f32, site);
  // A norm of 0 gives infinity, of which the minimum is 1.
  return min(one, fullLike(norm, most, f32, site) / norm, site);
}

//===----------------------------------------------------------------------===//
// AdamW
//===----------------------------------------------------------------------===//

AdamW::AdamW(Module *parent, std::string_view name,
             std::vector<NamedTensor> trained, Options options)
    : Module(parent, name), opts(std::move(options)),
      correction1(variable("correction1", {})),
      correction2(variable("correction2", {})) {
  for (NamedTensor &each : trained) {
    const Shape &shape = each.tensor.shape();
    bool decays = opts.decays ? opts.decays(each) : shape.rank() >= 2;
    weights.push_back({each, variable("moment1." + each.name, shape),
                       variable("moment2." + each.name, shape), decays});
  }
}

void AdamW::step(const std::vector<Tensor> &gradients, const Tensor &rate,
                 const Tensor &scale, Site site) {
  // 1 - beta^t = beta (1 - beta^(t-1)) + (1 - beta), from 0.
  assign(correction1, correction1 * opts.beta1 + (1 - opts.beta1), site);
  assign(correction2, correction2 * opts.beta2 + (1 - opts.beta2), site);
  for (size_t i = 0; i < weights.size(); ++i)
    stepOne(weights[i], gradients[i], rate, scale, site);
}

void AdamW::stepOne(const Weight &each, const Tensor &gradient,
                    const Tensor &rate, const Tensor &scale, Site site) {
  const Tensor &w = each.weight.tensor;
  auto body = [&]() -> std::vector<Tensor> {
    Tensor g = gradient * scale;
    Tensor m = each.moment1 * opts.beta1 + g * (1 - opts.beta1);
    Tensor v = each.moment2 * opts.beta2 + g * g * (1 - opts.beta2);
    Tensor change =
        m / correction1 / (sqrt(v / correction2, site) + opts.epsilon);
    if (each.decays)
      change = change + w * opts.decay;
    return {w - rate * change, m, v};
  };
  update(*this, {w, each.moment1, each.moment2}, body, site);
}

//===----------------------------------------------------------------------===//
// SGD
//===----------------------------------------------------------------------===//

Sgd::Sgd(Module *parent, std::string_view name,
         std::vector<NamedTensor> trained, Options options)
    : Module(parent, name), opts(options), weights(std::move(trained)) {
  for (const NamedTensor &each : weights)
    momenta.push_back(variable("momentum." + each.name, each.tensor.shape()));
}

void Sgd::step(const std::vector<Tensor> &gradients, const Tensor &rate,
               const Tensor &scale, Site site) {
  for (size_t i = 0; i < weights.size(); ++i) {
    const Tensor &w = weights[i].tensor, &momentum = momenta[i];
    auto body = [&]() -> std::vector<Tensor> {
      Tensor g = gradients[i] * scale;
      if (opts.decay != 0)
        g = g + w * opts.decay;
      Tensor m = momentum * opts.momentum + g;
      return {w - rate * m, m};
    };
    update(*this, {w, momentum}, body, site);
  }
}

} // namespace tenon
