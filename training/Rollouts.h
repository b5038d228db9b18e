//===- Rollouts.h - What a model makes of prompts ---------------*- C++ -*-===//

#ifndef TENON_TRAINING_ROLLOUTS_H
#define TENON_TRAINING_ROLLOUTS_H

#include "runtime/exec/Generator.h"
#include "training/Reward.h"

namespace tenon::training {

/// A completion, with the prompt before it.
struct Rollout {
  const Task *task = nullptr;
  std::vector<int32_t> tokens;  // of both, with the end of text
  int64_t from = 0;             // where the completion begins
  std::vector<float> log;       // log p of each token of it, as it was drawn
  std::vector<float> logits;    // [completion, V], where kept
  std::vector<int32_t> experts; // of all tokens but the last one, where kept
  Completion completion;

  std::span<const int32_t> drawn() const {
    return std::span<const int32_t>(tokens).subspan(from);
  }
};

struct RolloutOptions {
  double temperature = 1; // 0: the likeliest token each time
  int64_t mostTokens = 0; // of prompt and completion
  int64_t mostDrawn = 0;  // of the completion; 0: what mostTokens leaves
  uint64_t seed = 0;
  bool keepsLog = true, keepsLogits = false, keepsExperts = false;
};

/// The text of what was drawn. Vocabularies are often padded: a token that the
/// tokenizer has not becomes U+FFFD.
StatusOr<std::string> drawnText(const io::Tokenizer &tokenizer,
                                std::span<const int32_t> tokens);

/// Draws a completion of each task, which may be there more than once; the
/// caches forget what they held before. What is drawn follows from the weights,
/// the seed and a task's place alone.
/// Errors: INVALID_ARGUMENT (a prompt that leaves no room), those of
///         exec::Generator and io::Tokenizer.
StatusOr<std::vector<Rollout>> drawRollouts(exec::Generator &generator,
                                            const io::Tokenizer &tokenizer,
                                            std::span<const Task *const> tasks,
                                            const RolloutOptions &options);

} // namespace tenon::training
#endif // TENON_TRAINING_ROLLOUTS_H
