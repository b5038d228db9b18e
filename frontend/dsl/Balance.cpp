//===- Balance.cpp - Experts that are used alike --------------------------===//
// T tokens, E experts, K of each token, S sequences.

#include "frontend/dsl/Balance.h"

#include "frontend/dsl/Gradient.h"
#include "frontend/dsl/ModuleTree.h"
#include "frontend/dsl/Sugar.h"

namespace tenon {
namespace {

/// Whether each token chose each expert: f32 [T, E] of experts i32 [T, K].
Tensor chosenOf(const Tensor &experts, const Tensor &logits, Site site) {
  Tensor number = iotaLike(logits, -1, i32, site); // [T, E]
  Tensor all;
  for (int64_t k = 0; k < experts.dim(-1, site).extent(); ++k) {
    Tensor own =
        broadcast(range(experts, -1, k, k + 1, site), logits.shape(), site);
    Tensor isChosen = compare(own, number, Predicate::EQ, site).to(f32, site);
    all = all.isAbsent() ? isChosen : all + isChosen;
  }
  return all;
}

Tensor total(const Tensor &x, Site site) {
  Tensor all = x;
  while (all.rank() > 0)
    all = squeeze(sum(all, -1, site), -1, site);
  return all;
}

/// Which assignments [T, K] are among the first `most` [] of their expert:
/// f32, 1 or 0.
Tensor withinCapacity(const Tensor &experts, const Tensor &most, int64_t count,
                      Site site) {
  MoeDispatchResult sorted = moeDispatch(experts, count, site);
  Tensor place = sorted.places - gather(sorted.offsets, experts, site);
  return (place.to(f32, site) < most).to(f32, site);
}
} // namespace

const std::vector<ExpertsPart> &expertsParts(const Module &model) {
  return model.tree().experts;
}

Balance::Balance(Module &model, const BalanceOptions &options)
    : Module(&model, "balance"), opts(options) {
  for (const ExpertsPart &part : expertsParts(model))
    loads.push_back(variable(part.path + ".load", {part.options.experts + 1}));
  tree().balance = [this](size_t layer, const Tensor &logits,
                          const Routing &routing, Site site) {
    return current ? balanced(layer, logits, routing, site) : routing;
  };
}

Balance::~Balance() { tree().balance = nullptr; }

void Balance::begin(const BalancedCall &call) { current = call; }
void Balance::end() { current.reset(); }

std::vector<NamedTensor> Balance::probes() const {
  std::vector<NamedTensor> named;
  for (size_t i = 0; i < loads.size(); ++i)
    named.push_back({expertsParts(*this)[i].path + ".load", loads[i]});
  return named;
}

bool Balance::hasBiases() const {
  return std::ranges::any_of(expertsParts(*this), [](const ExpertsPart &part) {
    return !part.bias.isAbsent();
  });
}

Tensor Balance::losses(const ExpertsPart &part, const Tensor &logits,
                       const Tensor &chosen, Site site) const {
  Tensor zero = fullLike(current->weight, 0, f32, site), all = zero;
  Tensor ones = fullLike(range(logits, -1, 0, 1, site), 1, f32, site); // [T, 1]
  if (opts.sequenceLoss > 0) {
    const Tensor &sequences = current->sequences;
    Shape perSequence({current->mostSequences, part.options.experts});
    Tensor chosenBy = scatter(broadcast(zero, perSequence, site), sequences,
                              chosen, /*add=*/true, site); // [S, E]
    Tensor tokens =
        scatter(broadcast(zero, Shape({current->mostSequences, 1}), site),
                sequences, ones, /*add=*/true, site); // [S, 1]
    Tensor count = total((tokens > 0.0).to(f32, site), site);
    Tensor own = gather(tokens, sequences, site); // [T, 1]
    double factor = static_cast<double>(part.options.experts) /
                    static_cast<double>(part.options.perToken);
    Tensor share = gather(chosenBy, sequences, site) / own * factor; // f
    Tensor scores = part.options.scoring == Scoring::Sigmoid
                        ? sigmoid(logits, site)
                        : softmax(logits, site);
    Tensor p = scores / sum(scores, -1, site);
    all = all + total(stopGradient(share / own, site) * p, site) / count *
                    opts.sequenceLoss;
  }
  if (opts.zLoss > 0) {
    Tensor z = range(logits, -1, 0, 1, site) -
               range(logSoftmax(logits, site), -1, 0, 1, site); // [T, 1]
    all = all + total(z * z, site) / total(ones, site) * opts.zLoss;
  }
  return all;
}

Routing Balance::balanced(size_t layer, const Tensor &logits,
                          const Routing &routing, Site site) const {
  const ExpertsPart &part = expertsParts(*this)[layer];
  Tensor chosen = chosenOf(routing.experts, logits, site);
  Tensor counts = squeeze(sum(chosen, 0, site), 0, site); // [E]
  Tensor beyond = fullLike(current->weight, 0, f32, site);
  Tensor weights = routing.weights;
  if (opts.hasCapacity) {
    double each = static_cast<double>(part.options.perToken) /
                  static_cast<double>(part.options.experts);
    Tensor tokens =
        total(fullLike(range(logits, -1, 0, 1, site), 1, f32, site), site);
    // Places are whole numbers: those below a bound are below its ceiling.
    Tensor kept =
        withinCapacity(routing.experts, current->capacity * tokens * each,
                       part.options.experts, site);
    beyond = total(1.0 - kept, site);
    weights = weights * kept;
  }
  Tensor seen = concat({counts, reshape(beyond, {1}, site)}, 0, site);
  Tensor lost = losses(part, logits, chosen, site);
  Tensor made = withAdjoint(
      *this, {weights, loads[layer], lost, seen, current->weight},
      [](const std::vector<Tensor> &in) { return in[0] * 1.0; },
      [site](const std::vector<Tensor> &in, const Tensor &,
             const Tensor &gradient) {
        return std::vector{gradient, in[3] * 1.0, in[4] * 1.0,
                           fullLike(in[3], 0, f32, site),
                           fullLike(in[4], 0, f32, site)};
      },
      site);
  return {made, routing.experts};
}

void Balance::update(const std::vector<Tensor> &seen, const Tensor &rate,
                     Site site) {
  for (size_t i = 0; i < seen.size(); ++i) {
    const ExpertsPart &part = expertsParts(*this)[i];
    if (part.bias.isAbsent())
      continue;
    Tensor counts = range(seen[i], 0, 0, part.options.experts, site);
    Tensor mean = tenon::mean(counts, 0, site);
    // The sign of mean - counts.
    Tensor less = (counts < mean).to(f32, site);
    Tensor more = (counts > mean).to(f32, site);
    assign(part.bias, part.bias + (less - more) * rate, site);
  }
}

void detail::declareExperts(const Module &module, const ExpertsOptions &options,
                            const Tensor &bias) {
  module.tree().experts.push_back({module.path(), options, bias});
}

Routing detail::rerouted(const Module &module, const Tensor &logits,
                         const Routing &routing, Site site) {
  const detail::ModuleTree &tree = module.tree();
  size_t layer =
      std::ranges::find(tree.experts, module.path(), &ExpertsPart::path) -
      tree.experts.begin();
  Routing made = routing;
  for (const Rerouting *change : {&tree.replay, &tree.balance})
    if (*change)
      made = (*change)(layer, logits, made, site);
  return made;
}

} // namespace tenon
