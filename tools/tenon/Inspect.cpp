//===- Inspect.cpp - `tenon inspect`: what is in a file -------------------===//

#include "tools/tenon/Inspect.h"

#include "runtime/io/MappedFile.h"
#include "tools/tenon/Command.h"
#include "tools/tenon/Errors.h"
#include "tools/tenon/ModelPath.h"

#include <CLI/CLI.hpp>

namespace tenon::tools {
namespace {

void print(const io::Json &json) {
  std::string text =
      json.dump(2, ' ', false, io::Json::error_handler_t::replace) + "\n";
  std::fputs(text.c_str(), stdout);
}

Status inspectWeights(const InspectOptions &options) {
  if (options.showEntries || options.showKernels || options.showPlan)
    return invalidArgument("expects --entries, --kernels and --plan with a "
                           ".tenon file alone, got the weights '",
                           options.file, "'");
  TENON_ASSIGN_OR_RETURN(io::WeightsFile weights,
                         openWeightsFile(options.file));
  if (options.isJson)
    print(weightsToJson(weights, options));
  else
    std::fputs(describeWeights(weights, options).c_str(), stdout);
  return Status();
}

Status checkKnown(const base::Program &program, const SymbolValues &given) {
  for (const auto &[name, value] : given) {
    bool isKnown = false;
    std::string names;
    for (const base::Entry &entry : program.entries)
      for (const base::Symbol &symbol : entry.symbols) {
        isKnown |= symbol.name == name;
        if ((" " + names + ",").find(" " + symbol.name + ",") ==
            std::string::npos)
          names += (names.empty() ? "" : ", ") + symbol.name;
      }
    if (!isKnown)
      return invalidArgument("expects --set of one of the symbols ", names,
                             ", got '", name, "'");
  }
  return Status();
}

StatusOr<ProgramFile> readProgramFile(std::span<const uint8_t> bytes) {
  ProgramFile file;
  TENON_ASSIGN_OR_RETURN(file.sections,
                         base::readContainer(bytes.data(), bytes.size()));
  file.begin = reinterpret_cast<const char *>(bytes.data());
  file.sizeBytes = static_cast<int64_t>(bytes.size());
  for (const base::Section &section : file.sections) {
    if (section.kind != base::SectionKind::Program)
      continue;
    TENON_ASSIGN_OR_RETURN(file.program,
                           base::parse(section.data, section.size));
    return file;
  }
  return dataLoss("expects a program section, got none");
}

Status inspectProgram(const InspectOptions &options) {
  if (options.showTensors)
    return invalidArgument("expects --tensors with weights alone, got the "
                           "program '",
                           options.file, "'; see --entries");
  TENON_ASSIGN_OR_RETURN(SymbolValues given, parseSymbolValues(options.set));
  TENON_ASSIGN_OR_RETURN(io::MappedFile mapped,
                         io::MappedFile::open(options.file));
  StatusOr<ProgramFile> file = readProgramFile(mapped.bytes());
  if (!file.ok())
    return withAdvice(file.status().withContext(options.file),
                      "make the file again with `tenon compile`");
  TENON_RETURN_IF_ERROR(checkKnown(file->program, given));
  if (options.isJson)
    print(programToJson(*file, options, given));
  else
    std::fputs(describeProgram(*file, options, given).c_str(), stdout);
  return Status();
}

Status inspect(const InspectOptions &options) {
  TENON_ASSIGN_OR_RETURN(ModelKind kind, classifyModel(options.file));
  return kind == ModelKind::Program ? inspectProgram(options)
                                    : inspectWeights(options);
}

} // namespace

std::string sectionName(const base::Section &section) {
  switch (section.kind) {
  case base::SectionKind::Program:
    return "program";
  case base::SectionKind::Code:
    return concat("code ", base::cpuFeaturesName(
                               static_cast<base::CpuFeatures>(section.tag)));
  case base::SectionKind::Weights:
    return "weights";
  case base::SectionKind::Tokenizer:
    return "tokenizer";
  case base::SectionKind::Reference:
    return "reference";
  case base::SectionKind::Parameters:
    return "parameters";
  }
  return concat("unknown (", static_cast<uint32_t>(section.kind), ")");
}

void addInspectCommand(CLI::App &app, Action &action) {
  CLI::App *command = app.add_subcommand(
      "inspect", "Show what is in a weights file or a .tenon file");
  auto options = std::make_shared<InspectOptions>();
  command
      ->add_option("FILE", options->file,
                   "A .gguf file, a .safetensors file or its folder, or a "
                   ".tenon file")
      ->required();
  command->add_flag("--tensors", options->showTensors,
                    "List every tensor: name, type, shape, bytes (weights)");
  command->add_flag("--entries", options->showEntries,
                    "List entry points: signature, symbols, variants; and "
                    "parameters, states (.tenon)");
  command->add_flag("--kernels", options->showKernels,
                    "List every kernel: what it holds, scratch bytes (.tenon)");
  command->add_flag("--plan", options->showPlan,
                    "Show where each variant places its temporaries "
                    "(.tenon)");
  command
      ->add_option("--set", options->set,
                   "Value of a symbol in --plan, as in T=16; default: the "
                   "most a variant takes, the least of other symbols")
      ->type_name("NAME=N")
      ->allow_extra_args(false); // FILE may follow
  command->add_flag("--json", options->isJson, "Print JSON");
  command->footer("Examples:\n"
                  "  tenon inspect gemma.gguf --tensors\n"
                  "  tenon inspect gemma.tenon --entries --kernels\n"
                  "  tenon inspect gemma.tenon --plan --set T=1\n"
                  "Nothing of the file is run or mapped executable.");
  command->callback(
      [options, &action] { action = [options] { return inspect(*options); }; });
}

} // namespace tenon::tools
