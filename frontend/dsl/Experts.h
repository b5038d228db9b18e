//===- Experts.h - Layers of experts ----------------------------*- C++ -*-===//
//
// T tokens, D width, E experts of F hidden width, K experts of each token.
//
//   Experts experts(this, "experts", {.width = 2048, .hidden = 1408,
//                                     .experts = 64, .perToken = 6});
//   y = experts(x);                       // or, to see who was chosen:
//   Routing routing = experts.route(x);
//   y = experts.apply(x, routing);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_FRONTEND_DSL_EXPERTS_H
#define TENON_FRONTEND_DSL_EXPERTS_H

#include "frontend/dsl/Layers.h"

#include <optional>

namespace tenon {

/// The experts of each token, i32 [T, K], and what each counts, f32 [T, K].
struct Routing {
  Tensor weights, experts;
};

struct ExpertsOptions {
  int64_t width = 0, hidden = 0;
  int64_t experts = 0, perToken = 1;
  Scoring scoring = Scoring::Softmax;
  /// Experts are in groups, of which a token has some: chosen by their best
  /// expert or, `top2`, by their two best.
  int64_t groups = 1, keptGroups = 1;
  bool top2 = false;
  bool normalize = false; ///< weights of a token sum to `scale`
  double scale = 1;
  bool bias = false; ///< of the choice alone, which balances the experts
  /// The hidden width of what every token goes through as well; 0: nothing.
  int64_t shared = 0;
  GatedFeedForward::Activation activation = silu;
};

/// y = sum_k weight_k * expert_k(x) (+ shared(x)), the experts chosen for each
/// token; expert(x) = down(activation(gate x) * up x).
/// Parameters: router.weight [E, D], router.bias [E] (of the choice),
/// gate.weight and up.weight [E, F, D], down.weight [E, D, F], shared.*.
/// Adapters may change what gate, up and down give for each expert.
class Experts : public Module {
public:
  Experts(Module *parent, std::string_view name, const ExpertsOptions &options);

  /// Chooses the experts of each token. The router computes in f32.
  /// Shapes: x [T, D].
  Routing route(const Tensor &x, Site site = Site::current()) const;
  /// The sum of these experts, and of the shared one. A `routing` may be from
  /// elsewhere: an earlier call's, to compute with the same experts again.
  /// Shapes: x [T, D], result [T, D].
  Tensor apply(const Tensor &x, const Routing &routing,
               Site site = Site::current()) const;
  Tensor operator()(const Tensor &x, Site site = Site::current()) const {
    return apply(x, route(x, site), site);
  }

private:
  /// Declares a linear part of each expert; returns its weight [E, out, width].
  Tensor stack(const std::string &name, int64_t out, int64_t width);

  ExpertsOptions opts;
  Tensor router, bias;
  Tensor gate, up, down;
  std::optional<GatedFeedForward> shared;
};

} // namespace tenon
#endif // TENON_FRONTEND_DSL_EXPERTS_H
