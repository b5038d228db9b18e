//===- RecordedRouting.cpp - Experts chosen before, again -----------------===//
// T tokens, K experts of each token.

#include "frontend/dsl/RecordedRouting.h"

#include "frontend/dsl/Balance.h"
#include "frontend/dsl/ModuleTree.h"
#include "frontend/dsl/Sugar.h"

namespace tenon {

RecordedRouting::RecordedRouting(Module &model) : Module(&model, "routing") {
  for (const ExpertsPart &part : expertsParts(model))
    caches.push_back(cache(part.path, CacheLayout::Values, /*heads=*/1,
                           part.options.perToken));
  tree().replay = [this](size_t layer, const Tensor &logits,
                         const Routing &routing, Site site) {
    return routed(layer, logits, routing, site);
  };
}

RecordedRouting::~RecordedRouting() { tree().replay = nullptr; }

int64_t RecordedRouting::width() const {
  int64_t all = 0;
  for (const ExpertsPart &part : expertsParts(*this))
    all += part.options.perToken;
  return all;
}

Tensor RecordedRouting::record(const Batch &batch,
                               const std::function<Tensor()> &body) const {
  noted = batch;
  Tensor made = body();
  noted.reset();
  return made;
}

Tensor RecordedRouting::replay(const Tensor &experts,
                               const std::function<Tensor()> &body) const {
  // Outside of the layers, which so stay alike.
  int64_t from = 0;
  for (const ExpertsPart &part : expertsParts(*this)) {
    given.push_back(range(experts, -1, from, from + part.options.perToken));
    from += part.options.perToken;
  }
  Tensor made = body();
  given.clear();
  return made;
}

Routing RecordedRouting::routed(size_t layer, const Tensor &logits,
                                const Routing &routing, Site site) const {
  const ExpertsOptions &options = expertsParts(*this)[layer].options;
  if (noted) {
    Tensor rows = splitHeads(routing.experts.to(f32, site), 1, site);
    caches[layer].append(rows, *noted, site); // [T, 1, K]
  }
  if (given.empty())
    return routing;
  Tensor weights = moeWeigh(logits, given[layer], options.scoring,
                            options.normalize, options.scale, site);
  return {weights, given[layer]};
}

} // namespace tenon
