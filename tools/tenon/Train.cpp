//===- Train.cpp - `tenon train`: a run of training -----------------------===//

#include "tools/tenon/Command.h"

#include "runtime/exec/AdapterSet.h"
#include "runtime/exec/TextModel.h"
#include "tools/tenon/Errors.h"
#include "tools/tenon/Interrupt.h"
#include "tools/tenon/Table.h"
#include "tools/tenon/TrainPlan.h"
#include "tools/tenon/TrainRecipe.h"
#include "training/Initial.h"
#include "training/Loop.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace tenon::tools {
namespace {

namespace fs = std::filesystem;
using training::Recipe;

struct TrainOptions {
  Recipe recipe;
  std::string file; // TOML; empty: flags alone
  bool resumes = false;
  bool skipCache = false;
  int64_t printEvery = 0;
};

/// Everything of a run, opened.
struct Run {
  std::shared_ptr<exec::TextModel> model;
  std::shared_ptr<exec::TextModel> reference; // as the run began
  std::shared_ptr<exec::TextModel> teacher;
  std::optional<training::TokenData> data, validation;
  std::optional<io::Tokenizer> tokenizer; // the data set's
  training::LoopParts parts;
  int64_t atOnce = 0;    // sequences of a call
  std::string recompute; // activations that are computed again
  double compileSeconds = 0;
};

Status checkPaths(const Recipe &recipe) {
  struct Needed {
    const char *name;
    const std::string &value;
  };
  for (const Needed &each :
       {Needed{"model", recipe.model}, Needed{"data", recipe.data},
        Needed{"output", recipe.output}})
    if (each.value.empty())
      return invalidArgument("expects --", each.name, ", or '", each.name,
                             "' in the recipe, got none");
  if (recipe.sampleEvery > 0 && recipe.prompt.empty())
    return invalidArgument("expects --prompt with --sample-every, got none");
  return Status();
}

/// What makes a checkpoint a model that `tenon run` reads.
std::vector<std::string> modelFiles(const Recipe &recipe) {
  std::error_code error;
  fs::path folder = fs::is_directory(recipe.model, error)
                        ? fs::path(recipe.model)
                        : fs::path(recipe.model).parent_path();
  bool isGguf = fs::path(recipe.model).extension() == ".gguf";
  if (isGguf || !fs::exists(folder / "config.json", error))
    return {}; // GGUF holds its configuration itself
  std::vector<std::string> files = {(folder / "config.json").string()};
  for (const char *name : {"tokenizer.json", "tokenizer_config.json"}) {
    fs::path own = folder / name, made = fs::path(recipe.data) / name;
    if (fs::exists(own, error))
      files.push_back(own.string());
    else if (fs::exists(made, error))
      files.push_back(made.string());
  }
  return files;
}

/// Whether the recipe's data set is of tokens; otherwise it is of lines, which
/// the learner reads.
bool learnsTokens(const Recipe &recipe) {
  return recipe.method == "text" || recipe.method == "distill";
}

Status openTokens(const Recipe &recipe, Run &run) {
  fs::path folder = recipe.data;
  auto open = [&](const char *name) {
    return training::TokenData::open((folder / name).string());
  };
  StatusOr<training::TokenData> data = open("train.safetensors");
  if (!data.ok())
    return withAdvice(data.status(), "--data is a folder that `tenon data` "
                                     "wrote");
  run.data.emplace(*std::move(data));
  std::error_code error;
  if (fs::exists(folder / "validation.safetensors", error)) {
    TENON_ASSIGN_OR_RETURN(training::TokenData held,
                           open("validation.safetensors"));
    run.validation.emplace(std::move(held));
  }
  if (recipe.evaluateEvery > 0 && !run.validation)
    return notFound("expects '", (folder / "validation.safetensors").string(),
                    "' to evaluate on, got none; leave out --evaluate-every");
  return Status();
}

Status openData(const Recipe &recipe, Run &run) {
  if (learnsTokens(recipe))
    TENON_RETURN_IF_ERROR(openTokens(recipe, run));
  fs::path folder = recipe.data;
  std::error_code error;
  if (fs::exists(folder / "tokenizer.json", error)) {
    TENON_ASSIGN_OR_RETURN(io::Tokenizer tokenizer,
                           io::Tokenizer::loadFolder(folder.string()));
    run.tokenizer.emplace(std::move(tokenizer));
  }
  return Status();
}

/// How a session of a program to train is opened, with its first weights.
StatusOr<std::shared_ptr<exec::TextModel>>
openSession(const Recipe &recipe, const ReadyProgram &ready, int64_t atOnce,
            bool drawsWeights) {
  const base::Program &program = ready.program->program();
  exec::ModelOptions opening;
  TENON_ASSIGN_OR_RETURN(opening.device,
                         hal::openDevice("cpu", {recipe.threads, {}}));
  opening.weightsPath = ready.weights;
  opening.weights = ready.opened;
  opening.withoutWeights = !ready.opened;
  exec::SessionOptions limits;
  exec::addTrainingLimits(program, limits, atOnce * recipe.length,
                          atOnce * recipe.sequencesEach());
  opening.limits = limits.limits;
  opening.decoder = decoderLimits(recipe, program);
  TENON_ASSIGN_OR_RETURN(
      std::unique_ptr<exec::TextModel> model,
      exec::TextModel::open(ready.program, ready.path, opening));
  bool isDrawn = opening.withoutWeights || !recipe.adapter.empty();
  if (isDrawn && drawsWeights)
    TENON_RETURN_IF_ERROR(training::drawWeights(model->session(), recipe.seed));
  return std::shared_ptr<exec::TextModel>(std::move(model));
}

/// The model that a recipe distils from, as a program that scores.
Status openTeacher(const TrainOptions &options, Run &run, Progress &progress) {
  Recipe taught = options.recipe;
  taught.model = taught.teacher;
  taught.compareEvery = 1; // all of its vocabulary
  taught.adapter.clear();
  TENON_ASSIGN_OR_RETURN(TrainPlan plan,
                         choosePlan(taught, options.skipCache, progress));
  if (!plan.ready.opened)
    return invalidArgument("--teacher expects a model with weights, got '",
                           taught.teacher, "'");
  TENON_ASSIGN_OR_RETURN(run.teacher,
                         openSession(taught, plan.ready, plan.atOnce,
                                     /*drawsWeights=*/false));
  run.parts.teacher = &run.teacher->session();
  return Status();
}

Status openModel(const TrainOptions &options, Run &run, Progress &progress) {
  const Recipe &recipe = options.recipe;
  TENON_ASSIGN_OR_RETURN(TrainPlan plan,
                         choosePlan(recipe, options.skipCache, progress));
  run.atOnce = plan.atOnce;
  run.recompute = plan.recompute;
  run.compileSeconds = plan.ready.compileSeconds;
  progress.update("preparing weights");
  TENON_ASSIGN_OR_RETURN(
      run.model, openSession(recipe, plan.ready, run.atOnce, !options.resumes));
  if (recipe.needsReference()) {
    TENON_ASSIGN_OR_RETURN(run.reference,
                           openSession(recipe, plan.ready, run.atOnce,
                                       /*drawsWeights=*/true));
    run.parts.reference = &run.reference->session();
  }
  if (!recipe.teacher.empty())
    TENON_RETURN_IF_ERROR(openTeacher(options, run, progress));
  progress.clear();
  return Status();
}

void printPlan(const Recipe &recipe, const Run &run) {
  if (run.compileSeconds > 0)
    std::printf("compiled in %.2f s\n", run.compileSeconds);
  const exec::Session &session = run.model->session();
  int64_t weights = 0, others = 0, count = 0;
  for (const base::State &state : session.program().program().states) {
    (state.source.empty() ? others : weights) += tensorBytes(state);
    if (!state.source.empty())
      count += tensorBytes(state) / 4;
  }
  exec::SessionStats stats = session.stats();
  std::string data = run.data
                         ? concat(run.data->tokens().size(), " tokens to learn")
                         : recipe.method;
  std::printf(
      "%.2fM weights, %s; a step is %lld sequences of %lld "
      "tokens, %lld at once%s\n",
      static_cast<double>(count) * 1e-6, data.c_str(),
      static_cast<long long>(recipe.batch),
      static_cast<long long>(recipe.length), static_cast<long long>(run.atOnce),
      run.recompute == "none"
          ? ""
          : concat(", activations computed again: ", run.recompute).c_str());
  int64_t caches = stats.stateBytes - weights - others;
  int64_t all = stats.stateBytes + stats.preparedBytes + stats.arenaBytes +
                stats.scratchBytes;
  std::printf("memory: %s of weights, %s of the optimiser's variables, "
              "%s of packed weights, %s of activations, %s of caches and "
              "scratch; %s in all\n",
              formatBytes(weights).c_str(), formatBytes(others).c_str(),
              formatBytes(stats.preparedBytes).c_str(),
              formatBytes(stats.arenaBytes).c_str(),
              formatBytes(caches + stats.scratchBytes).c_str(),
              formatBytes(all).c_str());
}

/// Names what the targets match and adapters leave as it is.
Status printUnadapted(const Run &run) {
  TENON_ASSIGN_OR_RETURN(
      exec::AdapterSet adapters,
      exec::AdapterSet::create(run.model->session().program().program()));
  std::string names;
  for (const std::string &name : adapters.unadapted())
    names += (names.empty() ? "" : ", ") + name;
  if (!names.empty())
    printNotice(concat("--targets matches ", names,
                       ", too, which can have no adapters and stay as they "
                       "are"));
  return Status();
}

/// Bytes of this process that lie in memory.
int64_t memoryInUse() {
  std::ifstream file("/proc/self/statm");
  int64_t all = 0, resident = 0;
  file >> all >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

std::string durationOf(double seconds) {
  auto whole = static_cast<int64_t>(seconds);
  char text[48];
  if (whole >= 3600)
    std::snprintf(text, sizeof(text), "%lldh%02lldm",
                  static_cast<long long>(whole / 3600),
                  static_cast<long long>(whole / 60 % 60));
  else
    std::snprintf(text, sizeof(text), "%lldm%02llds",
                  static_cast<long long>(whole / 60),
                  static_cast<long long>(whole % 60));
  return text;
}

/// Shows a run's events.
class Reporter {
public:
  Reporter(const TrainOptions &given, Progress &shown)
      : options(given), progress(shown) {}

  training::LoopEvents events() {
    training::LoopEvents events;
    events.onStep = [this](const training::StepReport &report) {
      onStep(report);
    };
    events.onEvaluation = [this](const training::Evaluation &made) {
      std::string matches =
          made.generated ? concat(", ", made.matches, " of ", made.generated,
                                  " completions ",
                                  options.recipe.isPolicy() ? "right" : "exact")
                         : "";
      std::string loss =
          std::isnan(made.loss)
              ? "held out"
              : concat("validation loss ", formatNumber(made.loss, 4),
                       ", perplexity ", formatNumber(std::exp(made.loss), 2));
      print(concat("step ", made.step, ": ", loss, matches,
                   figuresOf(made.figures)));
    };
    events.onSample = [this](int64_t step, const std::string &text) {
      print(concat("step ", step, ": ", printable(text, 2000)));
    };
    events.onCheckpoint = [this](const std::string &path) { print(path); };
    events.onNotice = [this](const std::string &text) {
      progress.clear();
      printNotice(text);
    };
    events.shouldStop = [] { return DeferInterrupt::isPending(); };
    return events;
  }

private:
  /// ", name value" of each.
  static std::string figuresOf(const training::Figures &figures) {
    std::string text;
    for (const auto &[name, value] : figures)
      text += concat(", ", name, " ", formatNumber(value, 3));
    return text;
  }
  void print(const std::string &line) {
    progress.clear();
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
  }
  void onStep(const training::StepReport &report) {
    // A mean over some of the last steps, so that the end stays put.
    secondsEach = secondsEach == 0 ? report.seconds
                                   : 0.95 * secondsEach + 0.05 * report.seconds;
    int64_t steps = options.recipe.steps;
    bool isRewarded = options.recipe.isPolicy() && !report.figures.empty();
    std::string text = concat(
        isRewarded
            ? concat("reward ", formatNumber(report.figures[0].second, 3))
            : concat("loss ", formatNumber(report.made.loss, 4)),
        "  ",
        formatNumber(static_cast<double>(report.made.inputs) / secondsEach, 0),
        " tokens/s  ", formatBytes(memoryInUse()), "  ",
        durationOf(secondsEach * static_cast<double>(steps - report.step)),
        " left");
    progress.update(text, report.step, steps);
    bool isDue =
        options.printEvery > 0 && report.step % options.printEvery == 0;
    if (isDue)
      print(concat("step ", report.step, ": loss ",
                   formatNumber(report.made.loss, 4), ", norm ",
                   formatNumber(report.made.norm, 3), ", rate ", report.rate,
                   ", ", formatNumber(report.tokensPerSecond(), 0), " tokens/s",
                   figuresOf(report.figures)));
  }

  const TrainOptions &options;
  Progress &progress;
  double secondsEach = 0;
};

Status train(TrainOptions &options) {
  Recipe &recipe = options.recipe;
  TENON_RETURN_IF_ERROR(checkPaths(recipe));
  TENON_RETURN_IF_ERROR(recipe.complete());
  Progress progress;
  Run run;
  TENON_RETURN_IF_ERROR(openData(recipe, run));
  TENON_RETURN_IF_ERROR(openModel(options, run, progress));
  run.parts.session = &run.model->session();
  run.parts.data = run.data ? &*run.data : nullptr;
  run.parts.validation = run.validation ? &*run.validation : nullptr;
  StatusOr<const io::Tokenizer *> own = run.model->tokenizer();
  if (run.tokenizer)
    run.parts.tokenizer = &*run.tokenizer;
  else if (own.ok())
    run.parts.tokenizer = *own;
  run.parts.modelFiles = modelFiles(recipe);
  TENON_ASSIGN_OR_RETURN(
      std::unique_ptr<training::Loop> loop,
      training::Loop::create(recipe, run.parts, options.resumes));
  printPlan(recipe, run);
  if (!recipe.adapter.empty())
    TENON_RETURN_IF_ERROR(printUnadapted(run));
  if (loop->step() > 0)
    std::printf("going on after step %lld\n",
                static_cast<long long>(loop->step()));
  std::fflush(stdout);
  Reporter reporter(options, progress);
  DeferInterrupt guard; // a step and a checkpoint are finished first
  Status status = loop->run(reporter.events());
  progress.clear();
  return status;
}

} // namespace

void addTrainCommand(CLI::App &app, Action &action) {
  CLI::App *command = app.add_subcommand(
      "train", "Train a model, from scratch or from weights");
  auto options = std::make_shared<TrainOptions>();
  command->add_option("RECIPE", options->file,
                      "A TOML file of the options below, without their "
                      "dashes; flags win over it");
  addRecipeOptions(*command, options->recipe);
  command->add_flag("--resume", options->resumes,
                    "Go on from the output's newest checkpoint");
  command
      ->add_option("--print-every", options->printEvery,
                   "Print a line each so many steps; 0: evaluations, samples "
                   "and checkpoints alone")
      ->capture_default_str();
  command->add_flag("--no-cache", options->skipCache,
                    "Compile anew and keep nothing");
  command->footer(
      "A recipe:\n"
      "  model = \"config.json\"\n"
      "  data = \"bible\"          # tenon data bible.txt -o bible "
      "--tokenizer bytes\n"
      "  output = \"runs/bible\"\n"
      "  steps = 2000\n"
      "  evaluate-every = 200\n"
      "Examples:\n"
      "  tenon train recipe.toml\n"
      "  tenon train recipe.toml --rate 1e-3 --output runs/faster\n"
      "  tenon train recipe.toml --resume --steps 4000\n"
      "  tenon train grpo.toml --model run/step-00002000 --method grpo\n"
      "Every step follows from the recipe and its number: a run that was "
      "killed and goes\non has the losses of one that was not, bit for bit. "
      "Ctrl-C writes a checkpoint first.");
  command->callback([options, command, &action] {
    action = [options, command]() -> Status {
      if (!options->file.empty())
        TENON_RETURN_IF_ERROR(readRecipe(*command, options->file));
      return train(*options);
    };
  });
}

} // namespace tenon::tools
