//===- Compile.cpp - `tenon compile`: a model to a .tenon file ------------===//

#include "tools/tenon/Command.h"

#include "runtime/exec/EmbeddedParameters.h"
#include "runtime/exec/ModelFiles.h"
#include "runtime/exec/Session.h"
#include "tools/tenon/Errors.h"
#include "tools/tenon/Explain.h"
#include "tools/tenon/Interrupt.h"
#include "tools/tenon/ModelPath.h"
#include "tools/tenon/Programs.h"
#include "tools/tenon/Table.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <filesystem>
#include <unistd.h>

namespace tenon::tools {
namespace {

namespace fs = std::filesystem;

struct CompileOptions {
  std::string model;
  std::string output;
  CompileRequest request;
  std::string adapter; // a folder; empty: none
  // The same command gives the same file on every machine.
  ScheduleOptions schedules = {"generic", ""};
  bool isEmbedding = false;
  bool isReporting = false;
  bool isExplaining = false;
  bool isExplainingMoe = false;
  bool isForced = false;
};

Status checkOutput(const CompileOptions &options) {
  fs::path output = options.output;
  std::error_code error;
  fs::path folder = output.has_parent_path() ? output.parent_path() : ".";
  if (!fs::is_directory(folder, error))
    return notFound("expects the folder '", folder.string(),
                    "' for the output, got none; make it first");
  if (fs::is_directory(output, error))
    return invalidArgument("expects the output '", options.output,
                           "' to be a file, got a folder");
  if (fs::exists(output, error) && !options.isForced)
    return invalidArgument("expects no file '", options.output,
                           "' yet; say --force to replace it");
  return Status();
}

/// Computes what the program prepares from its weights.
StatusOr<std::unique_ptr<exec::Session>>
prepareWeights(std::shared_ptr<const exec::LoadedProgram> program,
               const exec::ParameterLookup &lookup,
               const CompileOptions &options, Progress &progress) {
  TENON_ASSIGN_OR_RETURN(auto device,
                         hal::openDevice("cpu", {options.request.threads, {}}));
  // Only `prepare` is called: the least a session can hold is enough.
  exec::SessionOptions least;
  for (const base::Entry &entry : program->program().entries)
    for (const base::Symbol &symbol : entry.symbols)
      if (symbol.name != "pages" && symbol.name != "pageBlocks")
        least.limits.push_back({symbol.name, symbol.min});
  least.preparing = [&](int64_t done, int64_t total) {
    progress.update("packing", done, total);
  };
  return exec::Session::open(std::move(program), std::move(device), least,
                             lookup);
}

/// Copies the program at `from` to the output, with its prepared weights.
Status embed(const std::string &from, const CompileOptions &options,
             Progress &progress) {
  progress.update("preparing weights");
  TENON_ASSIGN_OR_RETURN(auto program, openProgram(from));
  TENON_ASSIGN_OR_RETURN(
      std::shared_ptr<const io::WeightsFile> weights,
      exec::openWeights(*program, options.output, options.model));
  exec::ParameterLookup lookup = exec::lookupIn(std::move(weights));
  TENON_ASSIGN_OR_RETURN(std::unique_ptr<exec::Session> session,
                         prepareWeights(program, lookup, options, progress));
  TENON_ASSIGN_OR_RETURN(std::string parameters,
                         exec::storeParameters(program->program(), lookup));
  TENON_ASSIGN_OR_RETURN(io::MappedFile file, io::MappedFile::open(from));
  TENON_ASSIGN_OR_RETURN(
      std::vector<base::Section> sections,
      base::readContainer(file.bytes().data(), file.bytes().size()));
  std::erase_if(sections, [](const base::Section &section) {
    return section.kind == base::SectionKind::Reference;
  });
  std::span<const std::byte> prepared = session->preparedBytes();
  sections.push_back(
      {base::SectionKind::Weights, 0, prepared.data(), prepared.size()});
  if (!parameters.empty())
    sections.push_back({base::SectionKind::Parameters, 0, parameters.data(),
                        parameters.size()});
  progress.update("writing");
  DeferInterrupt guard;
  return base::writeContainer(options.output, sections);
}

Status compileAndEmbed(const CompilerLibrary &compiler,
                       const CompileOptions &options, Progress &progress) {
  PartialFile file(concat(options.output, ".", getpid(), ".partial"));
  TENON_RETURN_IF_ERROR(
      compiler.compile(options.model, file.path(), options.request, progress));
  return embed(file.path(), options, progress);
}

StatusOr<base::Program> readProgram(const std::string &path) {
  TENON_ASSIGN_OR_RETURN(io::MappedFile file, io::MappedFile::open(path));
  TENON_ASSIGN_OR_RETURN(
      std::vector<base::Section> sections,
      base::readContainer(file.bytes().data(), file.bytes().size()));
  for (const base::Section &section : sections)
    if (section.kind == base::SectionKind::Program)
      return base::parse(section.data, section.size);
  return internalError("expects a program in '", path, "', got none");
}

Status compileModel(CompileOptions &options) {
  TENON_ASSIGN_OR_RETURN(ModelKind kind, classifyModel(options.model));
  if (kind == ModelKind::Program)
    return invalidArgument("expects weights to compile, got '", options.model,
                           "', which is compiled already");
  TENON_RETURN_IF_ERROR(checkOutput(options));
  if (!options.request.dumpFolder.empty()) {
    std::error_code error;
    fs::create_directories(options.request.dumpFolder, error);
    if (error)
      return unavailable("expects to make the folder '",
                         options.request.dumpFolder,
                         "', got: ", error.message());
  }
  TENON_ASSIGN_OR_RETURN(base::TargetDescription machine,
                         describeMachine(options.schedules.machine));
  options.request.machine = base::print(machine);
  options.request.adapters = adaptersLike(options.adapter);
  options.request.tuning = options.schedules.tuning;
  TENON_RETURN_IF_ERROR(openWeightsFile(options.model).status());
  TENON_ASSIGN_OR_RETURN(CompilerLibrary compiler, CompilerLibrary::find());
  Progress progress;
  Stopwatch watch;
  TENON_RETURN_IF_ERROR(options.isEmbedding
                            ? compileAndEmbed(compiler, options, progress)
                            : compiler.compile(options.model, options.output,
                                               options.request, progress));
  progress.clear();
  std::error_code error;
  auto size = static_cast<int64_t>(fs::file_size(options.output, error));
  printNotice(concat("wrote '", options.output, "', ", formatBytes(size),
                     ", in ", formatNumber(watch.seconds(), 2), " s"));
  if (!options.isReporting && !options.isExplaining && !options.isExplainingMoe)
    return Status();
  TENON_ASSIGN_OR_RETURN(base::Program program, readProgram(options.output));
  if (options.isReporting)
    std::fputs(reportOf(program).c_str(), stdout);
  if (options.isExplaining)
    std::fputs(explainFusion(program, {}).c_str(), stdout);
  if (options.isExplainingMoe)
    std::fputs(explainMoe(program).c_str(), stdout);
  return Status();
}

/// What the program is made for.
void addProgramForm(CLI::App &app, CompileRequest &request,
                    std::string &adapter) {
  app.add_option("--cpu", request.cpu,
                 "Feature set to make code for: v3 (AVX2), v4 (AVX-512), "
                 "v4-vnni (with VNNI and BF16), all")
      ->capture_default_str()
      ->check(CLI::IsMember({"all", "v3", "v4", "v4-vnni"}));
  app.add_option("--adapter", adapter,
                 "Make a program that computes with adapters of the form "
                 "of this one, a folder that PEFT or `tenon train` wrote; "
                 "`tenon run --adapter` gives it one")
      ->type_name("FOLDER");
  app.add_option("--draft", request.draft,
                 "Make a program that can draft tokens, for `tenon run "
                 "--draft`: mtp, by the model's layer that predicts a further "
                 "token")
      ->check(CLI::IsMember({"mtp"}));
  app.add_option("--cache-type", request.cacheType,
                 "Element type of the attention caches; all but f32 change "
                 "the text. Default: the model's")
      ->check(CLI::IsMember({"f32", "f16", "bf16", "q8_0"}));
  app.add_option("--latent-attention", request.latents,
                 "Of DeepSeek models: absorbed, over the latents that are "
                 "cached, or materialised, over the keys and values made of "
                 "them: faster prompts, larger caches, slower in long "
                 "contexts. Changes the text in its last bits. Default: "
                 "absorbed, where the weights are made for it")
      ->check(CLI::IsMember({"absorbed", "materialised"}));
  app.add_option("--activations", request.activations,
                 "Activations of products: f32; bf16: rounded where they "
                 "meet bf16 weights; q8: quantised where they meet blocked "
                 "ones, multiplied in integers. Changes the text")
      ->capture_default_str()
      ->check(CLI::IsMember({"f32", "bf16", "q8"}));
}

/// What is told of the program.
void addReports(CLI::App &app, CompileOptions &options) {
  app.add_flag("--report", options.isReporting,
               "Print in a few lines what the program launches, what is fused, "
               "and how experts are computed");
  app.add_flag("--explain-fusion", options.isExplaining,
               "Print the kernels of each layer, what they hold, what "
               "stayed apart and why, and the bytes they move");
  app.add_flag("--explain-moe", options.isExplainingMoe,
               "Print the kernels of experts, and how many rows of an "
               "expert each variant multiplies together");
}

} // namespace

void addCompileCommand(CLI::App &app, Action &action) {
  CLI::App *command = app.add_subcommand(
      "compile", "Compile a model to a .tenon file, which runs without the "
                 "compiler");
  auto options = std::make_shared<CompileOptions>();
  command
      ->add_option("MODEL", options->model,
                   "A .gguf file, a .safetensors file or its folder")
      ->required();
  command->add_option("-o,--output", options->output, "The file to write")
      ->type_name("FILE")
      ->required();
  command->add_flag("--embed", options->isEmbedding,
                    "Store the weights too, packed for the kernels; default: "
                    "refer to MODEL, by path and hash");
  addProgramForm(*command, options->request, options->adapter);
  addScheduleOptions(*command, options->schedules, "OPTIONS");
  addReports(*command, *options);
  command->add_flag("--check-passes", options->request.checkPasses,
                    "Interpret the program after every pass and name the "
                    "first that changes a result; slow");
  command
      ->add_option("--dump-ir", options->request.dumpFolder,
                   "Write the IR after each stage into this folder")
      ->type_name("FOLDER");
  command
      ->add_option("--threads", options->request.threads,
                   "Threads that compile; 0: one for each CPU")
      ->capture_default_str()
      ->check(CLI::Range(0, 4096));
  command->add_flag("--force", options->isForced,
                    "Replace the output if it is there");
  command->footer("Examples:\n"
                  "  tenon compile gemma.gguf -o gemma.tenon\n"
                  "  tenon compile gemma.gguf -o gemma.tenon --embed --cpu v4\n"
                  "  tenon compile folder/ -o m.tenon --explain-fusion\n"
                  "The output appears whole or not at all.");
  command->callback([options, &action] {
    action = [options] { return compileModel(*options); };
  });
}

} // namespace tenon::tools
