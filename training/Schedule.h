//===- Schedule.h - Rate and length by step ---------------------*- C++ -*-===//

#ifndef TENON_TRAINING_SCHEDULE_H
#define TENON_TRAINING_SCHEDULE_H

#include "training/Recipe.h"

namespace tenon::training {

/// The rate of a step, counted from 0: it grows linearly over the warm-up, then
/// falls to the recipe's last rate at the last step, as the schedule says.
float rateAt(const Recipe &recipe, int64_t step);

/// The stage of the curriculum that a step belongs to: its number, its first
/// step and the tokens of its sequences.
struct Stage {
  int64_t number = 0;
  int64_t firstStep = 0;
  int64_t length = 0;
};
Stage stageAt(const Recipe &recipe, int64_t step);

} // namespace tenon::training
#endif // TENON_TRAINING_SCHEDULE_H
