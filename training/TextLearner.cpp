//===- TextLearner.cpp - Steps on texts of a data set ---------------------===//

#include "training/TextLearner.h"

#include "training/Batches.h"

#include <algorithm>

namespace tenon::training {

Status TextLearner::check(int64_t step) {
  if (!parts.data)
    return invalidArgument("expects a data set of tokens to learn, got none");
  int64_t vocabulary = generator.vocabulary();
  for (const TokenData *data : {parts.data, parts.validation})
    if (data && data->vocabulary() > vocabulary)
      return invalidArgument(
          data->path(), ": expects tokens below ", vocabulary,
          ", the model's vocabulary, got a "
          "data set made with ",
          data->vocabulary(), "; make it with the model's tokenizer");
  return batchAt(recipe, *parts.data, step).status();
}

StatusOr<LearnedStep> TextLearner::step(int64_t step,
                                        const exec::StepOptions &options) {
  TENON_ASSIGN_OR_RETURN(batch, batchAt(recipe, *parts.data, step));
  LearnedStep report;
  TENON_ASSIGN_OR_RETURN(report.made, trainer.step(batch, options));
  report.epoch = epochAt(recipe, *parts.data, step + 1);
  return report;
}

Status TextLearner::findNonFinite(const exec::StepOptions &options) {
  return trainer.findNonFinite(batch, options);
}

StatusOr<Evaluation> TextLearner::evaluate(int64_t step) {
  Evaluation made;
  made.step = step;
  if (!parts.validation)
    return made;
  TENON_ASSIGN_OR_RETURN(
      std::vector<exec::TrainSequence> held,
      firstSequences(recipe, *parts.validation, recipe.evaluateSequences));
  TENON_ASSIGN_OR_RETURN(made.loss, trainer.evaluate(held));
  TENON_ASSIGN_OR_RETURN(
      held, firstSequences(recipe, *parts.validation, recipe.evaluateMatches));
  for (const exec::TrainSequence &document : held) {
    TENON_ASSIGN_OR_RETURN(bool isSame, completes(document));
    made.matches += isSame;
    ++made.generated;
  }
  return made;
}

StatusOr<bool> TextLearner::completes(const exec::TrainSequence &document) {
  std::span<const int32_t> expected = document.tokens.subspan(document.from);
  std::vector<int32_t> tokens;
  exec::GenerateRequest request;
  request.prompt = document.tokens.first(document.from);
  request.maxTokens = std::ssize(expected);
  generator.forget();
  TENON_RETURN_IF_ERROR(generator
                            .generate({&request, 1},
                                      [&](size_t, int32_t token) {
                                        tokens.push_back(token);
                                        return token !=
                                               expected[tokens.size() - 1];
                                      })
                            .status());
  return std::ranges::equal(tokens, expected);
}

//===----------------------------------------------------------------------===//
// DistillationLearner
//===----------------------------------------------------------------------===//

exec::StepOptions
DistillationLearner::completed(const exec::StepOptions &options) {
  const exec::NamedNumber temperature = {
      "temperature", static_cast<float>(recipe.temperature)};
  return withNumbers(options, {&temperature, 1}, numbers);
}

StatusOr<LearnedStep>
DistillationLearner::step(int64_t step, const exec::StepOptions &options) {
  TENON_ASSIGN_OR_RETURN(batch, batchAt(recipe, *parts.data, step));
  // Log-probabilities are logits, too.
  TENON_ASSIGN_OR_RETURN(shown, teacher->scoreAll(batch));
  int64_t width = generator.vocabulary();
  columns.assign(batch.size(), {"teacher", {}});
  std::span<const float> left(shown);
  for (size_t i = 0; i < batch.size(); ++i) {
    int64_t count = batch[i].learned() * width;
    columns[i].values = left.first(count);
    left = left.subspan(count);
    batch[i].columns = {&columns[i], 1};
  }
  LearnedStep report;
  TENON_ASSIGN_OR_RETURN(report.made, trainer.step(batch, completed(options)));
  report.epoch = epochAt(recipe, *parts.data, step + 1);
  return report;
}

Status DistillationLearner::findNonFinite(const exec::StepOptions &options) {
  return trainer.findNonFinite(batch, completed(options));
}

} // namespace tenon::training
