//===- Experts.cpp - Layers of experts ------------------------------------===//

#include "frontend/dsl/Experts.h"

#include "frontend/dsl/Balance.h"

namespace tenon {

Experts::Experts(Module *parent, std::string_view name,
                 const ExpertsOptions &options)
    : Module(parent, name), opts(options),
      router(param("router.weight", {options.experts, options.width})),
      gate(stack("gate", options.hidden, options.width)),
      up(stack("up", options.hidden, options.width)),
      down(stack("down", options.width, options.hidden)) {
  if (options.bias)
    bias = param("router.bias", {options.experts}, kZeros);
  detail::declareExperts(*this, options, bias);
  if (options.shared)
    shared.emplace(this, "shared", options.width, options.shared,
                   options.activation);
}

Tensor Experts::stack(const std::string &name, int64_t out, int64_t width) {
  detail::declareLinear(*this, {path() + "." + name, width, out,
                                /*inputsFirst=*/false, opts.experts});
  return param(name + ".weight", {opts.experts, out, width});
}

Routing Experts::route(const Tensor &x, Site site) const {
  Tensor logits = linear(x.to(f32, site), router, Tensor(), site);
  MoeRouteResult routed =
      moeRoute(logits, opts.scoring, opts.perToken, bias, opts.groups,
               opts.keptGroups, opts.top2, opts.normalize, opts.scale, site);
  return detail::rerouted(*this, logits, {routed.weights, routed.experts},
                          site);
}

Tensor Experts::apply(const Tensor &x, const Routing &routing,
                      Site site) const {
  // One row for each token and expert, sorted so that each expert's touch.
  MoeDispatchResult sorted = moeDispatch(routing.experts, opts.experts, site);
  Tensor rows = moeGather(x, sorted.order, sorted.places, site);
  auto multiply = [&](const char *part, const Tensor &a,
                      const Tensor &weights) {
    Tensor y =
        groupedMatmul(a, weights, sorted.offsets, /*transposeB=*/true, site);
    return detail::adapted(*this, path() + "." + part, {a, y, sorted.offsets},
                           site);
  };
  Tensor hidden = opts.activation(multiply("gate", rows, gate), site) *
                  multiply("up", rows, up);
  Tensor y = moeCombine(multiply("down", hidden, down), sorted.places,
                        routing.weights, sorted.order, site);
  return shared ? y + (*shared)(x, site) : y;
}

} // namespace tenon
