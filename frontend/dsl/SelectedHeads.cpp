//===- SelectedHeads.cpp - Attention by some of many heads ----------------===//

#include "frontend/dsl/SelectedHeads.h"

#include "frontend/dsl/Balance.h"

#include <cmath>

namespace tenon {

/// How heads are chosen, as experts.
static ExpertsOptions routingOf(const SelectedHeadsOptions &options) {
  return {.experts = options.heads,
          .perToken = options.perToken,
          .normalize = true,
          .scale = static_cast<double>(options.perToken)};
}

SelectedHeads::SelectedHeads(Module *parent, std::string_view name,
                             const SelectedHeadsOptions &options)
    : Module(parent, name), opts(options),
      router(param("router.weight", {options.heads, options.width})),
      query(param("query.weight", {options.shared + options.heads,
                                   options.headWidth, options.width})),
      output(param("output.weight", {options.shared + options.heads,
                                     options.width, options.headWidth})),
      key(this, "key", options.width, options.headWidth),
      value(this, "value", options.width, options.headWidth),
      keys(cache("keys", CacheLayout::Keys, 1, options.headWidth,
                 options.cacheType)),
      values(cache("values", CacheLayout::Values, 1, options.headWidth,
                   options.cacheType)) {
  if (options.shared) {
    sharedRouter =
        param("shared_router.weight", {options.shared, options.width});
    balance = param("balance.weight", {2, options.width});
  }
  detail::declareExperts(*this, routingOf(options), Tensor());
}

Routing SelectedHeads::route(const Tensor &x, Site site) const {
  Tensor exact = x.to(f32, site);
  auto logitsOf = [&](const Tensor &weight) {
    return linear(exact, weight, Tensor(), site);
  };
  Tensor logits = logitsOf(router);
  ExpertsOptions how = routingOf(opts);
  MoeRouteResult routed =
      moeRoute(logits, how.scoring, how.perToken, Tensor(), how.groups,
               how.keptGroups, how.top2, how.normalize, how.scale, site);
  Routing chosen =
      detail::rerouted(*this, logits, {routed.weights, routed.experts}, site);
  if (!opts.shared)
    return chosen;
  // A shared head is one that every token chooses.
  auto count = static_cast<double>(opts.shared);
  Tensor shared = softmax(logitsOf(sharedRouter), site) * count; // [T, S]
  Tensor parts = softmax(logitsOf(balance), site) * 2.0;         // [T, 2]
  auto part = [&](int64_t i) { return range(parts, -1, i, i + 1, site); };
  Tensor numbers = iotaLike(shared, -1, i32, site);
  Tensor behind = fullLike(chosen.experts, count, i32, site);
  return {concat({shared * part(0), chosen.weights * part(1)}, 1, site),
          concat({numbers, chosen.experts + behind}, 1, site)};
}

Tensor SelectedHeads::apply(const Tensor &x, const Routing &routing,
                            const Batch &batch, Site site) const {
  keys.append(
      rope(splitHeads(key(x, site), 1, site), batch, opts.positions, site),
      batch, site);
  values.append(splitHeads(value(x, site), 1, site), batch, site);
  // One row for each token and head: sorted by head for products, by token for
  // attention.
  MoeDispatchResult sorted =
      moeDispatch(routing.experts, opts.shared + opts.heads, site);
  auto multiply = [&](const Tensor &rows, const Tensor &weights) {
    return groupedMatmul(moeGather(rows, sorted.order, sorted.places, site),
                         weights, sorted.offsets, /*transposeB=*/true, site);
  };
  Tensor q = moeGather(multiply(x, query), sorted.places, sorted.order,
                       site); // [T, N, W]
  double scale = 1 / std::sqrt(static_cast<double>(opts.headWidth));
  Tensor y = attention(rope(q, batch, opts.positions, site), keys, values,
                       batch, scale, opts.window, site); // [T, N, W]
  return moeCombine(multiply(y, output), sorted.places, routing.weights,
                    sorted.order, site);
}

} // namespace tenon
