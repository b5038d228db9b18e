//===- TextLearner.h - Steps on texts of a data set -------------*- C++ -*-===//

#ifndef TENON_TRAINING_TEXTLEARNER_H
#define TENON_TRAINING_TEXTLEARNER_H

#include "training/Learner.h"

namespace tenon::training {

class TextLearner : public Learner {
public:
  TextLearner(const Recipe &how, const LoopParts &with, exec::Trainer &does,
              exec::Generator &writes)
      : recipe(how), parts(with), trainer(does), generator(writes) {}

  Status check(int64_t step) override;
  StatusOr<LearnedStep> step(int64_t step,
                             const exec::StepOptions &options) override;
  Status findNonFinite(const exec::StepOptions &options) override;
  StatusOr<Evaluation> evaluate(int64_t step) override;

protected:
  const Recipe &recipe;
  const LoopParts &parts;
  exec::Trainer &trainer;
  exec::Generator &generator;
  std::vector<exec::TrainSequence> batch; // of the last step

private:
  /// Whether the model completes a document as it stands.
  StatusOr<bool> completes(const exec::TrainSequence &document);
};

/// Learns what a teacher gives to every token of the vocabulary, of the same
/// texts.
class DistillationLearner : public TextLearner {
public:
  /// `teacher` is a program with the entry "scoreAll".
  DistillationLearner(const Recipe &how, const LoopParts &with,
                      exec::Trainer &does, exec::Generator &writes,
                      std::unique_ptr<exec::Trainer> shows)
      : TextLearner(how, with, does, writes), teacher(std::move(shows)) {}

  StatusOr<LearnedStep> step(int64_t step,
                             const exec::StepOptions &options) override;
  Status findNonFinite(const exec::StepOptions &options) override;

private:
  exec::StepOptions completed(const exec::StepOptions &options);

  std::unique_ptr<exec::Trainer> teacher;
  std::vector<float> shown; // [learned, V]
  std::vector<exec::TokenColumn> columns;
  std::vector<exec::NamedNumber> numbers; // of the last step
};

} // namespace tenon::training
#endif // TENON_TRAINING_TEXTLEARNER_H
