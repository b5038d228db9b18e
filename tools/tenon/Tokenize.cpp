//===- Tokenize.cpp - `tenon tokenize`: text to ids and back --------------===//

#include "tools/tenon/Command.h"

#include "runtime/io/Json.h"
#include "runtime/io/Tokenizer.h"
#include "tools/tenon/Errors.h"
#include "tools/tenon/Table.h"
#include "tools/tenon/Tokenizers.h"

#include <CLI/CLI.hpp>

namespace tenon::tools {
namespace {

struct TokenizeOptions {
  std::string model;
  std::optional<std::string> text;
  std::vector<int32_t> ids;
  bool isDecoding = false;
  bool parsesSpecial = false;
  bool isJson = false;
};

/// Text for JSON, which cannot hold pieces that are no UTF-8.
std::string dump(const io::Json &json) {
  return json.dump(2, ' ', false, io::Json::error_handler_t::replace) + "\n";
}

Status decode(const io::Tokenizer &tokenizer, const TokenizeOptions &options) {
  TENON_ASSIGN_OR_RETURN(std::string text,
                         tokenizer.decode(options.ids, {.printControl = true}));
  text = options.isJson ? dump({{"text", text}}) : text + "\n";
  std::fputs(text.c_str(), stdout);
  return Status();
}

Status encode(const io::Tokenizer &tokenizer, const TokenizeOptions &options) {
  if (!options.text)
    return invalidArgument("expects TEXT, or --decode and ids, got neither");
  io::EncodeOptions encoding;
  encoding.parseSpecial = options.parsesSpecial;
  TENON_ASSIGN_OR_RETURN(std::vector<int32_t> ids,
                         tokenizer.encode(*options.text, encoding));
  if (options.isJson) {
    io::Json tokens = io::Json::array();
    for (int32_t id : ids)
      tokens.push_back(
          {{"id", id}, {"piece", std::string(tokenizer.idToPiece(id))}});
    std::fputs(dump({{"tokens", tokens}}).c_str(), stdout);
    return Status();
  }
  Table table({{"id", Align::Right}, {"piece"}});
  for (int32_t id : ids)
    table.add({std::to_string(id), printable(tokenizer.idToPiece(id))});
  std::fputs(table.print().c_str(), stdout);
  return Status();
}

Status tokenize(const TokenizeOptions &options) {
  TENON_ASSIGN_OR_RETURN(io::Tokenizer tokenizer, loadTokenizer(options.model));
  return options.isDecoding ? decode(tokenizer, options)
                            : encode(tokenizer, options);
}

} // namespace

void addTokenizeCommand(CLI::App &app, Action &action) {
  CLI::App *command = app.add_subcommand(
      "tokenize", "Show the token ids and pieces of a text, or the text of "
                  "ids");
  auto options = std::make_shared<TokenizeOptions>();
  command
      ->add_option("MODEL", options->model,
                   "A .gguf file, a folder with tokenizer.json, or a .tenon "
                   "file")
      ->required();
  CLI::Option *text =
      command->add_option("TEXT", options->text, "What to encode, in UTF-8");
  CLI::Option *ids = command
                         ->add_option("--decode", options->ids,
                                      "Token ids, with commas between, to "
                                      "turn into text")
                         ->delimiter(',')
                         ->type_name("IDS")
                         ->allow_extra_args(false) // MODEL may follow
                         ->excludes(text);
  command->add_flag("--special", options->parsesSpecial,
                    "Read control tokens that TEXT spells as such");
  command->add_flag("--json", options->isJson, "Print JSON");
  command->footer("Examples:\n"
                  "  tenon tokenize gemma.gguf \"Hello, world\"\n"
                  "  tenon tokenize gemma.gguf --decode 2,9259,236764");
  command->callback([options, ids, &action] {
    options->isDecoding = ids->count() > 0;
    action = [options] { return tokenize(*options); };
  });
}

} // namespace tenon::tools
