//===- Batches.h - Which sequences a step learns ----------------*- C++ -*-===//

#ifndef TENON_TRAINING_BATCHES_H
#define TENON_TRAINING_BATCHES_H

#include "training/Recipe.h"
#include "training/TokenData.h"

namespace tenon::training {

/// The sequences of a step, which follow from the recipe and the step's number:
/// each stage of the curriculum goes through the whole set in an order of its
/// own, then through it again in another.
/// `data` must outlive the result.
/// Errors: INVALID_ARGUMENT (the set is smaller than a batch).
StatusOr<std::vector<exec::TrainSequence>>
batchAt(const Recipe &recipe, const TokenData &data, int64_t step);

/// The first sequences of a set, at most `count`, that have something to learn.
/// Errors: INVALID_ARGUMENT (none has, of a count above 0).
StatusOr<std::vector<exec::TrainSequence>>
firstSequences(const Recipe &recipe, const TokenData &data, int64_t count);

/// How often the data set has been gone through before a step.
double epochAt(const Recipe &recipe, const TokenData &data, int64_t step);

} // namespace tenon::training
#endif // TENON_TRAINING_BATCHES_H
