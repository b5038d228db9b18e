//===- Attention.cpp - Multi-head latent attention ------------------------===//
// Source: DeepSeek-AI 2024, arXiv:2405.04434, section 2.1.
// T tokens, D width, H heads; of a head N plain, R turned elements of queries
// and keys, V values; L latent width.

#include "models/deepseek/Attention.h"

namespace tenon::models::deepseek {
namespace {

/// [T, H, W] to [H, T, W] and back.
Tensor swapped(const Tensor &x) { return transpose(x, {1, 0, 2}); }

/// x with one axis, of extent 1, repeated.
Tensor repeated(const Tensor &x, int64_t axis, int64_t times) {
  if (x.isPoisoned())
    return x;
  Shape shape = x.shape();
  std::vector<Dim> dims(shape.begin(), shape.end());
  dims[axis] = times;
  return broadcast(x, Shape(dims));
}

int64_t keyWidth(const Config &c) { return c.plainWidth + c.turnedWidth; }

} // namespace

//===----------------------------------------------------------------------===//
// Queries
//===----------------------------------------------------------------------===//

Queries::Queries(Module *parent, std::string_view name, const Config &c)
    : Module(parent, name), heads(c.heads),
      down(c.queryRank ? std::optional<Linear>(std::in_place, this, "down",
                                               c.width, c.queryRank)
                       : std::nullopt),
      norm(c.queryRank ? std::optional<RmsNorm>(std::in_place, this, "norm",
                                                c.queryRank, c.epsilon)
                       : std::nullopt),
      up(this, "up", c.queryRank ? c.queryRank : c.width,
         c.heads * keyWidth(c)) {}

Tensor Queries::operator()(const Tensor &x) const {
  return splitHeads(up(down ? (*norm)((*down)(x)) : x), heads);
}

//===----------------------------------------------------------------------===//
// Keys and values of latents
//===----------------------------------------------------------------------===//

LatentUp::LatentUp(Module *parent, std::string_view name, const Config &c)
    : Module(parent, name), heads(c.heads), plain(c.plainWidth),
      valueWidth(c.valueWidth), latent(c.latentWidth) {
  if (c.splitUp) {
    keys = param("keys", {heads, latent, plain});
    values = param("values", {heads, valueWidth, latent});
  } else {
    weight = param("weight", {heads * (plain + valueWidth), latent});
  }
}

Tensor LatentUp::absorbed(const Tensor &q) const {
  if (!keys.isAbsent())
    return swapped(matmul(swapped(q), keys, Tensor(), false, true));
  Tensor ofHeads = reshape(weight, {heads, plain + valueWidth, latent});
  return swapped(matmul(swapped(q), range(ofHeads, 1, 0, plain)));
}

Tensor LatentUp::unabsorbed(const Tensor &x) const {
  Tensor ofValues = values;
  if (values.isAbsent())
    ofValues = range(reshape(weight, {heads, plain + valueWidth, latent}), 1,
                     plain, plain + valueWidth);
  return swapped(matmul(swapped(x), ofValues, Tensor(), false, true));
}

std::pair<Tensor, Tensor> LatentUp::materialised(const Tensor &latents) const {
  if (keys.isAbsent()) {
    Tensor both = splitHeads(linear(latents, weight), heads); // [T, H, N + V]
    return {range(both, -1, 0, plain),
            range(both, -1, plain, plain + valueWidth)};
  }
  Tensor ofEach = repeated(swapped(splitHeads(latents, 1)), 0, heads);
  return {swapped(matmul(ofEach, keys)),
          swapped(matmul(ofEach, values, Tensor(), false, true))};
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

Attention::Attention(Module *parent, std::string_view name, const Config &c)
    : Module(parent, name), heads(c.heads), latent(c.latentWidth),
      plain(c.plainWidth), turned(c.turnedWidth), scale(c.scale),
      positions(c.rope), query(this, "query", c),
      down(this, "latent", c.width, c.latentWidth + c.turnedWidth),
      norm(this, "latent_norm", c.latentWidth, c.epsilon),
      up(this, "latent_up", c),
      output(this, "output", c.heads * c.valueWidth, c.width),
      keys(c.isAbsorbed ? cache("latents", CacheLayout::Keys, 1,
                                c.latentWidth + c.turnedWidth, c.cacheType)
                        : cache("keys", CacheLayout::Keys, c.heads, keyWidth(c),
                                c.cacheType)) {
  if (!c.isAbsorbed)
    values = cache("values", CacheLayout::Values, c.heads, c.valueWidth,
                   c.cacheType);
}

Tensor Attention::operator()(const Tensor &x, const Batch &batch) const {
  Tensor q = query(x); // [T, H, N + R]
  Tensor qPlain = range(q, -1, 0, plain);
  Tensor qTurned = rope(range(q, -1, plain, plain + turned), batch, positions);
  Tensor both = down(x);                             // [T, L + R]
  Tensor latents = norm(range(both, -1, 0, latent)); // [T, L]
  Tensor kTurned =
      splitHeads(range(both, -1, latent, latent + turned), 1); // [T, 1, R]
  kTurned = rope(kTurned, batch, positions);
  if (!values) {
    keys.append(concat({splitHeads(latents, 1), kTurned}, 2), batch);
    Tensor queries = concat({up.absorbed(qPlain), qTurned}, 2);
    Tensor y = attention(queries, keys, latent, batch, scale); // [T, H, L]
    return output(mergeHeads(up.unabsorbed(y)));
  }
  auto [k, v] = up.materialised(latents);
  keys.append(concat({k, repeated(kTurned, 1, heads)}, 2), batch);
  values->append(v, batch);
  Tensor queries = concat({qPlain, qTurned}, 2);
  return output(mergeHeads(attention(queries, keys, *values, batch, scale)));
}

} // namespace tenon::models::deepseek
