//===- Tune.cpp - `tenon tune`: schedules found by timing -----------------===//

#include "tools/tenon/Command.h"

#include "runtime/hal/cpu/CpuFeatures.h"
#include "tools/tenon/Errors.h"
#include "tools/tenon/Interrupt.h"
#include "tools/tenon/ModelPath.h"
#include "tools/tenon/Programs.h"
#include "tools/tenon/Table.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <filesystem>

namespace tenon::tools {
namespace {

namespace fs = std::filesystem;

struct TuneOptions {
  std::string model;
  std::string output;
  TuneRequest request;
  bool isForced = false;
};

Status checkOutput(const TuneOptions &options) {
  std::error_code error;
  if (fs::exists(options.output, error) && !options.isForced)
    return invalidArgument("expects no file '", options.output,
                           "' yet; say --force to replace it");
  fs::path folder = fs::absolute(options.output, error).parent_path();
  if (fs::is_directory(folder, error))
    return Status();
  return notFound("expects the folder '", folder.string(),
                  "' for the output, got none; make it first");
}

/// The feature set of the best code that this machine runs.
Status chooseFeatures(std::string &cpu) {
  TENON_ASSIGN_OR_RETURN(base::CpuFeatures machine, hal::detectCpuFeatures());
  if (cpu.empty())
    cpu = base::cpuFeaturesName(machine);
  TENON_ASSIGN_OR_RETURN(base::CpuFeatures wanted, base::parseCpuFeatures(cpu));
  if (wanted > machine)
    return invalidArgument("expects --cpu to be at most ",
                           base::cpuFeaturesName(machine),
                           ", what this machine runs, got ", cpu);
  return Status();
}

void printTable(const std::vector<TunedKernel> &kernels) {
  Table table({{"kernel"},
               {"for"},
               {"analytic us", Align::Right},
               {"best us", Align::Right},
               {"ratio", Align::Right},
               {"tried", Align::Right}});
  auto cell = [](const TunedKernel &kernel, double value, int decimals) {
    return kernel.analyticUs > 0 ? formatNumber(value, decimals) : "failed";
  };
  for (const TunedKernel &kernel : kernels)
    table.add({kernel.label, kernel.symbols, cell(kernel, kernel.analyticUs, 1),
               cell(kernel, kernel.bestUs, 1),
               cell(kernel, kernel.bestUs / kernel.analyticUs, 2),
               std::to_string(kernel.tried)});
  std::fputs(table.print().c_str(), stdout);
  bool isTitled = false;
  for (const TunedKernel &kernel : kernels) {
    if (!kernel.isKept)
      continue;
    std::fputs(isTitled ? "" : "\nbetter schedules\n", stdout);
    isTitled = true;
    std::fputs(concat("  ", kernel.label, " ", kernel.symbols, "\n    ",
                      kernel.analytic, "\n    ", kernel.best, "\n")
                   .c_str(),
               stdout);
  }
}

Status tuneModel(TuneOptions &options) {
  TENON_ASSIGN_OR_RETURN(ModelKind kind, classifyModel(options.model));
  if (kind == ModelKind::Program)
    return invalidArgument("expects weights to tune, got '", options.model,
                           "', which is compiled already");
  if (options.output.empty())
    options.output =
        fs::path(options.model).lexically_normal().stem().string() + ".tuning";
  TENON_RETURN_IF_ERROR(checkOutput(options));
  TENON_RETURN_IF_ERROR(chooseFeatures(options.request.compile.cpu));
  TENON_ASSIGN_OR_RETURN(base::TargetDescription machine,
                         describeMachine("host"));
  options.request.compile.machine = base::print(machine);
  TENON_RETURN_IF_ERROR(openWeightsFile(options.model).status());
  TENON_ASSIGN_OR_RETURN(CompilerLibrary compiler, CompilerLibrary::find());

  std::vector<TunedKernel> kernels;
  options.request.tuned = [&](const TunedKernel &kernel) {
    kernels.push_back(kernel);
  };
  Progress progress;
  DeferInterrupt guard; // Ctrl-C ends the search, and then the process.
  TENON_RETURN_IF_ERROR(
      compiler.tune(options.model, options.output, options.request, progress));
  printTable(kernels);
  std::fflush(stdout);
  auto kept = std::ranges::count_if(kernels, &TunedKernel::isKept);
  size_t unmet = kernels.empty() ? 0 : kernels[0].kernels - kernels.size();
  printNotice(
      concat("wrote '", options.output, "': better schedules for ", kept,
             " of ", kernels.size(), " kernels",
             unmet ? concat("; ", unmet, " others were not reached") : ""));
  return Status();
}

/// Declares what programs are compiled for.
void addCompileOptions(CLI::App &command, CompileRequest &request) {
  command
      .add_option("--cpu", request.cpu,
                  "Feature set to tune; default: the best that the machine "
                  "runs")
      ->check(CLI::IsMember({"v3", "v4", "v4-vnni"}));
  command
      .add_option("--cache-type", request.cacheType,
                  "Element type of the attention caches, as of `tenon "
                  "compile`; default: the model's")
      ->check(CLI::IsMember({"f32", "f16", "bf16", "q8_0"}));
  command
      .add_option("--latent-attention", request.latents,
                  "Form of latent attention, as of `tenon compile`")
      ->check(CLI::IsMember({"absorbed", "materialised"}));
  command
      .add_option("--activations", request.activations,
                  "Activations of products, as of `tenon compile`")
      ->capture_default_str()
      ->check(CLI::IsMember({"f32", "bf16", "q8"}));
  command
      .add_option("--threads", request.threads,
                  "Threads that run the kernels; 0: one for each CPU")
      ->capture_default_str()
      ->check(CLI::Range(0, 4096));
}

} // namespace

void addTuneCommand(CLI::App &app, Action &action) {
  CLI::App *command = app.add_subcommand(
      "tune", "Search for faster cuts of a model's kernels on this machine");
  auto options = std::make_shared<TuneOptions>();
  options->request.compile.cpu.clear();
  command
      ->add_option("MODEL", options->model,
                   "A .gguf file, a .safetensors file or its folder")
      ->required();
  command
      ->add_option("-o,--output", options->output,
                   "The file to write; default: MODEL's name with .tuning")
      ->type_name("FILE");
  command
      ->add_option("--budget", options->request.budgetSeconds,
                   "Seconds after which no new schedule is tried")
      ->type_name("SECONDS")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command
      ->add_option("--tokens", options->request.tokens,
                   "Tokens of a prompt that are computed at once")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 20));
  command
      ->add_option("--context", options->request.context,
                   "Tokens of the sequence that attention looks back on")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 24));
  addCompileOptions(*command, options->request.compile);
  command->add_flag("--force", options->isForced,
                    "Replace the output if it is there");
  command->footer(
      "Examples:\n"
      "  tenon tune gemma.gguf\n"
      "  tenon run gemma.gguf --tuning gemma.tuning -p \"The sky is\"\n"
      "  tenon tune gemma.gguf -o short.tuning --budget 20 --tokens 128\n"
      "A schedule is kept if it is faster beyond noise; results stay the same "
      "bits.\nCtrl-C ends the search and keeps what it found. Tune on an idle "
      "machine.");
  command->callback([options, &action] {
    action = [options] { return tuneModel(*options); };
  });
}

} // namespace tenon::tools
