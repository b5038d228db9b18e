//===- Experts.cpp - Layers of experts ------------------------------------===//

#include "frontend/dsl/Experts.h"

#include "frontend/dsl/Balance.h"

namespace tenon {

Experts::Experts(Module *parent, std::string_view name,
                 const ExpertsOptions &options)
    : Module(parent, name), opts(options),
      router(param("router.weight", {options.experts, options.width})),
      gate(param("gate.weight",
                 {options.experts, options.hidden, options.width})),
      up(param("up.weight", {options.experts, options.hidden, options.width})),
      down(param("down.weight",
                 {options.experts, options.width, options.hidden})) {
  if (options.bias)
    bias = param("router.bias", {options.experts}, kZeros);
  detail::declareExperts(*this, options, bias);
  if (options.shared)
    shared.emplace(this, "shared", options.width, options.shared,
                   options.activation);
}

Routing Experts::route(const Tensor &x, Site site) const {
  Tensor logits = linear(x.to(f32, site), router, Tensor(), site);
  MoeRouteResult routed =
      moeRoute(logits, opts.scoring, opts.perToken, bias, opts.groups,
               opts.keptGroups, opts.top2, opts.normalize, opts.scale, site);
  return detail::balanced(*this, logits, {routed.weights, routed.experts},
                          site);
}

Tensor Experts::apply(const Tensor &x, const Routing &routing,
                      Site site) const {
  // One row for each token and expert, sorted so that each expert's touch.
  MoeDispatchResult sorted = moeDispatch(routing.experts, opts.experts, site);
  Tensor rows = moeGather(x, sorted.order, sorted.places, site);
  auto multiply = [&](const Tensor &a, const Tensor &weights) {
    return groupedMatmul(a, weights, sorted.offsets, /*transposeB=*/true, site);
  };
  Tensor hidden =
      opts.activation(multiply(rows, gate), site) * multiply(rows, up);
  Tensor y = moeCombine(multiply(hidden, down), sorted.places, routing.weights,
                        sorted.order, site);
  return shared ? y + (*shared)(x, site) : y;
}

} // namespace tenon
