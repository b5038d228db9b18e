//===- Optimizers.cpp - Steps from gradients ------------------------------===//

#include "frontend/dsl/Optimizers.h"

#include "frontend/dsl/Sugar.h"

namespace tenon {
namespace {

/// `now` where `scale`, of rank 0, is more than 0; else `before`.
Tensor where(const Tensor &scale, const Tensor &now, const Tensor &before,
             Site site) {
  Tensor all = now.rank() ? broadcast(scale, now.shape(), site) : scale;
  return select(Operand(all, site) > Operand(0, site), now, before, site);
}
} // namespace

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
  Tensor scale = min(one, fullLike(norm, most, f32, site) / norm, site);
  // Infinity and NaN are those whose difference from themselves is no number.
  Tensor isFinite = Operand(norm - norm, site) >= Operand(0, site);
  return select(isFinite, scale, fullLike(norm, 0, f32, site), site);
}

GradientSums::GradientSums(Module *parent, std::string_view name,
                           const std::vector<NamedTensor> &weights)
    : Module(parent, name) {
  for (const NamedTensor &each : weights)
    totals.push_back(variable("sum." + each.name, each.tensor.shape()));
}

void GradientSums::add(const std::vector<Tensor> &gradients,
                       const Tensor &keeps, Site site) {
  for (size_t i = 0; i < totals.size(); ++i) {
    const Tensor &total = totals[i];
    auto body = [&]() -> std::vector<Tensor> {
      return {where(keeps, total + gradients[i], gradients[i], site)};
    };
    update(*this, {total}, body, site);
  }
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
  auto advance = [&](const Tensor &correction, double beta) {
    Tensor now = correction * beta + (1 - beta);
    assign(correction, where(scale, now, correction, site), site);
  };
  advance(correction1, opts.beta1);
  advance(correction2, opts.beta2);
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
    return {where(scale, w - rate * change, w, site),
            where(scale, m, each.moment1, site),
            where(scale, v, each.moment2, site)};
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
      return {where(scale, w - rate * m, w, site),
              where(scale, m, momentum, site)};
    };
    update(*this, {w, momentum}, body, site);
  }
}

} // namespace tenon
