//===- Losses.cpp - Losses that are computed in chunks --------------------===//
// M rows, R rows of a chunk, D width, V vocabulary.

#include "frontend/dsl/Losses.h"

#include "frontend/dsl/Control.h"
#include "frontend/dsl/Gradient.h"
#include "frontend/dsl/Sugar.h"

namespace tenon {
namespace {

using detail::Tensors;

Tensor lossOf(const Head &head, const LearnedRows &rows, Site site) {
  Tensor each = crossEntropy(head.logits(rows.x), rows.targets, site);
  return squeeze(sum(each * rows.shares, 0, site), 0, site);
}

/// The rows of chunk `number`, and their numbers; those beyond the last stand
/// for the last one, with no share.
class Chunks {
public:
  Chunks(const LearnedRows &all, int64_t rows, Site where)
      : whole(all), size(rows), site(where) {
    Tensor places = iotaLike(whole.targets, 0, i32, site).to(f32, site); // [M]
    count = squeeze(max(places, 0, site), 0, site).to(i32, site) + 1.0;
  }
  Tensor isThere(const Tensor &number) const {
    return number * static_cast<double>(size) < count;
  }
  Tensor zero(DType type) const { return fullLike(count, 0, type, site); }
  Tensor indexOf(const Tensor &number) const {
    Tensor places = placesOf(number);
    Tensor last = fullLike(places, 0, i32, site) + (count - 1.0);
    return select(places < count, places, last, site);
  }
  LearnedRows at(const Tensor &number) const {
    Tensor index = indexOf(number);
    Tensor shares = gather(whole.shares, index, site);
    return {gather(whole.x, index, site), gather(whole.targets, index, site),
            select(placesOf(number) < count, shares,
                   fullLike(shares, 0, f32, site), site)};
  }

private:
  Tensor placesOf(const Tensor &number) const { // [R]
    Tensor some = constantLike(number, {size}, std::vector<float>(size), site);
    return iotaLike(some, 0, i32, site) + number * static_cast<double>(size);
  }

  LearnedRows whole;
  int64_t size;
  Site site;
  Tensor count;
};

/// Carries tensors, the first of which is the chunk's number.
Tensors overChunks(const Chunks &chunks, const Tensors &carried, int64_t limit,
                   const std::function<Tensors(const Tensors &)> &body,
                   Site site) {
  Tensors initial = {chunks.zero(i32)};
  initial.insert(initial.end(), carried.begin(), carried.end());
  Tensors results = detail::traceWhile(
      initial, limit,
      [&](const Tensors &now) { return chunks.isThere(now[0]); },
      [&](const Tensors &now) {
        Tensors next = body(now);
        next.insert(next.begin(), now[0] + 1.0);
        return next;
      },
      site);
  return {results.begin() + 1, results.end()};
}
} // namespace

Tensor chunkedCrossEntropy(const Module &module, const LearnedRows &all,
                           const Head &head, int64_t rows, Site site) {
  int64_t most = all.targets.dim(0, site).max();
  if (most <= rows)
    return lossOf(head, all, site);
  int64_t limit = (most + rows - 1) / rows;
  rows = (most + limit - 1) / limit; // which leaves the fewest without a share
  Tensors inputs = {all.x, all.targets, all.shares};
  inputs.insert(inputs.end(), head.trained.begin(), head.trained.end());
  inputs.insert(inputs.end(), head.frozen.begin(), head.frozen.end());
  auto zeroOf = [site](const Tensor &like) {
    return fullLike(like, 0, f32, site);
  };
  auto forward = [&](const Tensors &in) {
    LearnedRows own{in[0], in[1], in[2]};
    Chunks chunks(own, rows, site);
    return overChunks(
        chunks, {chunks.zero(f32)}, limit,
        [&](const Tensors &now) -> Tensors {
          return {now[1] + lossOf(head, chunks.at(now[0]), site)};
        },
        site)[0];
  };
  // Carries the loss, the gradient of x, and those of the trained weights.
  auto keeping = [&](const Tensors &in) -> Kept {
    LearnedRows own{in[0], in[1], in[2]};
    Chunks chunks(own, rows, site);
    Tensors carried = {chunks.zero(f32), zeroOf(own.x)};
    for (const Tensor &weight : head.trained)
      carried.push_back(zeroOf(weight));
    Tensors made = overChunks(
        chunks, carried, limit,
        [&](const Tensors &now) -> Tensors {
          LearnedRows some = chunks.at(now[0]);
          Tensors of = {some.x};
          of.insert(of.end(), head.trained.begin(), head.trained.end());
          LossAndGradients found = lossAndGradients(
              module, [&] { return lossOf(head, some, site); }, of, site);
          Tensors next = {now[1] + found.loss,
                          scatter(now[2], chunks.indexOf(now[0]),
                                  found.gradients[0], /*add=*/true, site)};
          for (size_t i = 1; i < found.gradients.size(); ++i)
            next.push_back(detail::carriedInPlace(
                now[2 + i], now[2 + i] + found.gradients[i], site));
          return next;
        },
        site);
    return {made[0], {made.begin() + 1, made.end()}};
  };
  auto adjoint = [&](const Tensors &in, const Kept &kept, const Tensor &seed) {
    Tensors gradients = {kept.others[0] * seed, zeroOf(in[2])};
    for (size_t i = 1; i < kept.others.size(); ++i)
      gradients.push_back(kept.others[i] * seed);
    for (size_t i = gradients.size() + 1; i < in.size(); ++i)
      gradients.push_back(zeroOf(in[i]));
    return gradients;
  };
  return withAdjoint(module, inputs, forward, keeping, adjoint, site);
}

} // namespace tenon
