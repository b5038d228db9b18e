//===- Learner.cpp - Who learns as a recipe says --------------------------===//

#include "training/Learner.h"

#include "training/PolicyLearner.h"
#include "training/PreferenceLearner.h"
#include "training/TextLearner.h"

#include <filesystem>

namespace tenon::training {
namespace {

using Made = StatusOr<std::unique_ptr<Learner>>;

template <typename T, typename... Args> Made make(Args &&...args) {
  return std::unique_ptr<Learner>(
      std::make_unique<T>(std::forward<Args>(args)...));
}

std::string inFolder(const Recipe &recipe, const char *name) {
  return (std::filesystem::path(recipe.data) / name).string();
}

Status expectTokenizer(const LoopParts &parts) {
  if (parts.tokenizer)
    return Status();
  return invalidArgument("expects a tokenizer beside the model or the data, "
                         "to read prompts with, got none");
}

/// What is read of validation.jsonl, if anything is evaluated on it.
template <typename T, typename Read>
StatusOr<std::vector<T>> readHeldOut(const Recipe &recipe, const Read &read) {
  if (recipe.evaluateEvery == 0)
    return std::vector<T>();
  return read(inFolder(recipe, "validation.jsonl"));
}

StatusOr<std::unique_ptr<exec::Trainer>> referenceOf(const LoopParts &parts) {
  if (!parts.reference)
    return invalidArgument("expects the model that the run began with beside "
                           "the one that is trained, got none");
  return exec::Trainer::create(*parts.reference);
}

Made makePolicyLearner(const Recipe &recipe, const LoopParts &parts,
                       exec::Trainer &trainer, exec::Generator &generator) {
  TENON_RETURN_IF_ERROR(expectTokenizer(parts));
  auto read = [&](const std::string &path) {
    return readTasks(path, *parts.tokenizer);
  };
  PolicyParts own;
  TENON_ASSIGN_OR_RETURN(own.tasks, read(inFolder(recipe, "train.jsonl")));
  TENON_ASSIGN_OR_RETURN(own.validation, readHeldOut<Task>(recipe, read));
  TENON_ASSIGN_OR_RETURN(own.rewards, parseRewards(recipe.rewards));
  if (recipe.penalty > 0) {
    TENON_ASSIGN_OR_RETURN(own.reference, referenceOf(parts));
  }
  return make<PolicyLearner>(recipe, parts, trainer, generator, std::move(own));
}

Made makePreferenceLearner(const Recipe &recipe, const LoopParts &parts,
                           exec::Trainer &trainer) {
  TENON_RETURN_IF_ERROR(expectTokenizer(parts));
  auto read = [&](const std::string &path) {
    return readPreferences(path, *parts.tokenizer);
  };
  TENON_ASSIGN_OR_RETURN(std::vector<Preference> pairs,
                         read(inFolder(recipe, "train.jsonl")));
  TENON_ASSIGN_OR_RETURN(std::vector<Preference> held,
                         readHeldOut<Preference>(recipe, read));
  TENON_ASSIGN_OR_RETURN(std::unique_ptr<exec::Trainer> reference,
                         referenceOf(parts));
  return make<PreferenceLearner>(recipe, trainer, std::move(reference),
                                 std::move(pairs), std::move(held));
}

} // namespace

exec::StepOptions withNumbers(const exec::StepOptions &options,
                              std::span<const exec::NamedNumber> numbers,
                              std::vector<exec::NamedNumber> &held) {
  held.assign(options.numbers.begin(), options.numbers.end());
  held.insert(held.end(), numbers.begin(), numbers.end());
  exec::StepOptions made = options;
  made.numbers = held;
  return made;
}

Made makeLearner(const Recipe &recipe, const LoopParts &parts,
                 exec::Trainer &trainer, exec::Generator &generator) {
  if (recipe.isPolicy())
    return makePolicyLearner(recipe, parts, trainer, generator);
  if (recipe.method == "dpo")
    return makePreferenceLearner(recipe, parts, trainer);
  if (recipe.method != "distill")
    return make<TextLearner>(recipe, parts, trainer, generator);
  if (!parts.teacher)
    return invalidArgument("expects --teacher to distil from, got none");
  TENON_ASSIGN_OR_RETURN(std::unique_ptr<exec::Trainer> teacher,
                         exec::Trainer::create(*parts.teacher));
  return make<DistillationLearner>(recipe, parts, trainer, generator,
                                   std::move(teacher));
}

} // namespace tenon::training
