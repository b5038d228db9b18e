//===- PreferenceLearner.h - Direct preference optimisation -----*- C++ -*-===//
//
// The loss of a pair is -log sigmoid(margin), where
//
//   margin = beta ((log p(chosen) - log q(chosen)) -
//                  (log p(rejected) - log q(rejected)))
//
// and q is the model that the run began with. Its gradient is that of
// -beta sigmoid(-margin) (log p(chosen) - log p(rejected)), so that a step
// scores the pairs first and then learns both texts with shares of opposite
// signs.
// Source: Rafailov et al. 2023, "Direct Preference Optimization", equation 7.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TRAINING_PREFERENCELEARNER_H
#define TENON_TRAINING_PREFERENCELEARNER_H

#include "training/Learner.h"
#include "training/Tasks.h"

namespace tenon::training {

class PreferenceLearner : public Learner {
public:
  PreferenceLearner(const Recipe &how, exec::Trainer &does,
                    std::unique_ptr<exec::Trainer> compared,
                    std::vector<Preference> pairs,
                    std::vector<Preference> heldOut)
      : recipe(how), trainer(does), reference(std::move(compared)),
        preferences(std::move(pairs)), validation(std::move(heldOut)) {}

  Status check(int64_t step) override;
  StatusOr<LearnedStep> step(int64_t step,
                             const exec::StepOptions &options) override;
  Status findNonFinite(const exec::StepOptions &options) override;
  StatusOr<Evaluation> evaluate(int64_t step) override;

private:
  using Pairs = std::vector<const Preference *>;
  /// The margins of pairs, whose texts `batch` then has, chosen and rejected in
  /// turns.
  StatusOr<std::vector<double>> margins(const Pairs &pairs);
  Pairs pairsAt(int64_t step) const;

  const Recipe &recipe;
  exec::Trainer &trainer;
  std::unique_ptr<exec::Trainer> reference;
  std::vector<Preference> preferences, validation;
  // Of the last step.
  std::vector<exec::TrainSequence> batch;
  std::vector<std::vector<float>> shares;
  std::vector<exec::TokenColumn> columns;
};

} // namespace tenon::training
#endif // TENON_TRAINING_PREFERENCELEARNER_H
