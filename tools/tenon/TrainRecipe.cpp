//===- TrainRecipe.cpp - A recipe as flags and as a file ------------------===//

#include "tools/tenon/TrainRecipe.h"

#include <CLI/CLI.hpp>

#include <algorithm>

namespace tenon::tools {
namespace {

using training::Recipe;

// Options of the command that are no part of a recipe.
constexpr std::string_view kNotOfRecipe[] = {"help", "resume", "no-cache",
                                             "print-every"};

void addFiles(CLI::App &app, Recipe &recipe) {
  const char *group = "Model and data";
  app.add_option("--model", recipe.model,
                 "Weights to go on from (a .gguf file, or safetensors), or a "
                 "config.json to train from scratch")
      ->type_name("PATH")
      ->group(group);
  app.add_option("--data", recipe.data,
                 "A folder that `tenon data` wrote; of the methods that learn "
                 "from rewards or preferences, one with train.jsonl and "
                 "validation.jsonl")
      ->type_name("FOLDER")
      ->group(group);
  app.add_option("--output", recipe.output,
                 "Where checkpoints, log.jsonl and loss.svg go")
      ->type_name("FOLDER")
      ->group(group);
  app.add_option("--frozen", recipe.frozen,
                 "Weights that stay as they are, by their names in the model "
                 "with * for anything: \"embedding.*\"")
      ->type_name("PATTERN")
      ->group(group);
}

void addSteps(CLI::App &app, Recipe &recipe) {
  const char *group = "Steps";
  auto add = [&](const char *name, auto &value, const char *help) {
    return app.add_option(name, value, help)
        ->capture_default_str()
        ->group(group);
  };
  add("--steps", recipe.steps, "Steps of the whole run");
  add("--batch", recipe.batch, "Sequences of a step");
  add("--length", recipe.length, "Tokens of a sequence");
  add("--micro", recipe.micro,
      "Sequences computed at once, whose gradients are added up to a step; 0: "
      "all of a step, or as many as --memory-budget has room for");
  add("--memory-budget", recipe.memoryBudget,
      "Most memory of the run, as 2GiB: fewer sequences are computed at once, "
      "and activations again, to stay within it")
      ->type_name("SIZE");
  add("--recompute", recipe.recompute,
      "Activations that are computed again rather than kept: none; selective, "
      "all but products and attention; layer, all within a layer; auto: none, "
      "unless --memory-budget has no room")
      ->check(CLI::IsMember({"auto", "none", "selective", "layer"}));
  add("--compute", recipe.compute,
      "Type in which products and their gradients multiply: f32, or bf16, "
      "faster where the CPU has it. Weights, sums and all else are f32")
      ->check(CLI::IsMember({"f32", "bf16"}));
  add("--cache-type", recipe.cacheType,
      "Of the caches of what is generated: f32, f16, bf16 or q8_0. With others "
      "than f32 it has other log-probabilities than training")
      ->check(CLI::IsMember({"f32", "f16", "bf16", "q8_0"}));
  add("--latent-attention", recipe.latents,
      "Of DeepSeek models: absorbed, over latents, or materialised, over the "
      "keys and values made of them: faster, and with other last bits. Run the "
      "model in the form in which it was trained")
      ->check(CLI::IsMember({"absorbed", "materialised"}));
  add("--curriculum", recipe.curriculum,
      "From step STEP on, sequences of LENGTH tokens and as many more of "
      "them; --length holds where no stage does")
      ->type_name("STEP:LENGTH");
  add("--seed", recipe.seed, "Of the first weights and the order of the data");
  add("--threads", recipe.threads,
      "Threads that compute; 0: one for each CPU. Does not change the losses");
}

void addOptimizer(CLI::App &app, Recipe &recipe) {
  const char *group = "Optimiser";
  auto add = [&](const char *name, auto &value, const char *help) {
    return app.add_option(name, value, help)
        ->capture_default_str()
        ->group(group);
  };
  add("--optimizer", recipe.optimizer, "adamw, or sgd with momentum");
  add("--rate", recipe.rate, "The highest learning rate");
  add("--final-rate", recipe.finalRate, "The rate of the last step");
  add("--warmup", recipe.warmup, "Steps over which the rate grows from 0");
  add("--schedule", recipe.schedule,
      "How the rate falls after that: cosine, linear or constant");
  add("--beta1", recipe.beta1, "AdamW: of the gradients' mean");
  add("--beta2", recipe.beta2, "AdamW: of the mean of their squares");
  add("--epsilon", recipe.epsilon, "AdamW: added to the root of the latter");
  add("--momentum", recipe.momentum, "SGD: part of the last change kept");
  add("--decay", recipe.decay, "Weight decay");
  add("--undecayed", recipe.undecayed,
      "Weights that do not decay, by pattern; default: those of one axis")
      ->type_name("PATTERN");
  add("--clip", recipe.clip,
      "Most of the gradients' global norm; 0: they are not clipped");
  add("--loss-scale", recipe.lossScale,
      "What the loss is multiplied by while it is differentiated; halved "
      "where gradients overflow, then doubled again");
  add("--mtp-loss", recipe.mtpLoss,
      "Weight of the loss of the token after the next one, by the model's "
      "layer that predicts it (DeepSeek-V3); 0: that layer is left out");
  add("--on-nan", recipe.onNan,
      "At a loss or gradient that is no finite number: stop, or skip the step");
}

void addMethod(CLI::App &app, Recipe &recipe) {
  const char *group = "Method";
  auto add = [&](const char *name, auto &value, const char *help) {
    return app.add_option(name, value, help)
        ->capture_default_str()
        ->group(group);
  };
  add("--method", recipe.method,
      "What a step learns: text, each token of the data set; grpo, dr-grpo or "
      "ppo, rewards of what the model generates; dpo, which of two completions "
      "is better; distill, what a teacher gives to each token")
      ->check(
          CLI::IsMember({"text", "grpo", "dr-grpo", "ppo", "dpo", "distill"}));
  add("--teacher", recipe.teacher,
      "The model to distil from, of the same vocabulary")
      ->type_name("PATH");
  add("--temperature", recipe.temperature,
      "Of what is generated, or of distributions that are distilled");
  add("--beta", recipe.beta, "DPO: how far the model may go");
  add("--group", recipe.group,
      "Completions of each prompt; --batch counts all");
  add("--completion", recipe.completion,
      "Most tokens of a completion; 0: what --length leaves");
  add("--rewards", recipe.rewards,
      "What completions are worth, added up: accuracy, format, arithmetic, "
      "diversity")
      ->type_name("NAME=WEIGHT");
  add("--updates", recipe.updates, "Times that what was generated is learned");
  add("--minibatches", recipe.minibatches,
      "Parts of a batch, each an update of the weights");
  add("--clip-low", recipe.clipLow,
      "How much less likely than it was a token is made by one batch");
  add("--clip-high", recipe.clipHigh, "How much more likely");
  add("--penalty", recipe.penalty,
      "Weight of the divergence from the model that the run began with");
  add("--gamma", recipe.gamma, "PPO: what a reward one token later is worth");
  add("--lambda", recipe.lambda,
      "PPO: of the estimates of advantages; 1: rewards, 0: values");
  add("--value-weight", recipe.valueWeight, "PPO: of the values' loss");
  add("--value-clip", recipe.valueClip,
      "PPO: how far a value goes in one batch");
  add("--compare-every", recipe.compareEvery,
      "Steps between comparisons of all log-probabilities of what was "
      "generated with those of training, in the log as mismatch_all; 0: none");
}

void addExperts(CLI::App &app, Recipe &recipe) {
  const char *group = "Experts";
  auto add = [&](const char *name, auto &value, const char *help) {
    return app.add_option(name, value, help)
        ->capture_default_str()
        ->group(group);
  };
  add("--balance-rate", recipe.balanceRate,
      "How much less an expert's bias prefers it after a step in which it was "
      "chosen more often than the mean; 0: biases stay");
  add("--balance-loss", recipe.balanceLoss,
      "Weight of the loss that makes a sequence use its experts alike");
  add("--z-loss", recipe.zLoss, "Weight of the loss of large router logits");
  add("--capacity", recipe.capacity,
      "Most tokens of an expert in a call, in fair shares; what is beyond is "
      "dropped. 0: nothing is");
  add("--final-capacity", recipe.finalCapacity,
      "The capacity of the last step, reached evenly; 0: it stays");
  add("--routing", recipe.routing,
      "Of what was generated, in a step that learns from rewards: computed "
      "again, or recorded, the experts that generating chose")
      ->check(CLI::IsMember({"computed", "recorded"}));
}

void addAdapter(CLI::App &app, Recipe &recipe) {
  const char *group = "Adapters";
  auto add = [&](const char *name, auto &value, const char *help) {
    return app.add_option(name, value, help)
        ->capture_default_str()
        ->group(group);
  };
  add("--adapter", recipe.adapter,
      "Train small weights beside the model's, which stay as they are, in any "
      "format: lora, rslora or bottleneck");
  add("--rank", recipe.rank, "Of the adapters' matrices");
  add("--alpha", recipe.alpha,
      "What is added is multiplied by ALPHA / RANK (rslora: by ALPHA / the "
      "root of RANK)");
  add("--targets", recipe.targets,
      "The linear parts to adapt, by their names in the model with * for "
      "anything: \"layers.*.attention.query\"")
      ->type_name("PATTERN");
}

void addReports(CLI::App &app, Recipe &recipe) {
  const char *group = "Reports and checkpoints";
  auto add = [&](const char *name, auto &value, const char *help) {
    return app.add_option(name, value, help)
        ->capture_default_str()
        ->group(group);
  };
  add("--evaluate-every", recipe.evaluateEvery,
      "Steps between evaluations on the data set's validation part; 0: none");
  add("--evaluate-sequences", recipe.evaluateSequences,
      "Sequences of an evaluation");
  add("--evaluate-matches", recipe.evaluateMatches,
      "Documents of the validation part whose completions are generated, the "
      "likeliest token each time, and compared at each evaluation");
  add("--sample-every", recipe.sampleEvery, "Steps between samples; 0: none");
  add("--sample-tokens", recipe.sampleTokens, "Tokens of a sample");
  add("--prompt", recipe.prompt, "What samples go on from");
  add("--checkpoint-every", recipe.checkpointEvery,
      "Steps between checkpoints; 0: one at the end");
  add("--keep", recipe.keep, "Checkpoints to keep");
}

std::string knownKeys(const CLI::App &app) {
  std::string known;
  for (const CLI::Option *option : app.get_options()) {
    std::string name = option->get_single_name();
    bool isKey =
        option->nonpositional() &&
        std::ranges::find(kNotOfRecipe, name) == std::end(kNotOfRecipe);
    if (isKey)
      known += (known.empty() ? "" : ", ") + name;
  }
  return known;
}

Status take(CLI::App &app, const CLI::ConfigItem &item,
            const std::string &path) {
  std::string key = item.fullname();
  std::ranges::replace(key, '_', '-');
  CLI::Option *option = app.get_option_no_throw("--" + key);
  bool isKey =
      option && std::ranges::find(kNotOfRecipe, key) == std::end(kNotOfRecipe);
  if (!isKey)
    return invalidArgument(path, ": expects keys of ", knownKeys(app),
                           ", got '", item.fullname(), "'");
  if (option->count() > 0)
    return Status(); // a flag wins
  try {
    option->add_result(item.inputs);
    option->run_callback();
  } catch (const CLI::Error &error) {
    return invalidArgument(path, ": ", error.what());
  }
  return Status();
}

} // namespace

void addRecipeOptions(CLI::App &app, Recipe &recipe) {
  addFiles(app, recipe);
  addSteps(app, recipe);
  addOptimizer(app, recipe);
  addMethod(app, recipe);
  addExperts(app, recipe);
  addAdapter(app, recipe);
  addReports(app, recipe);
}

Status readRecipe(CLI::App &app, const std::string &path) {
  std::vector<CLI::ConfigItem> items;
  try {
    items = CLI::ConfigTOML().from_file(path);
  } catch (const CLI::FileError &) {
    return notFound("expects a recipe in '", path, "', got no file");
  } catch (const CLI::Error &error) {
    return invalidArgument(path, ": expects TOML: ", error.what());
  }
  for (const CLI::ConfigItem &item : items)
    TENON_RETURN_IF_ERROR(take(app, item, path));
  return Status();
}

} // namespace tenon::tools
