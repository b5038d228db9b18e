//===- Run.cpp - `tenon run`: text from a model ---------------------------===//

#include "tools/tenon/Command.h"

#include "runtime/exec/TextModel.h"
#include "runtime/exec/Trace.h"
#include "runtime/io/ChatTemplate.h"
#include "tools/tenon/Batch.h"
#include "tools/tenon/Errors.h"
#include "tools/tenon/Interrupt.h"
#include "tools/tenon/ProgramOptions.h"
#include "tools/tenon/RunStats.h"
#include "tools/tenon/TextInput.h"

#include <CLI/CLI.hpp>

#include <cstdio>

namespace tenon::tools {
namespace {

struct RunOptions {
  ProgramRequest program;
  std::optional<std::string> prompt;
  std::string promptFile;
  std::string batchFile;
  bool isChat = false;
  std::string system;
  bool isGreedy = false;
  exec::SamplingOptions sampling = {
      .temperature = 0.8F, .topK = 40, .topP = 0.95F, .minP = 0.05F};
  int64_t maxTokens = 0;
  exec::DecoderLimits limits;
  int64_t drafts = 1; // tokens that a step drafts, with program.draft
  bool showStats = false;
  std::string traceFile;
};

/// The prompt's text, from where the options say.
StatusOr<std::string> readPrompt(const RunOptions &options) {
  std::string text;
  if (options.prompt) {
    text = *options.prompt;
  } else if (!options.promptFile.empty()) {
    TENON_ASSIGN_OR_RETURN(text,
                           io::readFile(options.promptFile, kMaxTextBytes));
  } else {
    TENON_ASSIGN_OR_RETURN(text, readStdin("the prompt"));
  }
  bool isShell = !options.prompt && text.ends_with('\n');
  if (isShell) // the newline that echo and editors end texts with
    text.pop_back();
  return text;
}

StatusOr<std::vector<int32_t>> encodePrompt(const io::Tokenizer &tokenizer,
                                            const std::string &text,
                                            const RunOptions &options) {
  if (!options.isChat)
    return tokenizer.encode(text);
  StatusOr<io::ChatFormat> format = io::chooseChatFormat(tokenizer);
  if (!format.ok())
    return withAdvice(format.status(), "leave out --chat to continue the "
                                       "prompt as it stands");
  std::vector<io::ChatMessage> chat;
  if (!options.system.empty())
    chat.push_back({io::ChatRole::System, options.system});
  chat.push_back({io::ChatRole::User, text});
  TENON_ASSIGN_OR_RETURN(io::Prompt prompt, io::renderChat(*format, chat));
  return tokenizer.encode(prompt);
}

Status checkLength(size_t tokens, int64_t context) {
  if (tokens == 0)
    return invalidArgument("expects a prompt of at least one token, got an "
                           "empty one; say what to continue with -p");
  if (static_cast<int64_t>(tokens) <= context)
    return Status();
  return invalidArgument("expects a prompt of at most ", context,
                         " tokens, the context, got ", tokens,
                         "; shorten it or raise --context");
}

StatusOr<std::unique_ptr<exec::TextModel>> openModel(const ReadyProgram &ready,
                                                     const RunOptions &options,
                                                     Progress &progress) {
  progress.update("preparing weights");
  exec::ModelOptions model;
  TENON_ASSIGN_OR_RETURN(
      model.device,
      hal::openDevice("cpu", {options.program.threads, options.program.cpus}));
  model.weightsPath = ready.weights;
  model.adapter = options.program.adapter;
  model.weights = ready.opened;
  model.decoder = options.limits;
  if (!options.program.draft.empty())
    model.decoder.drafts = options.drafts;
  model.preparing = [&](int64_t done, int64_t total) {
    progress.update("packing", done, total);
  };
  auto opened = exec::TextModel::open(ready.program, ready.path, model);
  progress.clear();
  if (opened.ok() || opened.status().code() != TENON_NOT_FOUND ||
      ready.source != ProgramSource::File)
    return opened;
  return withAdvice(opened.status(), "say where the weights are with "
                                     "--weights");
}

exec::TextOptions textOptions(const RunOptions &options) {
  exec::TextOptions text;
  if (options.maxTokens > 0)
    text.maxTokens = options.maxTokens;
  text.sampling = options.sampling;
  if (options.isGreedy)
    text.sampling.temperature = 0;
  return text;
}

Status generate(exec::TextModel &model, std::span<const int32_t> prompt,
                const RunOptions &options, exec::GenerateStats &stats) {
  exec::Trace trace;
  if (!options.traceFile.empty())
    model.session().setTrace(&trace);
  auto print = [](std::string_view piece) {
    std::fwrite(piece.data(), 1, piece.size(), stdout);
    // Text that cannot be shown need not be made.
    return std::fflush(stdout) != 0;
  };
  CancelOnInterrupt guard(model.session());
  auto result = model.generate(prompt, textOptions(options), print);
  std::fputc('\n', stdout);
  std::fflush(stdout);
  model.session().setTrace(nullptr);
  if (!options.traceFile.empty())
    TENON_RETURN_IF_ERROR(trace.write(options.traceFile));
  TENON_ASSIGN_OR_RETURN(stats, std::move(result));
  return Status();
}

/// The texts to continue: one, or those of a batch.
StatusOr<std::vector<std::string>> readTexts(const RunOptions &options) {
  if (!options.batchFile.empty())
    return readBatch(options.batchFile);
  TENON_ASSIGN_OR_RETURN(std::string text, readPrompt(options));
  return std::vector<std::string>{std::move(text)};
}

/// The tokens of each text.
StatusOr<std::vector<std::vector<int32_t>>>
encodeAll(exec::TextModel &model, std::span<const std::string> texts,
          const RunOptions &options) {
  StatusOr<exec::Generator *> generator = model.generator();
  if (!generator.ok() && !options.program.draft.empty())
    return withAdvice(generator.status(), "leave out --draft, or make the "
                                          "file again with `tenon compile "
                                          "--draft mtp`");
  TENON_RETURN_IF_ERROR(generator.status());
  TENON_ASSIGN_OR_RETURN(const io::Tokenizer *tokenizer, model.tokenizer());
  int64_t context = (*generator)->contextTokens();
  if (options.limits.contextTokens > 0) // the session rounds up to pages
    context = std::min(context, options.limits.contextTokens);
  std::vector<std::vector<int32_t>> prompts;
  for (size_t i = 0; i < texts.size(); ++i) {
    TENON_ASSIGN_OR_RETURN(std::vector<int32_t> prompt,
                           encodePrompt(*tokenizer, texts[i], options));
    Status fits = checkLength(prompt.size(), context);
    if (!fits.ok() && !options.batchFile.empty())
      return fits.withContext(concat("prompt ", i));
    TENON_RETURN_IF_ERROR(fits);
    prompts.push_back(std::move(prompt));
  }
  return prompts;
}

Status run(const RunOptions &options) {
  TENON_ASSIGN_OR_RETURN(std::vector<std::string> texts, readTexts(options));
  Progress progress;
  TENON_ASSIGN_OR_RETURN(ReadyProgram ready,
                         prepareProgram(options.program, progress));
  Stopwatch preparing;
  TENON_ASSIGN_OR_RETURN(std::unique_ptr<exec::TextModel> model,
                         openModel(ready, options, progress));
  RunStats shown;
  shown.prepareSeconds = preparing.seconds();
  TENON_ASSIGN_OR_RETURN(std::vector<std::vector<int32_t>> prompts,
                         encodeAll(*model, texts, options));
  if (options.batchFile.empty())
    TENON_RETURN_IF_ERROR(
        generate(*model, prompts.front(), options, shown.generated));
  else
    TENON_RETURN_IF_ERROR(runBatch(*model, texts, prompts, textOptions(options),
                                   shown.generated));
  if (options.showStats)
    printRunStats(ready, model->session().stats(), shown);
  return Status();
}

void addPromptOptions(CLI::App &app, RunOptions &options) {
  CLI::Option *prompt = app.add_option("-p,--prompt", options.prompt,
                                       "The prompt; default: read from stdin");
  CLI::Option *file = app.add_option("--prompt-file", options.promptFile,
                                     "Read the prompt from a file")
                          ->type_name("FILE")
                          ->excludes(prompt);
  app.add_option("--batch", options.batchFile,
                 "Answer each line of a file, or each \"prompt\" of a .jsonl "
                 "file, several at once; prints a line of JSON for each")
      ->type_name("FILE")
      ->excludes(prompt)
      ->excludes(file);
  CLI::Option *chat =
      app.add_flag("--chat", options.isChat,
                   "Put the prompt into the model's chat template, as a "
                   "user's turn; default: continue it as it stands");
  app.add_option("--system", options.system, "System message, with --chat")
      ->needs(chat);
  app.add_option("-n,--tokens", options.maxTokens,
                 "The most tokens to generate; 0: until the model or the "
                 "context ends")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
}

void addSamplingOptions(CLI::App &app, RunOptions &options) {
  const char *group = "Sampling";
  exec::SamplingOptions &sampling = options.sampling;
  app.add_flag("--greedy", options.isGreedy,
               "Always take the likeliest token; same as --temperature 0")
      ->group(group);
  app.add_option("--seed", sampling.seed,
                 "Of the draws: the same seed gives the same text")
      ->capture_default_str()
      ->group(group);
  app.add_option("--temperature", sampling.temperature,
                 "Higher is more random; 0 is greedy")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 100.0))
      ->group(group);
  app.add_option("--top-k", sampling.topK,
                 "Draw among the k likeliest tokens; 0: among all")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber)
      ->group(group);
  app.add_option("--top-p", sampling.topP,
                 "Draw among the likeliest of this joint probability; 1: all")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0))
      ->group(group);
  app.add_option("--min-p", sampling.minP,
                 "Leave out tokens below this part of the best's "
                 "probability; 0: none")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0))
      ->group(group);
}

void addDraftOptions(CLI::App &app, RunOptions &options) {
  CLI::Option *draft =
      app.add_option("--draft", options.program.draft,
                     "Draft tokens and compute them together: mtp, by the "
                     "model's layer that predicts a further token. Does not "
                     "change the text")
          ->check(CLI::IsMember({"mtp"}))
          ->group("Machine");
  app.add_option("--draft-tokens", options.drafts, "Tokens that a step drafts")
      ->capture_default_str()
      ->check(CLI::Range(int64_t{1}, exec::kMostDrafts))
      ->needs(draft)
      ->group("Machine");
}

void addLimitOptions(CLI::App &app, RunOptions &options) {
  const char *group = "Machine";
  app.add_option("--context", options.limits.contextTokens,
                 "Tokens of prompt and answer together; memory grows with "
                 "it; 0: 4096, or the model's own if that is less")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber)
      ->group(group);
  app.add_option("--sequences", options.limits.sequences,
                 "Prompts of a --batch that run together, where memory for "
                 "their contexts is there; what they begin with alike is "
                 "computed once")
      ->capture_default_str()
      ->check(CLI::Range(1, 512))
      ->group(group);
  app.add_option("--chunk", options.limits.chunkTokens,
                 "Tokens of the prompt computed at once")
      ->capture_default_str()
      ->check(CLI::PositiveNumber)
      ->group(group);
}

} // namespace

void addRunCommand(CLI::App &app, Action &action) {
  CLI::App *command = app.add_subcommand(
      "run", "Generate text: compile the model if it is not compiled yet, "
             "then stream");
  auto options = std::make_shared<RunOptions>();
  addProgramOptions(*command, options->program);
  addPromptOptions(*command, *options);
  command->add_flag("--stats", options->showStats,
                    "Print speed, times and memory to stderr at the end");
  command
      ->add_option("--trace", options->traceFile,
                   "Write every kernel launch to this file, as JSON that "
                   "ui.perfetto.dev opens")
      ->type_name("FILE");
  addSamplingOptions(*command, *options);
  addLimitOptions(*command, *options);
  addDraftOptions(*command, *options);
  command->footer("Examples:\n"
                  "  tenon run gemma.gguf --chat -p \"Why is the sky blue?\"\n"
                  "  tenon run gemma.tenon --greedy -n 32 -p \"The end\"\n"
                  "  cat story.txt | tenon run gemma.gguf --stats\n"
                  "  tenon run gemma.gguf --chat --batch questions.txt "
                  "--sequences 8\n"
                  "A .tenon file is a program: run only those you trust.");
  command->callback(
      [options, &action] { action = [options] { return run(*options); }; });
}

} // namespace tenon::tools
