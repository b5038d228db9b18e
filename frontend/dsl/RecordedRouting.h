//===- RecordedRouting.h - Experts chosen before, again ---------*- C++ -*-===//
//
// A model's layers of experts note which ones they choose, or take those that
// they are given, with weights by their own scores (`tn.moe_weigh`):
//
//   RecordedRouting routing(model);
//   y = routing.record(batch, [&] { return model(tokens, batch); });
//   y = routing.replay(experts, [&] { return model(tokens, batch); });
//
// What is noted lies in caches beside the keys and values of each token, so
// that sequences that begin alike share it: `exec::Generator` reads it there.
//
// Source: Ma et al. 2025, arXiv 2510.11370 ("rollout routing replay").
//
//===----------------------------------------------------------------------===//

#ifndef TENON_FRONTEND_DSL_RECORDEDROUTING_H
#define TENON_FRONTEND_DSL_RECORDEDROUTING_H

#include "frontend/dsl/Experts.h"

namespace tenon {

/// A part of `model`, with a cache "routing.PATH" of layout values, one head
/// and K numbers in f32 for each layer of experts.
class RecordedRouting : public Module {
public:
  explicit RecordedRouting(Module &model);
  ~RecordedRouting();
  RecordedRouting(const RecordedRouting &) = delete;
  RecordedRouting &operator=(const RecordedRouting &) = delete;

  /// Experts of a token, of all layers together; 0: there are no such layers.
  int64_t width() const;
  /// Calls `body`, in which layers note whom they choose for the batch's
  /// tokens.
  Tensor record(const Batch &batch, const std::function<Tensor()> &body) const;
  /// Calls `body`, in which layers take the experts that they are given.
  /// Shapes: experts i32 [T, width], layers in the order of their declaration.
  Tensor replay(const Tensor &experts,
                const std::function<Tensor()> &body) const;

private:
  Routing routed(size_t layer, const Tensor &logits, const Routing &routing,
                 Site site) const;

  std::vector<Cache> caches; // by layer
  // Of the body that runs.
  mutable std::optional<Batch> noted;
  mutable std::vector<Tensor> given; // by layer
};

} // namespace tenon
#endif // TENON_FRONTEND_DSL_RECORDEDROUTING_H
