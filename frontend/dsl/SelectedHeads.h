//===- SelectedHeads.h - Attention by some of many heads --------*- C++ -*-===//
//
// Mixture of heads: a head of queries is an expert. Keys and values are of one
// head, which all of them share; of H heads a token has K, chosen by a router,
// and S that every token has. What a token has not chosen is not computed.
//
// T tokens, D width, W head width, N = S + K heads of each token.
//
//   SelectedHeads attention(this, "attention",
//                           {.width = 2048, .headWidth = 128, .heads = 14,
//                            .perToken = 6, .shared = 2});
//   y = attention(x, batch);               // or, to see what was chosen:
//   Routing routing = attention.route(x);
//   y = attention.apply(x, routing, batch);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_FRONTEND_DSL_SELECTEDHEADS_H
#define TENON_FRONTEND_DSL_SELECTEDHEADS_H

#include "frontend/dsl/Experts.h"

namespace tenon {

struct SelectedHeadsOptions {
  int64_t width = 0, headWidth = 0;
  int64_t heads = 0, perToken = 1; ///< to choose from; chosen
  int64_t shared = 0;              ///< further ones, which every token has
  RopeOptions positions = {};
  Window window = {};
  CacheElement cacheType = CacheElement::f32;
};

/// y = sum_n gate_n * output_n attended(query_n x), over the heads n of each
/// token. Of the chosen ones
///
///     gate = K * s_n / (sum of s over the chosen),  s = softmax(router x)
///
/// and with shared heads, whose numbers come first, 2 a_1 times that; of the
/// shared, with a = softmax(balance x),
///
///     gate = 2 a_0 * S * softmax(shared_router x)_n
///
/// The choice is balanced, recorded and replayed as that of experts is
/// (frontend/dsl/Balance.h, RecordedRouting.h).
/// Parameters: router.weight [H, D], shared_router.weight [S, D] and
/// balance.weight [2, D] where there are shared heads, query.weight
/// [S + H, W, D], output.weight [S + H, D, W], key.weight and value.weight
/// [W, D]. Caches: keys, values.
/// Source: Jin et al. 2024, arXiv 2410.11842, section 3.2, with one head of
/// keys.
class SelectedHeads : public Module {
public:
  SelectedHeads(Module *parent, std::string_view name,
                const SelectedHeadsOptions &options);

  /// The heads of each token and their gates, which are computed in f32.
  /// Shapes: x [T, D]; result [T, N].
  Routing route(const Tensor &x, Site site = Site::current()) const;
  /// Attention by these heads. A `routing` may be from elsewhere: an earlier
  /// call's, to compute with the same heads again.
  /// Shapes: x [T, D], result [T, D].
  Tensor apply(const Tensor &x, const Routing &routing, const Batch &batch,
               Site site = Site::current()) const;
  Tensor operator()(const Tensor &x, const Batch &batch,
                    Site site = Site::current()) const {
    return apply(x, route(x, site), batch, site);
  }

private:
  SelectedHeadsOptions opts;
  Tensor router, sharedRouter, balance;
  Tensor query, output;
  Linear key, value;
  Cache keys, values;
};

} // namespace tenon
#endif // TENON_FRONTEND_DSL_SELECTEDHEADS_H
