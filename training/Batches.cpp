//===- Batches.cpp - Which sequences a step learns ------------------------===//

#include "training/Batches.h"

#include "training/Order.h"
#include "training/Schedule.h"

namespace tenon::training {
namespace {

/// Sequences of a step: of shorter ones as many more, of documents the same.
int64_t sequencesOf(const Recipe &recipe, const TokenData &data,
                    const Stage &stage) {
  return data.hasDocuments() ? recipe.batch
                             : recipe.stepTokens() / stage.length;
}

} // namespace

StatusOr<std::vector<exec::TrainSequence>>
batchAt(const Recipe &recipe, const TokenData &data, int64_t step) {
  Stage stage = stageAt(recipe, step);
  int64_t each = sequencesOf(recipe, data, stage);
  int64_t all = data.sequences(stage.length);
  if (all < each)
    return invalidArgument(data.path(), ": expects at least ", each,
                           " sequences of ", stage.length,
                           " tokens, a batch, got ", all, " (",
                           data.tokens().size(), " tokens)");
  std::vector<exec::TrainSequence> batch;
  int64_t next = (step - stage.firstStep) * each;
  // Documents that are cut before what is learned are passed over.
  for (int64_t tried = 0; std::ssize(batch) < each; ++tried) {
    if (tried == each + all)
      return invalidArgument(data.path(),
                             ": expects documents with something "
                             "to learn within ",
                             stage.length,
                             " tokens, got too few for a batch "
                             "of ",
                             each);
    uint64_t number = next + tried;
    uint64_t epoch = number / all;
    uint64_t seed = mix(recipe.seed ^ mix(epoch ^ mix(stage.number)));
    exec::TrainSequence sequence =
        data.sequence(permute(number % all, all, seed), stage.length);
    if (sequence.learned() > 0)
      batch.push_back(sequence);
  }
  return batch;
}

StatusOr<std::vector<exec::TrainSequence>>
firstSequences(const Recipe &recipe, const TokenData &data, int64_t count) {
  std::vector<exec::TrainSequence> found;
  int64_t all = data.sequences(recipe.length);
  for (int64_t i = 0; i < all && std::ssize(found) < count; ++i) {
    exec::TrainSequence sequence = data.sequence(i, recipe.length);
    if (sequence.learned() > 0)
      found.push_back(sequence);
  }
  if (found.empty() && count > 0)
    return invalidArgument(data.path(), ": expects a sequence of ",
                           recipe.length, " tokens, got ", data.tokens().size(),
                           " tokens");
  return found;
}

double epochAt(const Recipe &recipe, const TokenData &data, int64_t step) {
  double passed = 0;
  for (int64_t at = 0; at < step;) {
    Stage stage = stageAt(recipe, at);
    int64_t end = step;
    for (const CurriculumStage &next : recipe.stages)
      if (next.firstStep > at)
        end = std::min(end, next.firstStep);
    passed +=
        static_cast<double>((end - at) * sequencesOf(recipe, data, stage)) /
        static_cast<double>(data.sequences(stage.length));
    at = end;
  }
  return passed;
}

} // namespace tenon::training
