//===- Recipe.h - Every option of a run of training -------------*- C++ -*-===//

#ifndef TENON_TRAINING_RECIPE_H
#define TENON_TRAINING_RECIPE_H

#include "runtime/base/Status.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace tenon::training {

/// From `firstStep` on, sequences of `length` tokens.
struct CurriculumStage {
  int64_t firstStep = 0;
  int64_t length = 0;
};

/// What `tenon train` is told; the names are those of its flags.
struct Recipe {
  std::string model;  // weights, or a config.json to train from scratch
  std::string data;   // a folder of `tenon data`, or of train.jsonl
  std::string output; // a folder

  int64_t steps = 1000;
  int64_t batch = 16;   // sequences of a step
  int64_t length = 128; // tokens of a sequence
  int64_t micro = 0;    // sequences computed at once; 0: as many as fit
  std::vector<std::string> curriculum; // "STEP:LENGTH", ascending

  std::string optimizer = "adamw"; // or sgd
  double rate = 3e-4, finalRate = 0;
  int64_t warmup = 0;
  std::string schedule = "cosine"; // linear, constant
  double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8, momentum = 0.9;
  double decay = 0.1;
  double clip = 1;                            // 0: gradients are not clipped
  std::vector<std::string> frozen, undecayed; // weights, by pattern
  double lossScale = 1;

  std::string method = "text"; // grpo, dr-grpo, ppo, dpo, distill
  std::string teacher;         // a model, of distill
  double temperature = 1;      // of what is drawn, or distilled
  double beta = 0.1;           // of dpo
  // Of grpo, dr-grpo and ppo.
  int64_t group = 8;      // completions of a prompt
  int64_t completion = 0; // most tokens of one; 0: what length leaves
  std::vector<std::string> rewards = {"accuracy"}; // NAME or NAME=WEIGHT
  int64_t updates = 1, minibatches = 1;            // of what was drawn
  double clipLow = 0.2, clipHigh = 0.2, penalty = 0;
  double gamma = 1, lambda = 0.95, valueWeight = 0.5, valueClip = 0.2; // ppo
  int64_t compareEvery = 0; // steps between comparisons of all logits

  // Of models with experts.
  double balanceRate = 1e-3;              // of biases; 0: they stay
  double balanceLoss = 0, zLoss = 0;      // weights
  double capacity = 0, finalCapacity = 0; // factors; 0: no choice is dropped
  std::string routing = "computed";       // or recorded, of what is drawn

  double mtpLoss = 0; // weight of further tokens; 0: they are not learned

  std::string adapter; // lora, rslora, bottleneck; empty: weights are trained
  int64_t rank = 16;
  double alpha = 32;
  std::vector<std::string> targets; // linear parts, by pattern

  int64_t evaluateEvery = 0, evaluateSequences = 64;
  int64_t evaluateMatches = 0; // documents whose completion is generated
  int64_t sampleEvery = 0, sampleTokens = 64;
  std::string prompt;
  int64_t checkpointEvery = 0, keep = 2;
  std::string onNan = "stop"; // or skip
  uint64_t seed = 1;
  uint32_t threads = 0;
  std::string compute = "f32";   // of products: f32, bf16
  std::string cacheType = "f32"; // of what is generated
  std::string latents; // absorbed, materialised; empty: the model's default
  std::string memoryBudget;       // "2GiB"; empty: none
  std::string recompute = "auto"; // none, selective, layer

  // Made by `complete`.
  std::vector<CurriculumStage> stages;
  int64_t budgetBytes = 0; // 0: none

  /// Checks the options and reads those that are texts.
  /// Errors: INVALID_ARGUMENT, naming the option, what it expects and got.
  Status complete();

  bool isPolicy() const {
    return method == "grpo" || method == "dr-grpo" || method == "ppo";
  }
  /// Whether a step takes the experts that drawing chose.
  bool recordsRouting() const { return routing == "recorded"; }
  /// Whether a step reads what the model gave before the run.
  bool needsReference() const {
    return method == "dpo" || (isPolicy() && penalty > 0);
  }
  /// Most tokens of a completion.
  int64_t mostDrawn() const { return completion ? completion : length; }
  /// The capacity factor of a step: from the first one to the last one, in even
  /// steps; 0: no choice is dropped.
  double capacityAt(int64_t step) const;
  /// Sequences that a step learns: two of each preference.
  int64_t learnedSequences() const {
    return method == "dpo" ? 2 * batch : batch / minibatches;
  }

  /// Tokens of a step's sequences together; a curriculum's shorter sequences
  /// are as many more.
  int64_t stepTokens() const { return batch * length; }
  /// Sequences of --length computed at once, where memory has room.
  int64_t atOnce() const {
    return micro ? std::min(micro, learnedSequences()) : learnedSequences();
  }
  /// The sequences of the curriculum that can lie in the place of one.
  int64_t sequencesEach() const;

  /// What the compiler needs of it, with activations recomputed as `recompute`
  /// says, none, selective or layer: the JSON of
  /// tools/compiler/TrainingOptions.h.
  std::string compilerOptions(const std::string &recomputed) const;

  /// What decides which tokens a step learns, as text: a run goes on only with
  /// the same.
  std::string orderDigest() const;

private:
  Status completeCurriculum();
  Status completeMethod() const;
  Status completeBalance() const;
  Status completeFurther() const;
};

/// Reads "512MiB", "2GiB", "1.5GB" or a number of bytes.
/// Errors: INVALID_ARGUMENT.
StatusOr<int64_t> parseBytes(const std::string &text);

} // namespace tenon::training
#endif // TENON_TRAINING_RECIPE_H
