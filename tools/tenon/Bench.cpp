//===- Bench.cpp - `tenon bench`: how fast a model runs -------------------===//

#include "tools/tenon/Command.h"

#include "runtime/exec/RandomParameters.h"
#include "runtime/exec/TextModel.h"
#include "runtime/io/Json.h"
#include "tools/tenon/Interrupt.h"
#include "tools/tenon/ProgramOptions.h"
#include "tools/tenon/Table.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <random>

namespace tenon::tools {
namespace {

struct BenchOptions {
  ProgramRequest program;
  std::vector<int64_t> promptTokens = {512};
  std::vector<int64_t> decodeTokens = {128};
  int64_t repetitions = 5;
  int64_t chunkTokens = 512;
  bool isJson = false;
};

/// Tokens per second of each repetition.
struct Measured {
  std::string test; // "prompt 512"
  std::vector<double> rates;

  double median() const {
    std::vector<double> sorted = rates;
    std::ranges::sort(sorted);
    size_t middle = sorted.size() / 2;
    return sorted.size() % 2 ? sorted[middle]
                             : (sorted[middle - 1] + sorted[middle]) / 2;
  }
};

/// Random tokens: what they are does not change how long they take.
std::vector<int32_t> randomPrompt(int64_t tokens, int64_t vocabulary,
                                  std::mt19937 &random) {
  std::vector<int32_t> prompt;
  for (int64_t i = 0; i < tokens; ++i)
    prompt.push_back(static_cast<int32_t>(random() % vocabulary));
  return prompt;
}

class Bench {
public:
  Bench(exec::Generator &driver, const BenchOptions &given)
      : generator(driver), options(given) {}

  /// Computes prompts from an empty cache, one token drawn after each.
  StatusOr<Measured> prompt(int64_t tokens) {
    return repeat(concat("prompt ", tokens), tokens, 1,
                  [](const exec::GenerateStats &stats) {
                    return stats.promptTokensPerSecond();
                  });
  }

  /// Generates after a prompt of one token.
  StatusOr<Measured> decode(int64_t tokens) {
    return repeat(concat("decode ", tokens), 1, tokens + 1,
                  [](const exec::GenerateStats &stats) {
                    return stats.decodeTokensPerSecond();
                  });
  }

private:
  template <typename Rate>
  StatusOr<Measured> repeat(std::string test, int64_t promptTokens,
                            int64_t maxTokens, Rate rate) {
    Measured measured{std::move(test), {}};
    for (int64_t run = 0; run <= options.repetitions; ++run) {
      std::vector<int32_t> prompt =
          randomPrompt(promptTokens, generator.vocabulary(), random);
      // Another first token than before: nothing of the cache is used again.
      prompt[0] = static_cast<int32_t>(++runs % generator.vocabulary());
      exec::GenerateRequest request;
      request.prompt = prompt;
      request.maxTokens = maxTokens;
      TENON_ASSIGN_OR_RETURN(
          exec::GenerateStats stats,
          generator.generate({&request, 1},
                             [](size_t, int32_t) { return false; }));
      if (run > 0) // the first warms up
        measured.rates.push_back(rate(stats));
    }
    return measured;
  }

  exec::Generator &generator;
  const BenchOptions &options;
  std::mt19937 random{7};
  int64_t runs = 0;
};

void printTable(const std::vector<Measured> &results) {
  Table table({{"test"},
               {"tokens/s", Align::Right},
               {"least", Align::Right},
               {"most", Align::Right}});
  for (const Measured &measured : results) {
    auto [least, most] = std::ranges::minmax(measured.rates);
    table.add({measured.test, formatNumber(measured.median(), 1),
               formatNumber(least, 1), formatNumber(most, 1)});
  }
  std::fputs(table.print().c_str(), stdout);
}

void printJson(const BenchOptions &options, const ReadyProgram &ready,
               const exec::SessionStats &memory,
               const std::vector<Measured> &results) {
  io::Json tests = io::Json::array();
  for (const Measured &measured : results)
    tests.push_back({{"test", measured.test},
                     {"tokens_per_second", measured.median()},
                     {"runs", measured.rates}});
  std::optional<base::CpuFeatures> features = ready.program->features();
  io::Json json = {{"model", options.program.model},
                   {"threads", options.program.threads},
                   {"cpu", features ? base::cpuFeaturesName(*features) : ""},
                   {"compile_seconds", ready.compileSeconds},
                   {"load_seconds", ready.loadSeconds},
                   {"prepared_bytes", memory.preparedBytes},
                   {"state_bytes", memory.stateBytes},
                   {"arena_bytes", memory.arenaBytes},
                   {"tests", tests}};
  if (options.program.randomWeights)
    json["random_weights"] = *options.program.randomWeights;
  std::string text =
      json.dump(2, ' ', false, io::Json::error_handler_t::replace);
  std::fputs((text + "\n").c_str(), stdout);
}

StatusOr<exec::ParameterLookup> drawWeights(const BenchOptions &options,
                                            const ReadyProgram &ready,
                                            hal::Device &device) {
  if (!ready.program->section(base::SectionKind::Weights).empty())
    return invalidArgument("expects --random-weights with a model that embeds "
                           "none, got '",
                           options.program.model, "'");
  return exec::randomParameters(ready.program, device,
                                *options.program.randomWeights);
}

Status bench(const BenchOptions &options) {
  Progress progress;
  TENON_ASSIGN_OR_RETURN(ReadyProgram ready,
                         prepareProgram(options.program, progress));
  exec::ModelOptions limits;
  TENON_ASSIGN_OR_RETURN(
      limits.device,
      hal::openDevice("cpu", {options.program.threads, options.program.cpus}));
  limits.weightsPath = ready.weights;
  limits.adapter = options.program.adapter;
  limits.weights = ready.opened;
  if (options.program.randomWeights) {
    TENON_ASSIGN_OR_RETURN(limits.parameters,
                           drawWeights(options, ready, *limits.device));
  }
  limits.decoder.chunkTokens = options.chunkTokens;
  int64_t context = 0;
  for (int64_t tokens : options.promptTokens)
    context = std::max(context, tokens + 1);
  for (int64_t tokens : options.decodeTokens)
    context = std::max(context, tokens + 2);
  limits.decoder.contextTokens = context;
  progress.update("preparing weights");
  limits.preparing = [&](int64_t done, int64_t total) {
    progress.update("packing", done, total);
  };
  auto model = exec::TextModel::open(ready.program, ready.path, limits);
  progress.clear();
  if (!model.ok())
    return model.status();
  TENON_ASSIGN_OR_RETURN(exec::Generator * generator, (*model)->generator());
  CancelOnInterrupt guard((*model)->session());
  Bench runner(*generator, options);
  std::vector<Measured> results;
  auto add = [&](StatusOr<Measured> measured) {
    if (measured.ok())
      results.push_back(*std::move(measured));
    return measured.status();
  };
  for (int64_t tokens : options.promptTokens) {
    progress.update(concat("prompt ", tokens));
    TENON_RETURN_IF_ERROR(add(runner.prompt(tokens)));
  }
  for (int64_t tokens : options.decodeTokens) {
    progress.update(concat("decode ", tokens));
    TENON_RETURN_IF_ERROR(add(runner.decode(tokens)));
  }
  progress.clear();
  if (options.isJson)
    printJson(options, ready, (*model)->session().stats(), results);
  else
    printTable(results);
  return Status();
}

/// Those that a model's matrices can have.
std::vector<std::string> weightsTypes() {
  std::vector<std::string> names = {"f32", "f16", "bf16", "int4_g32"};
  for (base::ElementType type : base::allElementTypes())
    if (base::isBlockedWeight(type))
      names.emplace_back(base::info(type).name);
  return names;
}

} // namespace

void addBenchCommand(CLI::App &app, Action &action) {
  CLI::App *command = app.add_subcommand(
      "bench", "Measure how fast a model computes prompts and generates");
  auto options = std::make_shared<BenchOptions>();
  addProgramOptions(*command, options->program);
  command
      ->add_option("-p,--prompt-tokens", options->promptTokens,
                   "Lengths of prompts, each computed from an empty cache")
      ->delimiter(',')
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command
      ->add_option("-n,--decode-tokens", options->decodeTokens,
                   "Numbers of tokens, each generated after a prompt of one")
      ->delimiter(',')
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command
      ->add_option("-r,--repetitions", options->repetitions,
                   "Runs of each test, after one that warms up")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command
      ->add_option("--chunk", options->chunkTokens,
                   "Tokens of a prompt computed at once")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command
      ->add_option("--random-weights", options->program.randomWeights,
                   "Draw the weights from this seed rather than read them: "
                   "MODEL may be a config.json, or its folder")
      ->type_name("SEED");
  command
      ->add_option("--weights-type", options->program.weightsType,
                   "Element type of a config.json's matrices; default: bf16. "
                   "Rows that are no whole blocks of it take q8_0 or f16")
      ->check(CLI::IsMember(weightsTypes()));
  command->add_flag("--json", options->isJson,
                    "Print JSON, with every run, rather than a table");
  command->footer(
      "Examples:\n"
      "  tenon bench gemma.gguf\n"
      "  tenon bench gemma.gguf -p 128,512 -n 32,128 --threads 1 --json\n"
      "  tenon bench config.json --random-weights 1 --weights-type q4_k\n"
      "Rates are medians. Prompts are random tokens; decoding includes drawing "
      "the\nlikeliest token. Other programs on the machine make both slower.");
  command->callback(
      [options, &action] { action = [options] { return bench(*options); }; });
}

} // namespace tenon::tools
