//===- Losses.cpp - Losses that are computed in chunks --------------------===//
// M rows, R rows of a chunk, D width, V vocabulary.

#include "frontend/dsl/Losses.h"

#include "frontend/dsl/Control.h"
#include "frontend/dsl/Gradient.h"
#include "frontend/dsl/Sugar.h"

namespace tenon {
namespace {

using detail::Tensors;

Tensor total(const Tensor &column, Site site) {
  return squeeze(sum(column, 0, site), 0, site);
}

/// [M] to [M, 1], which takes rows.
Tensor asColumn(const Tensor &values, Site site) {
  return reshape(values, {values.dim(0, site), 1}, site);
}

/// Chunks of rows: of how many, and how many there are at most.
struct Sizes {
  Sizes(const LearnedRows &all, int64_t atOnce, Site site) {
    most = all.columns.front().dim(0, site).max();
    limit = (most + atOnce - 1) / atOnce;
    rows = (most + limit - 1) / limit; // which leaves the fewest unused
  }
  bool isOne() const { return limit == 1; }
  int64_t most = 0, limit = 0, rows = 0;
};

/// The rows of chunk `number`, and their numbers; those beyond the last stand
/// for the last one, and do not count.
class Chunks {
public:
  Chunks(const LearnedRows &all, int64_t rows, Site where)
      : whole(all), size(rows), site(where) {
    Tensor places =
        iotaLike(whole.columns.front(), 0, i32, site).to(f32, site); // [M]
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
    LearnedRows some{gather(whole.x, index, site), {}};
    for (const Tensor &column : whole.columns)
      some.columns.push_back(gather(column, index, site));
    if (!whole.probe.isAbsent())
      some.probe = gather(whole.probe, index, site);
    return some;
  }
  /// `values` [R], with zeros in place of those that do not count.
  Tensor counted(const Tensor &values, const Tensor &number) const {
    return select(placesOf(number) < count, values,
                  fullLike(values, 0, f32, site), site);
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

/// The loss of all rows, and how a function of tensors in one list computes it.
class ChunkedLoss {
public:
  ChunkedLoss(const Module &of, const LearnedRows &all, const Head &with,
              const RowLoss &loss, Site where)
      : module(of), rows(all), head(with), rowLoss(loss), site(where) {}

  Tensor whole() const {
    return sumOf(rows, [](const Tensor &each) { return each; });
  }
  Tensor chunked(const Sizes &sizes) const {
    return withAdjoint(
        module, inputs(), [&](const Tensors &in) { return forward(in, sizes); },
        [&](const Tensors &in) { return keeping(in, sizes); },
        [&](const Tensors &in, const Kept &kept, const Tensor &seed) {
          return adjoint(in, kept, seed);
        },
        site);
  }

private:
  using Counted = std::function<Tensor(const Tensor &)>;

  bool hasProbe() const { return !rows.probe.isAbsent(); }
  /// x, the probe, the columns, the head's trained weights, its frozen ones.
  Tensors inputs() const {
    Tensors in = {rows.x};
    if (hasProbe())
      in.push_back(rows.probe);
    for (const Tensors *some : {&rows.columns, &head.trained, &head.frozen})
      in.insert(in.end(), some->begin(), some->end());
    return in;
  }
  LearnedRows rowsOf(const Tensors &in) const {
    LearnedRows own{in[0], {}};
    if (hasProbe())
      own.probe = in[1];
    auto begin = in.begin() + 1 + hasProbe();
    own.columns.assign(begin, begin + std::ssize(rows.columns));
    return own;
  }
  Tensor sumOf(const LearnedRows &some, const Counted &counted) const {
    RowTerms terms = rowLoss(head.logits(some.x), some.columns);
    Tensor loss = total(counted(terms.loss), site);
    if (some.probe.isAbsent() || terms.probed.isAbsent())
      return loss;
    return loss + total(counted(terms.probed) * some.probe, site);
  }
  Tensor forward(const Tensors &in, const Sizes &sizes) const {
    Chunks chunks(rowsOf(in), sizes.rows, site);
    return overChunks(
        chunks, {chunks.zero(f32)}, sizes.limit,
        [&](const Tensors &now) -> Tensors {
          return {now[1] + sumOf(chunks.at(now[0]), [&](const Tensor &each) {
                    return chunks.counted(each, now[0]);
                  })};
        },
        site)[0];
  }
  /// Carries the loss and the gradients of x, the probe, the trained weights.
  Kept keeping(const Tensors &in, const Sizes &sizes) const {
    LearnedRows own = rowsOf(in);
    Chunks chunks(own, sizes.rows, site);
    Tensors carried = {chunks.zero(f32), fullLike(own.x, 0, f32, site)};
    if (hasProbe())
      carried.push_back(asColumn(fullLike(own.probe, 0, f32, site), site));
    for (const Tensor &weight : head.trained)
      carried.push_back(fullLike(weight, 0, f32, site));
    Tensors made = overChunks(
        chunks, carried, sizes.limit,
        [&](const Tensors &now) { return advance(chunks, now); }, site);
    if (hasProbe())
      made[2] = squeeze(made[2], -1, site);
    return {made[0], {made.begin() + 1, made.end()}};
  }
  Tensors advance(const Chunks &chunks, const Tensors &now) const {
    LearnedRows some = chunks.at(now[0]);
    Tensor index = chunks.indexOf(now[0]);
    Tensors of = {some.x};
    if (hasProbe())
      of.push_back(some.probe);
    size_t ofRows = of.size();
    of.insert(of.end(), head.trained.begin(), head.trained.end());
    LossAndGradients found = lossAndGradients(
        module,
        [&] {
          return sumOf(some, [&](const Tensor &each) {
            return chunks.counted(each, now[0]);
          });
        },
        of, site);
    if (hasProbe())
      found.gradients[1] = asColumn(found.gradients[1], site);
    Tensors next = {now[1] + found.loss};
    for (size_t i = 0; i < of.size(); ++i) {
      const Tensor &before = now[2 + i];
      next.push_back(
          i < ofRows
              ? scatter(before, index, found.gradients[i], /*add=*/true, site)
              : detail::carriedInPlace(before, before + found.gradients[i],
                                       site));
    }
    return next;
  }
  Tensors adjoint(const Tensors &in, const Kept &kept,
                  const Tensor &seed) const {
    auto column = in.begin() + 1 + hasProbe();
    Tensors gradients;
    for (size_t i = 0; i < kept.others.size(); ++i) {
      if (i == 1u + hasProbe()) // before the weights
        addZeros(gradients, column, column + std::ssize(rows.columns));
      gradients.push_back(kept.others[i] * seed);
    }
    if (head.trained.empty())
      addZeros(gradients, column, column + std::ssize(rows.columns));
    addZeros(gradients, in.end() - std::ssize(head.frozen), in.end());
    return gradients;
  }
  /// For those that may have gradients: numbers.
  void addZeros(Tensors &gradients, Tensors::const_iterator begin,
                Tensors::const_iterator end) const {
    for (auto it = begin; it != end; ++it)
      if (it->dtype() == f32)
        gradients.push_back(fullLike(*it, 0, f32, site));
  }

  const Module &module;
  const LearnedRows &rows;
  const Head &head;
  const RowLoss &rowLoss;
  Site site;
};
} // namespace

Tensor chunkedLoss(const Module &module, const LearnedRows &all,
                   const Head &head, const RowLoss &loss, int64_t atOnce,
                   Site site) {
  Sizes sizes(all, atOnce, site);
  ChunkedLoss made(module, all, head, loss, site);
  return sizes.isOne() ? made.whole() : made.chunked(sizes);
}

Tensor chunkedValues(
    const LearnedRows &all, const Head &head,
    const std::function<Tensor(const Tensor &logits,
                               const std::vector<Tensor> &columns)> &values,
    int64_t atOnce, Site site) {
  Sizes sizes(all, atOnce, site);
  if (sizes.isOne())
    return values(head.logits(all.x), all.columns);
  Chunks chunks(all, sizes.rows, site);
  Tensor none = asColumn(fullLike(all.columns.front(), 0, f32, site), site);
  Tensor made = overChunks(
      chunks, {none}, sizes.limit,
      [&](const Tensors &now) -> Tensors {
        LearnedRows some = chunks.at(now[0]);
        Tensor found = values(head.logits(some.x), some.columns);
        // Rows that stand for the last one have its value.
        return {scatter(now[1], chunks.indexOf(now[0]), asColumn(found, site),
                        /*add=*/false, site)};
      },
      site)[0];
  return squeeze(made, -1, site);
}

} // namespace tenon
