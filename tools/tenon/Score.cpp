//===- Score.cpp - `tenon score`: how likely a model finds a text ---------===//

#include "tools/tenon/Command.h"

#include "runtime/exec/Score.h"
#include "runtime/exec/TextModel.h"
#include "runtime/io/Json.h"
#include "runtime/io/MappedFile.h"
#include "runtime/io/Unicode.h"
#include "tools/tenon/Errors.h"
#include "tools/tenon/Interrupt.h"
#include "tools/tenon/ProgramOptions.h"
#include "tools/tenon/Table.h"
#include "tools/tenon/TextInput.h"

#include <CLI/CLI.hpp>

#include <charconv>
#include <cmath>
#include <cstdio>

namespace tenon::tools {
namespace {

struct ScoreOptions {
  ProgramRequest program;
  std::string file;
  bool isTokens = false;
  int64_t contextTokens = 0;
  int64_t strideTokens = 0;
  int64_t chunkTokens = 0;
  bool showsTokens = false;
  bool isJson = false;

  bool isStdin() const { return file == "-"; }
  std::string source() const { return isStdin() ? "stdin" : file; }
};

/// What is scored, and how its tokens are spelled.
struct Scored {
  std::vector<int32_t> tokens;
  const io::Tokenizer *tokenizer = nullptr; // null: there is none
  bool beginsText = false; // the first token is the model's BOS
};

StatusOr<std::string> readText(const ScoreOptions &options) {
  std::string text;
  if (options.isStdin()) {
    TENON_ASSIGN_OR_RETURN(text, readStdin("the text"));
  } else {
    TENON_ASSIGN_OR_RETURN(text, io::readFile(options.file, kMaxTextBytes));
  }
  if (text.empty())
    return invalidArgument(options.source(),
                           ": expects a text, got an empty one");
  Status status = io::checkUtf8(text);
  if (!status.ok())
    return status.withContext(options.source());
  return text;
}

StatusOr<std::vector<int32_t>> parseTokens(const std::string &text,
                                           const std::string &source) {
  constexpr std::string_view kBlanks = " \t\r\n\v\f";
  std::vector<int32_t> ids;
  std::string_view rest = text;
  while (true) {
    rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
    if (rest.empty())
      break;
    std::string_view word = rest.substr(0, rest.find_first_of(kBlanks));
    rest.remove_prefix(word.size());
    int32_t id = 0;
    auto [end, error] =
        std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc() || end != word.data() + word.size())
      return invalidArgument(source, ": expects token ids, got '",
                             printable(word, 40), "' at position ", ids.size());
    ids.push_back(id);
  }
  if (ids.empty())
    return invalidArgument(source, ": expects token ids, got none");
  return ids;
}

StatusOr<Scored> tokensOf(const exec::TextModel &model, const std::string &text,
                          const ScoreOptions &options) {
  Scored scored;
  StatusOr<const io::Tokenizer *> tokenizer = model.tokenizer();
  if (!tokenizer.ok() && !options.isTokens)
    return withAdvice(tokenizer.status(), "give token ids with --tokens");
  if (!tokenizer.ok())
    printNotice("no tokenizer, so no pieces and no BOS token: " +
                tokenizer.status().message());
  if (tokenizer.ok())
    scored.tokenizer = *tokenizer;
  TENON_ASSIGN_OR_RETURN(scored.tokens,
                         options.isTokens ? parseTokens(text, options.source())
                                          : scored.tokenizer->encode(text));
  scored.beginsText =
      scored.tokenizer && scored.tokenizer->description().addBos &&
      !scored.tokens.empty() && scored.tokens[0] == *scored.tokenizer->bos();
  return scored;
}

void printTokens(const Scored &scored, const exec::Score &score) {
  Table table({{"position", Align::Right},
               {"id", Align::Right},
               {"log-probability", Align::Right},
               {"piece"}});
  for (size_t i = 0; i < scored.tokens.size(); ++i) {
    int32_t id = scored.tokens[i];
    double found = score.logProbabilities[i];
    table.add(
        {std::to_string(i), std::to_string(id),
         std::isnan(found) ? "-" : formatNumber(found, 6),
         scored.tokenizer ? printable(scored.tokenizer->idToPiece(id)) : ""});
  }
  std::fputs((table.print() + "\n").c_str(), stdout);
}

void printSummary(const exec::Score &score) {
  Table table({{"tokens scored", Align::Right},
               {"mean NLL", Align::Right},
               {"perplexity", Align::Right},
               {"tokens/s", Align::Right}});
  table.add({std::to_string(score.scoredTokens),
             formatNumber(score.negativeLogLikelihood, 6),
             formatNumber(score.perplexity(), 4),
             formatNumber(score.tokensPerSecond(), 1)});
  std::fputs(table.print().c_str(), stdout);
}

void printJson(const ScoreOptions &options, const Scored &scored,
               const exec::Score &score) {
  io::Json tokens = io::Json::array();
  for (size_t i = 0; i < scored.tokens.size(); ++i) {
    io::Json token = {{"position", i}, {"id", scored.tokens[i]}};
    if (scored.tokenizer)
      token["piece"] =
          std::string(scored.tokenizer->idToPiece(scored.tokens[i]));
    // JSON has no NaN: null where a token is not scored.
    token["log_probability"] = score.logProbabilities[i];
    tokens.push_back(std::move(token));
  }
  io::Json json = {
      {"model", options.program.model},
      {"begins_with_bos", scored.beginsText},
      {"windows", score.windows},
      {"tokens_scored", score.scoredTokens},
      {"mean_negative_log_likelihood", score.negativeLogLikelihood},
      {"perplexity", score.perplexity()},
      {"tokens_per_second", score.tokensPerSecond()},
      {"tokens", std::move(tokens)}};
  std::string text =
      json.dump(2, ' ', false, io::Json::error_handler_t::replace);
  std::fputs((text + "\n").c_str(), stdout);
}

Status score(const ScoreOptions &options) {
  TENON_ASSIGN_OR_RETURN(std::string text, readText(options));
  Progress progress;
  TENON_ASSIGN_OR_RETURN(ReadyProgram ready,
                         prepareProgram(options.program, progress));
  exec::ModelOptions opening;
  TENON_ASSIGN_OR_RETURN(
      opening.device,
      hal::openDevice("cpu", {options.program.threads, options.program.cpus}));
  opening.weightsPath = ready.weights;
  opening.adapter = options.program.adapter;
  opening.weights = ready.opened;
  TENON_ASSIGN_OR_RETURN(opening.decoder,
                         exec::scoreLimits(ready.program->program(),
                                           options.contextTokens,
                                           options.chunkTokens));
  progress.update("preparing weights");
  auto model = exec::TextModel::open(ready.program, ready.path, opening);
  progress.clear();
  if (!model.ok())
    return model.status();
  TENON_ASSIGN_OR_RETURN(Scored scored, tokensOf(**model, text, options));
  TENON_ASSIGN_OR_RETURN(
      std::unique_ptr<exec::Scorer> scorer,
      exec::Scorer::create((*model)->session(), *opening.device));
  exec::ScoreRequest request;
  request.tokens = scored.tokens;
  request.windowTokens = options.contextTokens;
  request.strideTokens = options.strideTokens;
  request.repeatsFirst = scored.beginsText;
  CancelOnInterrupt guard((*model)->session());
  auto found = scorer->score(request, [&](int64_t done, int64_t total) {
    progress.update("scoring", done, total);
  });
  progress.clear();
  if (!found.ok())
    return found.status();
  if (options.isJson) {
    printJson(options, scored, *found);
    return Status();
  }
  if (options.showsTokens)
    printTokens(scored, *found);
  printSummary(*found);
  return Status();
}

void addWindowOptions(CLI::App &app, ScoreOptions &options) {
  app.add_option("--context", options.contextTokens,
                 "Tokens of a window, with BOS; a longer text is cut into "
                 "several; 0: 4096, or the model's own if that is less")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--stride", options.strideTokens,
                 "Tokens from the beginning of a window to that of the next; "
                 "0: windows share no token")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--chunk", options.chunkTokens,
                 "Tokens computed at once; their logits take 4 bytes times "
                 "the vocabulary each; 0: as many as 64 MiB hold, at most "
                 "512. Does not change the result")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
}

} // namespace

void addScoreCommand(CLI::App &app, Action &action) {
  CLI::App *command = app.add_subcommand(
      "score", "Show how likely a model finds a text: log-probabilities and "
               "perplexity");
  auto options = std::make_shared<ScoreOptions>();
  addProgramOptions(*command, options->program);
  command
      ->add_option("FILE", options->file,
                   "The text, in UTF-8, taken as it stands; -: stdin")
      ->required();
  command->add_flag("--tokens", options->isTokens,
                    "FILE holds token ids with blanks between; none is added");
  addWindowOptions(*command, *options);
  CLI::Option *perToken =
      command->add_flag("--per-token", options->showsTokens,
                        "Print every token's log-probability too, in nats");
  command
      ->add_flag("--json", options->isJson,
                 "Print JSON, with every token, rather than a table")
      ->excludes(perToken);
  command->footer(
      "Examples:\n"
      "  tenon score gemma.gguf story.txt\n"
      "  tenon score gemma.gguf story.txt --context 512 --stride 256 --json\n"
      "  echo 2 9259 236764 | tenon score gemma.gguf - --tokens --per-token\n"
      "The mean NLL is that of the negative log-likelihoods, in nats a token; "
      "the\nperplexity is its exponential.\n"
      "\n"
      "A token's probability is conditioned on all tokens of its window before "
      "it.\nThe BOS token, where the tokenizer adds one (or the ids of "
      "--tokens "
      "begin with\nit), heads every window and is never scored. Without it the "
      "first token of a\nwindow has nothing before it and is not scored. A "
      "window that begins --stride\ntokens after another scores the tokens "
      "that one did not reach, so that each\nsees at least CONTEXT - STRIDE "
      "tokens before it. No token counts twice.");
  command->callback(
      [options, &action] { action = [options] { return score(*options); }; });
}

} // namespace tenon::tools
