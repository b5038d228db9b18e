//===- Attention.h - Multi-head latent attention ----------------*- C++ -*-===//
//
// Keys and values of a token are made of one latent vector, by matrices of each
// head. Attention has two forms, equal in exact numbers:
//
//   absorbed      queries pass through the keys' matrix, and what attention
//                 gives through the values'; the cache has one row for all
//                 heads, the latent and the part that turns
//   materialised  keys and values of each head are made, and cached
//
// A model has one of them, whatever it computes: rounding differs.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_MODELS_DEEPSEEK_ATTENTION_H
#define TENON_MODELS_DEEPSEEK_ATTENTION_H

#include "frontend/dsl/Layers.h"
#include "models/deepseek/Config.h"

namespace tenon::models::deepseek {

/// Queries: of the input, or of a shorter vector made of it.
class Queries : public Module {
public:
  Queries(Module *parent, std::string_view name, const Config &c);
  /// Shapes: x [T, D]; result [T, H, plain + turned].
  Tensor operator()(const Tensor &x) const;

private:
  int64_t heads;
  std::optional<Linear> down;
  std::optional<RmsNorm> norm;
  Linear up;
};

/// The matrices that make keys and values of latents. Parameters: weight
/// [H*(N+V), L], or keys [H, L, N] and values [H, V, L].
class LatentUp : public Module {
public:
  LatentUp(Module *parent, std::string_view name, const Config &c);

  /// Queries that meet latents in place of keys.
  /// Shapes: q [T, H, N]; result [T, H, L].
  Tensor absorbed(const Tensor &q) const;
  /// Values of weighted latents. Shapes: x [T, H, L]; result [T, H, V].
  Tensor unabsorbed(const Tensor &x) const;
  /// Keys [T, H, N] and values [T, H, V] of latents [T, L].
  std::pair<Tensor, Tensor> materialised(const Tensor &latents) const;

private:
  int64_t heads, plain, valueWidth, latent;
  Tensor weight, keys, values;
};

class Attention : public Module {
public:
  Attention(Module *parent, std::string_view name, const Config &c);
  /// Shapes: x [T, D]; result the same.
  Tensor operator()(const Tensor &x, const Batch &batch) const;

private:
  int64_t heads, latent, plain, turned;
  double scale;
  RopeOptions positions;
  Queries query;
  Linear down;
  RmsNorm norm;
  LatentUp up;
  Linear output;
  Cache keys;
  std::optional<Cache> values; // absent where latents are cached
};

} // namespace tenon::models::deepseek
#endif // TENON_MODELS_DEEPSEEK_ATTENTION_H
