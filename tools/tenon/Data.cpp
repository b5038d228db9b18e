//===- Data.cpp - `tenon data`: texts to a data set of tokens -------------===//

#include "tools/tenon/Command.h"

#include "runtime/io/ChatTemplate.h"
#include "runtime/io/Json.h"
#include "runtime/io/MappedFile.h"
#include "runtime/io/Unicode.h"
#include "tools/tenon/Errors.h"
#include "tools/tenon/Progress.h"
#include "tools/tenon/Tokenizers.h"
#include "training/TokenData.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace tenon::tools {
namespace {

namespace fs = std::filesystem;
using training::TokenDataContents;

constexpr size_t kMaxFileBytes = size_t{1} << 30;

struct DataOptions {
  std::vector<std::string> files;
  std::vector<std::string> validation; // instead of a part of the files
  std::string output;
  std::string tokenizer;
  double holdOut = 0.05;
  bool isChat = false;
};

bool isLines(const std::string &path) {
  return fs::path(path).extension() == ".jsonl";
}

/// Adds texts to a data set that is being made.
class DataMaker {
public:
  DataMaker(const io::Tokenizer &used, const DataOptions &given)
      : tokenizer(used), options(given) {
    contents.vocabulary = tokenizer.size();
    contents.tokenizer = options.tokenizer;
  }

  Status add(const std::string &path) {
    TENON_ASSIGN_OR_RETURN(std::string text, io::readFile(path, kMaxFileBytes));
    Status status = io::checkUtf8(text);
    if (!status.ok())
      return status.withContext(path);
    return isLines(path) ? addLines(path, text) : addText(text);
  }
  /// Ends the data set; documents end where the tokens do.
  TokenDataContents take() {
    if (!contents.documents.empty())
      contents.documents.push_back(std::ssize(contents.tokens));
    return std::move(contents);
  }

private:
  Status addText(const std::string &text) {
    TENON_ASSIGN_OR_RETURN(std::vector<int32_t> ids,
                           tokenizer.encode(text, {.addSpecial = false}));
    append(ids);
    return Status();
  }
  Status addLines(const std::string &path, const std::string &text);
  Status addDocument(const std::string &prompt, const std::string &completion);
  void append(const std::vector<int32_t> &ids) {
    contents.tokens.insert(contents.tokens.end(), ids.begin(), ids.end());
  }

  const io::Tokenizer &tokenizer;
  const DataOptions &options;
  TokenDataContents contents;
};

/// The token that ends a model's turn.
std::optional<int32_t> endOf(const io::Tokenizer &tokenizer, bool isChat) {
  const io::TokenizerSpec &spec = tokenizer.description();
  if (isChat && spec.eot)
    return spec.eot;
  for (const char *piece : {"<end_of_turn>", "<|im_end|>", "<|eot_id|>"})
    if (int32_t id = tokenizer.pieceToId(piece); isChat && id >= 0)
      return id;
  return spec.eos;
}

Status DataMaker::addDocument(const std::string &prompt,
                              const std::string &completion) {
  std::vector<int32_t> ids;
  if (options.isChat) {
    TENON_ASSIGN_OR_RETURN(io::ChatFormat format,
                           io::chooseChatFormat(tokenizer));
    io::ChatMessage message = {io::ChatRole::User, prompt};
    TENON_ASSIGN_OR_RETURN(io::Prompt parts,
                           io::renderChat(format, {&message, 1}));
    TENON_ASSIGN_OR_RETURN(ids, tokenizer.encode(parts));
  } else {
    TENON_ASSIGN_OR_RETURN(ids, tokenizer.encode(prompt));
  }
  contents.documents.push_back(std::ssize(contents.tokens));
  contents.learned.push_back(std::max<int64_t>(std::ssize(ids), 1));
  append(ids);
  TENON_ASSIGN_OR_RETURN(ids,
                         tokenizer.encode(completion, {.addSpecial = false}));
  if (std::optional<int32_t> end = endOf(tokenizer, options.isChat))
    ids.push_back(*end);
  append(ids);
  return Status();
}

Status DataMaker::addLines(const std::string &path, const std::string &text) {
  int64_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line(text.data() + begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos)
      continue;
    std::string place = concat(path, ":", number);
    TENON_ASSIGN_OR_RETURN(io::Json json, io::parseJson(line, place));
    const std::string *prompt = io::textOf(io::findMember(json, "prompt"));
    const std::string *completion =
        io::textOf(io::findMember(json, "completion"));
    if (!prompt || !completion)
      return dataLoss(place, ": expects an object with the texts \"prompt\" "
                             "and \"completion\"");
    Status status = addDocument(*prompt, *completion);
    if (!status.ok())
      return status.withContext(place);
  }
  return Status();
}

/// Moves the last part of a data set, whole documents or tokens, to another.
TokenDataContents holdOut(TokenDataContents &from, double part) {
  TokenDataContents out;
  out.vocabulary = from.vocabulary;
  out.tokenizer = from.tokenizer;
  auto kept = [&](int64_t count) {
    return count - static_cast<int64_t>(part * static_cast<double>(count));
  };
  int64_t begin = kept(std::ssize(from.tokens));
  if (!from.documents.empty()) {
    int64_t first = kept(std::ssize(from.learned));
    begin = from.documents[first];
    for (size_t i = first; i < from.documents.size(); ++i)
      out.documents.push_back(from.documents[i] - begin);
    out.learned.assign(from.learned.begin() + first, from.learned.end());
    from.documents.resize(first + 1);
    from.learned.resize(first);
  }
  out.tokens.assign(from.tokens.begin() + begin, from.tokens.end());
  from.tokens.resize(begin);
  return out;
}

Status writeText(const fs::path &path, const std::string &text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  return file
             ? Status()
             : unavailable("expects to write '", path.string(), "', could not");
}

StatusOr<io::Tokenizer> openTokenizer(const DataOptions &options) {
  if (options.tokenizer != "bytes")
    return loadTokenizer(options.tokenizer);
  TENON_RETURN_IF_ERROR(writeText(fs::path(options.output) / "tokenizer.json",
                                  byteTokenizerJson()));
  TENON_RETURN_IF_ERROR(
      writeText(fs::path(options.output) / "tokenizer_config.json",
                byteTokenizerConfig()));
  return io::Tokenizer::loadFolder(options.output);
}

/// Copies the tokenizer's files, where it has any, so that models trained on
/// the data set can be given them.
void copyTokenizer(const DataOptions &options) {
  std::error_code error;
  for (const char *name : {"tokenizer.json", "tokenizer_config.json"})
    fs::copy_file(fs::path(options.tokenizer) / name,
                  fs::path(options.output) / name,
                  fs::copy_options::overwrite_existing, error);
}

StatusOr<TokenDataContents> readAll(const io::Tokenizer &tokenizer,
                                    const std::vector<std::string> &files,
                                    const DataOptions &options,
                                    Progress &progress) {
  DataMaker maker(tokenizer, options);
  for (size_t i = 0; i < files.size(); ++i) {
    progress.update("tokenizing", i, files.size());
    if (isLines(files[i]) != isLines(files[0]))
      return invalidArgument("expects texts or .jsonl files alone, got '",
                             files[0], "' and '", files[i], "'");
    TENON_RETURN_IF_ERROR(maker.add(files[i]));
  }
  return maker.take();
}

Status write(const TokenDataContents &contents, const std::string &path) {
  if (contents.tokens.empty())
    return invalidArgument("expects texts with tokens, got none for '", path,
                           "'");
  TENON_RETURN_IF_ERROR(training::writeTokenData(path, contents));
  std::string documents =
      contents.learned.empty()
          ? ""
          : concat(", ", contents.learned.size(), " documents");
  std::printf("%s: %zu tokens%s\n", path.c_str(), contents.tokens.size(),
              documents.c_str());
  return Status();
}

Status makeData(const DataOptions &options) {
  std::error_code error;
  fs::create_directories(options.output, error);
  if (error)
    return unavailable("expects to make the folder '", options.output,
                       "', got: ", error.message());
  TENON_ASSIGN_OR_RETURN(io::Tokenizer tokenizer, openTokenizer(options));
  if (options.tokenizer != "bytes")
    copyTokenizer(options);
  Progress progress;
  TENON_ASSIGN_OR_RETURN(TokenDataContents train,
                         readAll(tokenizer, options.files, options, progress));
  TokenDataContents validation;
  if (!options.validation.empty()) {
    TENON_ASSIGN_OR_RETURN(
        validation, readAll(tokenizer, options.validation, options, progress));
  } else {
    validation = holdOut(train, options.holdOut);
  }
  progress.clear();
  std::string folder = options.output + "/";
  TENON_RETURN_IF_ERROR(write(train, folder + "train.safetensors"));
  if (validation.tokens.empty())
    return Status();
  return write(validation, folder + "validation.safetensors");
}

} // namespace

void addDataCommand(CLI::App &app, Action &action) {
  CLI::App *command = app.add_subcommand(
      "data", "Make a data set of tokens, to train on, from texts");
  auto options = std::make_shared<DataOptions>();
  command
      ->add_option("FILES", options->files,
                   "Texts in UTF-8, one after the other; or .jsonl files, "
                   "each line an object with the texts \"prompt\" and "
                   "\"completion\", of which the completion is learned")
      ->required();
  command
      ->add_option("-o,--output", options->output,
                   "The folder to write: train.safetensors, "
                   "validation.safetensors and the tokenizer's files")
      ->type_name("FOLDER")
      ->required();
  command
      ->add_option("--tokenizer", options->tokenizer,
                   "The model whose tokenizer is used: a .gguf file, a folder "
                   "with tokenizer.json, a .tenon file; or bytes: each byte "
                   "is a token, and 256 ends a text")
      ->type_name("MODEL")
      ->required();
  CLI::Option *files =
      command
          ->add_option("--validation", options->validation,
                       "Files to evaluate on; default: the last part of FILES")
          ->type_name("FILE");
  command
      ->add_option("--hold-out", options->holdOut,
                   "The part of FILES to evaluate on and not to train on")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 0.9))
      ->excludes(files);
  command->add_flag("--chat", options->isChat,
                    "Write each prompt as a user's turn in the model's chat "
                    "template, as `tenon run` does");
  command->footer("Examples:\n"
                  "  tenon data bible.txt -o bible --tokenizer bytes\n"
                  "  tenon data tasks.jsonl -o tasks --tokenizer gemma.gguf "
                  "--chat\n"
                  "`tenon train` takes the folder as its --data.");
  command->callback([options, &action] {
    action = [options] { return makeData(*options); };
  });
}

} // namespace tenon::tools
