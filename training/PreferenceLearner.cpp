//===- PreferenceLearner.cpp - Direct preference optimisation -------------===//

#include "training/PreferenceLearner.h"

#include "training/Order.h"

#include <algorithm>
#include <cmath>

namespace tenon::training {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// -log sigmoid(x), for any x.
double lossOf(double margin) {
  return std::max(-margin, 0.0) + std::log1p(std::exp(-std::abs(margin)));
}

} // namespace

Status PreferenceLearner::check(int64_t) {
  for (size_t i = 0; i < preferences.size(); ++i) {
    auto most =
        std::max(preferences[i].chosen.size(), preferences[i].rejected.size());
    if (static_cast<int64_t>(most) > recipe.length + 1)
      return invalidArgument("preference ", i + 1, " expects texts of at most ",
                             recipe.length + 1,
                             " tokens, --length and one, "
                             "got ",
                             most);
  }
  return Status();
}

PreferenceLearner::Pairs PreferenceLearner::pairsAt(int64_t step) const {
  Pairs pairs;
  auto all = static_cast<uint64_t>(preferences.size());
  for (int64_t i = 0; i < recipe.batch; ++i) {
    uint64_t number = static_cast<uint64_t>(step * recipe.batch + i);
    uint64_t seed = mix(recipe.seed ^ mix(number / all));
    pairs.push_back(&preferences[permute(number % all, all, seed)]);
  }
  return pairs;
}

StatusOr<std::vector<double>> PreferenceLearner::margins(const Pairs &pairs) {
  batch.clear();
  for (const Preference *pair : pairs) {
    batch.push_back({pair->chosen, pair->from});
    batch.push_back({pair->rejected, pair->from});
  }
  TENON_ASSIGN_OR_RETURN(exec::Scores ours, trainer.score(batch));
  TENON_ASSIGN_OR_RETURN(exec::Scores before, reference->score(batch));
  std::vector<double> made;
  size_t token = 0;
  for (size_t i = 0; i < batch.size(); ++i) {
    double gained = 0;
    for (int64_t t = 0; t < batch[i].learned(); ++t, ++token)
      gained += static_cast<double>(ours.log[token]) - before.log[token];
    bool isChosen = i % 2 == 0;
    if (isChosen)
      made.push_back(recipe.beta * gained);
    else
      made.back() -= recipe.beta * gained;
  }
  return made;
}

StatusOr<LearnedStep>
PreferenceLearner::step(int64_t step, const exec::StepOptions &options) {
  TENON_ASSIGN_OR_RETURN(std::vector<double> margin, margins(pairsAt(step)));
  auto count = static_cast<double>(margin.size());
  LearnedStep report;
  double loss = 0, right = 0, sum = 0;
  shares.resize(batch.size());
  columns.assign(batch.size(), {"shares", {}});
  for (size_t i = 0; i < batch.size(); ++i) {
    double m = margin[i / 2];
    double share = recipe.beta * sigmoid(-m) / count * (i % 2 ? -1 : 1);
    shares[i].assign(batch[i].learned(), static_cast<float>(share));
    columns[i].values = shares[i];
    batch[i].columns = {&columns[i], 1};
  }
  for (double m : margin) {
    loss += lossOf(m) / count;
    right += (m > 0) / count;
    sum += m / count;
  }
  TENON_ASSIGN_OR_RETURN(report.made, trainer.step(batch, options));
  if (std::isfinite(report.made.loss))
    report.made.loss = static_cast<float>(loss);
  report.epoch = static_cast<double>((step + 1) * recipe.batch) /
                 static_cast<double>(preferences.size());
  report.figures = {{"margin", sum}, {"preferred", right}};
  return report;
}

Status PreferenceLearner::findNonFinite(const exec::StepOptions &options) {
  return trainer.findNonFinite(batch, options);
}

StatusOr<Evaluation> PreferenceLearner::evaluate(int64_t step) {
  Pairs pairs;
  for (const Preference &each : validation)
    if (std::ssize(pairs) < recipe.evaluateSequences)
      pairs.push_back(&each);
  TENON_ASSIGN_OR_RETURN(std::vector<double> margin, margins(pairs));
  Evaluation made;
  made.step = step;
  made.loss = 0;
  auto count = static_cast<double>(margin.size());
  double right = 0;
  for (double m : margin) {
    made.loss += lossOf(m) / count;
    right += (m > 0) / count;
  }
  made.figures = {{"preferred", right}};
  return made;
}

} // namespace tenon::training
