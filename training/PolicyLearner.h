//===- PolicyLearner.h - Learning from rewards ------------------*- C++ -*-===//
//
// A step draws completions of some prompts with the weights that are trained,
// rewards them, and makes what is rewarded more likely:
//
//   grpo     advantages are a group's rewards less their mean, divided by their
//            deviation; each completion weighs alike (Shao et al. 2024)
//   dr-grpo  not divided, and each token weighs alike whatever its completion's
//            length is (Liu et al. 2025)
//   ppo      advantages of each token by a value head that learns beside
//            (Schulman et al. 2017)
//
// The weights are not copied: the generator's program and the trainer's are
// one, and give every token the same log-probability to the bit. The log's
// "mismatch" is the largest difference, which is 0.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TRAINING_POLICYLEARNER_H
#define TENON_TRAINING_POLICYLEARNER_H

#include "training/Learner.h"
#include "training/Rollouts.h"

namespace tenon::training {

/// What a policy is trained with; all is the learner's.
struct PolicyParts {
  std::vector<Task> tasks, validation;
  std::vector<Reward> rewards;
  std::unique_ptr<exec::Trainer> reference; // null: no penalty
};

class PolicyLearner : public Learner {
public:
  PolicyLearner(const Recipe &how, const LoopParts &with, exec::Trainer &does,
                exec::Generator &writes, PolicyParts own);

  Status check(int64_t step) override;
  StatusOr<LearnedStep> step(int64_t step,
                             const exec::StepOptions &options) override;
  Status findNonFinite(const exec::StepOptions &options) override;
  StatusOr<Evaluation> evaluate(int64_t step) override;

private:
  /// A rollout and what its tokens are learned with.
  struct Lesson {
    Rollout rollout;
    double reward = 0;
    std::vector<float> shares, advantages, reference, values, returns;
    std::vector<exec::TokenColumn> columns;

    exec::TrainSequence sequence() const {
      return {rollout.tokens, rollout.from, columns, rollout.experts};
    }
  };

  Status draw(int64_t step);
  void reward(Figures &figures);
  Status compare(Figures &figures);
  Status value();
  void weigh(std::span<const size_t> chosen);
  StatusOr<exec::StepResult> update(std::span<const size_t> chosen,
                                    const exec::StepOptions &options);
  std::vector<exec::TrainSequence>
  sequences(std::span<const size_t> chosen) const;
  exec::StepOptions completed(const exec::StepOptions &options);
  /// The largest difference of any token's log-probability, over the whole
  /// vocabulary, between the rollouts and a step's forward half.
  StatusOr<double> mismatchOfAll();

  const Recipe &recipe;
  const LoopParts &parts;
  exec::Trainer &trainer;
  exec::Generator &generator;
  PolicyParts own;
  std::vector<exec::NamedNumber> numbers;     // of the recipe
  std::vector<exec::NamedNumber> stepNumbers; // of the last step, with these
  std::vector<Lesson> lessons;                // of the last step
  std::vector<exec::TrainSequence> batch;     // of the last update
};

} // namespace tenon::training
#endif // TENON_TRAINING_POLICYLEARNER_H
