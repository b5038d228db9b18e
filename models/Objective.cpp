//===- Objective.cpp - What a step of training learns ---------------------===//
// M rows, R of a chunk, V vocabulary.

#include "models/Objective.h"

#include "frontend/dsl/Sugar.h"

namespace tenon::models {
namespace {

/// [R] to [R, 1].
Tensor asColumn(const Tensor &x, Site site) {
  return reshape(x, {x.dim(0, site), 1}, site);
}

/// A number [] for each row of `rows` [M].
Tensor forEach(const Tensor &number, const Tensor &rows, Site site) {
  return fullLike(rows, 0, f32, site) + number;
}

Tensor tempered(const Tensor &logits, const Tensor &temperature, Site site) {
  return logits /
         (temperature.rank() ? asColumn(temperature, site) : temperature);
}

RowTerms likelihoodTerms(const Tensor &logits,
                         const std::vector<Tensor> &columns) {
  Tensor lost = crossEntropy(logits, columns[0]);
  return {lost * columns[1], -lost};
}

RowTerms policyTerms(const Tensor &logits, const std::vector<Tensor> &columns) {
  enum { Targets, Shares, Advantage, Old, Reference, Low, High, Penalty, Heat };
  Tensor logP = logProbability(logits, columns[Targets], columns[Heat]);
  Tensor ratio = exp(logP - columns[Old]);
  Tensor clipped =
      min(max(ratio, 1.0 - columns[Low]), 1.0 + columns[High]); // [R]
  const Tensor &advantage = columns[Advantage];
  Tensor gain = min(ratio * advantage, clipped * advantage);
  Tensor d = columns[Reference] - logP;
  Tensor divergence = exp(d) - d - 1.0;
  Tensor loss = columns[Shares] * (columns[Penalty] * divergence - gain);
  return {loss, logP};
}

RowTerms distillationTerms(const Tensor &logits,
                           const std::vector<Tensor> &columns) {
  enum { Targets, Shares, Teacher, Heat };
  const Tensor &heat = columns[Heat];
  Site site = Site::current();
  Tensor theirs = logSoftmax(tempered(columns[Teacher], heat, site));
  Tensor ours = logSoftmax(tempered(logits, heat, site));
  Tensor divergence = squeeze(sum(exp(theirs) * (theirs - ours)), -1); // [R]
  return {columns[Shares] * heat * heat * divergence,
          logProbability(logits, columns[Targets], heat)};
}
} // namespace

Tensor logProbability(const Tensor &logits, const Tensor &targets,
                      const Tensor &temperature, Site site) {
  return -crossEntropy(tempered(logits, temperature, site), targets, site);
}

ObjectiveRows objectiveRows(Objective objective, Arguments &in,
                            const Tensor &targets, const Tensor &shares,
                            int64_t vocabulary) {
  ObjectiveRows made{{targets, shares}, likelihoodTerms};
  Dim M = targets.dim(0);
  Site site = Site::current();
  auto number = [&](const char *name) {
    made.columns.push_back(forEach(in.tensor(name, {}), shares, site));
  };
  if (objective == Objective::Policy) {
    made.loss = policyTerms;
    for (const char *name : {"advantages", "old", "reference"})
      made.columns.push_back(in.tensor(name, {M}));
    for (const char *name : {"clip_low", "clip_high", "penalty", "temperature"})
      number(name);
  } else if (objective == Objective::Distillation) {
    made.loss = distillationTerms;
    made.columns.push_back(in.tensor("teacher", {M, vocabulary}));
    number("temperature");
  }
  return made;
}

ValueHead::ValueHead(Module *parent, int64_t width)
    : Module(parent, "value"), weight(variable("weight", {1, width})),
      bias(variable("bias", {1})) {}

Tensor ValueHead::operator()(const Tensor &x, Site site) const {
  return squeeze(linear(x, weight, bias, site), -1, site);
}

std::vector<NamedTensor> ValueHead::weights() const {
  return {{"value.weight", weight}, {"value.bias", bias}};
}

ValueRows::ValueRows(Arguments &in, const Tensor &of)
    : returns(in.tensor("returns", {of.dim(0)})),
      before(in.tensor("old_values", {of.dim(0)})),
      factor(in.tensor("value_weight", {})), range(in.tensor("value_clip", {})),
      shares(of) {}

Tensor ValueRows::loss(const Tensor &values, Site site) const {
  Tensor most = forEach(range, shares, site);
  Tensor near = before + min(max(values - before, -most, site), most, site);
  auto lost = [&](const Tensor &v) { return (v - returns) * (v - returns); };
  Tensor each = max(lost(values), lost(near), site) * shares;
  return squeeze(sum(each, 0, site), 0, site) * factor * 0.5;
}

} // namespace tenon::models
