//===- Reward.h - What a completion is worth --------------------*- C++ -*-===//
//
// A reward looks at the completions of one prompt together, and gives each a
// number. Those of a run are added up by weight: "accuracy", "format=0.2".
//
//   accuracy    1 where the answer is right, else 0. The answer is what follows
//               </think>, or all where that is not there; its last number is
//               compared as a fraction, or, where the task's is no number, the
//               whole text
//   format      1 for <think>, some thoughts, </think> and an answer, once
//               each, and an end; else 0
//   arithmetic  the share of the statements "a + b = c" (- * /) that are true;
//               1 where there are none
//   diversity   how unlike the others of its group a completion is: the mean
//               share of its runs of three words that the other lacks
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TRAINING_REWARD_H
#define TENON_TRAINING_REWARD_H

#include "training/Tasks.h"

#include <functional>
#include <optional>
#include <span>
#include <string_view>

namespace tenon::training {

struct Completion {
  std::string text;
  bool isEnded = false; // by the model, not by the limit
};

/// Of the completions of a task, one for each.
using RewardFunction = std::function<std::vector<double>(
    const Task &task, std::span<const Completion> completions)>;

struct Reward {
  std::string name;
  double weight = 1;
  RewardFunction function;
};

/// Adds a reward of the caller's, by a name for recipes. It replaces one of
/// that name. Threads: before any run.
void addReward(const std::string &name, RewardFunction function);

/// Reads "accuracy" or "format=0.2".
/// Errors: INVALID_ARGUMENT (another form; a name that is no reward, listing
///         those there are).
StatusOr<std::vector<Reward>> parseRewards(std::span<const std::string> texts);

/// A number as a fraction in lowest terms, its denominator positive.
struct Fraction {
  int64_t numerator = 0, denominator = 1;
  bool operator==(const Fraction &) const = default;
};

/// The last number of a text: "-3", "2.50", "7/2"; nothing if it has none, or
/// one of more than 15 digits.
std::optional<Fraction> lastNumber(std::string_view text);

/// Whether a completion answers a task rightly; what "accuracy" rewards.
bool isRight(const Task &task, std::string_view completion);

} // namespace tenon::training
#endif // TENON_TRAINING_REWARD_H
