//===- Merge.cpp - `tenon merge`: an adapter made a part of a model -------===//

#include "tools/tenon/Command.h"

#include "runtime/io/Json.h"
#include "tools/tenon/CompilerLibrary.h"
#include "tools/tenon/Errors.h"
#include "tools/tenon/ModelPath.h"

#include <CLI/CLI.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace tenon::tools {
namespace {

namespace fs = std::filesystem;

constexpr const char *kConfig = "config.json";

struct MergeCommand {
  MergeRequest request;
  std::string output;
  bool isForced = false;
};

/// What lies beside safetensors and belongs to the model.
constexpr const char *kBeside[] = {kConfig,
                                   "generation_config.json",
                                   "tokenizer.json",
                                   "tokenizer.model",
                                   "tokenizer_config.json",
                                   "special_tokens_map.json",
                                   "vocab.json",
                                   "merges.txt",
                                   "added_tokens.json",
                                   "chat_template.jinja"};

fs::path folderOf(const std::string &model) {
  std::error_code error;
  fs::path path = model;
  return fs::is_directory(path, error) ? path : path.parent_path();
}

/// A configuration of weights that are not packed any more.
Status writePlainConfig(const fs::path &from, const fs::path &to) {
  std::ifstream in(from, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  TENON_ASSIGN_OR_RETURN(io::Json json,
                         io::parseJson(text.str(), from.string()));
  if (json.is_object())
    json.erase("quantization_config");
  std::ofstream out(to, std::ios::binary | std::ios::trunc);
  out << json.dump(2, ' ', false, io::Json::error_handler_t::replace) << '\n';
  out.close();
  return out ? Status() : unavailable("cannot write '", to.string(), "'");
}

Status copyBeside(const fs::path &from, const fs::path &to, bool isPlain) {
  for (const char *name : kBeside) {
    std::error_code error;
    if (!fs::exists(from / name, error))
      continue;
    if (isPlain && std::string_view(name) == kConfig) {
      TENON_RETURN_IF_ERROR(writePlainConfig(from / name, to / name));
      continue;
    }
    fs::copy_file(from / name, to / name, fs::copy_options::overwrite_existing,
                  error);
    if (error)
      return unavailable("cannot copy '", (from / name).string(), "' to '",
                         to.string(), "': ", error.message());
  }
  return Status();
}

/// The file that the weights are written to, in a folder that is there.
StatusOr<fs::path> chooseFile(const MergeCommand &command,
                              const io::WeightsFile &weights) {
  bool isGguf = weights.format() == io::WeightsFormat::Gguf;
  fs::path file = command.output;
  if (!isGguf)
    file /= "model.safetensors";
  else if (file.extension() != ".gguf")
    file /= "model.gguf";
  std::error_code error;
  if (fs::exists(file, error) && !command.isForced)
    return invalidArgument("expects no file '", file.string(),
                           "' yet; say --force to replace it");
  for (const std::string &own : weights.files())
    if (fs::equivalent(file, own, error))
      return invalidArgument("expects an output that is not the model itself, "
                             "got '",
                             file.string(), "'");
  error.clear(); // there was no such file
  if (!file.parent_path().empty())
    fs::create_directories(file.parent_path(), error);
  if (error)
    return unavailable("cannot make the folder '", file.parent_path().string(),
                       "': ", error.message());
  return file;
}

Status merge(MergeCommand &command) {
  MergeRequest &request = command.request;
  TENON_ASSIGN_OR_RETURN(ModelKind kind, classifyModel(request.model));
  if (kind == ModelKind::Program)
    return invalidArgument("expects weights to merge into, got '",
                           request.model, "', which is compiled already");
  TENON_ASSIGN_OR_RETURN(io::WeightsFile weights,
                         openWeightsFile(request.model));
  bool isGguf = weights.format() == io::WeightsFormat::Gguf;
  TENON_ASSIGN_OR_RETURN(fs::path file, chooseFile(command, weights));
  request.output = file.string();
  TENON_ASSIGN_OR_RETURN(CompilerLibrary compiler, CompilerLibrary::find());
  TENON_ASSIGN_OR_RETURN(MergeResult made, compiler.merge(request));
  if (!isGguf)
    TENON_RETURN_IF_ERROR(copyBeside(folderOf(request.model),
                                     file.parent_path(), made.dequantised > 0));
  std::string plain;
  if (made.dequantised > 0)
    plain = concat("; ", made.dequantised, " were blocked and are plain now");
  printNotice(concat("wrote '", request.output, "': the adapter is ",
                     request.takesAway ? "out of " : "in ", made.merged,
                     " weights, now ", made.type, plain));
  return Status();
}

} // namespace

void addMergeCommand(CLI::App &app, Action &action) {
  CLI::App *command = app.add_subcommand(
      "merge", "Make a LoRA adapter a part of a model's weights");
  auto options = std::make_shared<MergeCommand>();
  command
      ->add_option("MODEL", options->request.model,
                   "A .gguf file, a .safetensors file or its folder")
      ->required();
  command
      ->add_option("ADAPTER", options->request.adapter,
                   "The adapter's folder, as PEFT or `tenon train` writes it")
      ->required();
  command
      ->add_option("-o,--output", options->output,
                   "The folder to write; of a GGUF model also the .gguf file")
      ->type_name("PATH")
      ->required();
  command
      ->add_option("--type", options->request.type,
                   "Element type of the weights that change; default: the one "
                   "they have")
      ->check(CLI::IsMember({"f32", "f16", "bf16"}));
  command->add_flag("--unmerge", options->request.takesAway,
                    "Take the adapter out of weights that it is in");
  command->add_flag("--force", options->isForced,
                    "Replace the output if it is there");
  command->footer(
      "Examples:\n"
      "  tenon merge gemma.gguf adapters/pirate -o pirate.gguf\n"
      "  tenon merge gemma.gguf adapters/pirate -o pirate.gguf --type bf16\n"
      "  tenon merge models/gemma adapters/pirate -o models/pirate\n"
      "  tenon run models/pirate -p \"The sky is\"\n"
      "The merged weights are w + scale * b a. Of a GGUF file the output is a "
      "GGUF\nfile: what changes is quantised again to the type it had, which "
      "rounds the\nadapter too; --type keeps it whole in larger weights. Of "
      "safetensors it is a\nfolder with the model's configuration and "
      "tokenizer; packed weights are\nwritten as bf16 or --type, since the "
      "format has no others.");
  command->callback(
      [options, &action] { action = [options] { return merge(*options); }; });
}

} // namespace tenon::tools
