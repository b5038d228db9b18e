//===- Schedule.cpp - Rate and length by step -----------------------------===//

#include "training/Schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tenon::training {

float rateAt(const Recipe &recipe, int64_t step) {
  double rate = recipe.rate;
  if (step < recipe.warmup)
    return static_cast<float>(rate * static_cast<double>(step + 1) /
                              static_cast<double>(recipe.warmup));
  if (recipe.schedule == "constant" || recipe.steps <= recipe.warmup + 1)
    return static_cast<float>(rate);
  double done = static_cast<double>(step - recipe.warmup) /
                static_cast<double>(recipe.steps - 1 - recipe.warmup);
  done = std::min(done, 1.0);
  double left = recipe.schedule == "linear"
                    ? 1 - done
                    : 0.5 * (1 + std::cos(std::numbers::pi * done));
  double last = recipe.finalRate;
  return static_cast<float>(last + (rate - last) * left);
}

Stage stageAt(const Recipe &recipe, int64_t step) {
  Stage stage{0, 0, recipe.length};
  for (const CurriculumStage &each : recipe.stages) {
    if (each.firstStep > step)
      break;
    stage = {stage.number + 1, each.firstStep, each.length};
  }
  return stage;
}

} // namespace tenon::training
