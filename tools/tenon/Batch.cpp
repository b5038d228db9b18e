//===- Batch.cpp - Many prompts at once -----------------------------------===//

#include "tools/tenon/Batch.h"

#include "runtime/io/Json.h"
#include "tools/tenon/Interrupt.h"
#include "tools/tenon/TextInput.h"

#include <cstdio>

namespace tenon::tools {
namespace {

const char *nameOf(exec::FinishReason reason) {
  switch (reason) {
  case exec::FinishReason::MaxTokens:
    return "length";
  case exec::FinishReason::Context:
    return "context";
  case exec::FinishReason::StopToken:
  case exec::FinishReason::Callback:
    return "stop";
  }
  return "";
}

} // namespace

StatusOr<std::vector<std::string>> readBatch(const std::string &path) {
  TENON_ASSIGN_OR_RETURN(std::string text, io::readFile(path, kMaxTextBytes));
  bool isJson = path.ends_with(".jsonl");
  std::vector<std::string> prompts;
  int64_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.ends_with('\r'))
      line.pop_back();
    if (line.find_first_not_of(" \t") == std::string::npos)
      continue;
    if (isJson) {
      std::string place = concat(path, ":", number);
      TENON_ASSIGN_OR_RETURN(io::Json json, io::parseJson(line, place));
      const std::string *prompt = io::textOf(io::findMember(json, "prompt"));
      if (!prompt)
        return dataLoss(place, ": expects an object with the text \"prompt\"");
      line = *prompt;
    }
    prompts.push_back(std::move(line));
  }
  if (prompts.empty())
    return invalidArgument("expects a prompt at least in '", path,
                           "', got none");
  return prompts;
}

Status runBatch(exec::TextModel &model, std::span<const std::string> texts,
                std::span<const std::vector<int32_t>> prompts,
                const exec::TextOptions &options, exec::GenerateStats &stats) {
  Progress progress;
  size_t done = 0;
  auto print = [&](const exec::TextResult &result) {
    io::Json line = {{"index", result.prompt},
                     {"prompt", texts[result.prompt]},
                     {"text", result.text},
                     {"tokens", result.tokens},
                     {"finish", nameOf(result.reason)}};
    progress.clear();
    std::printf(
        "%s\n",
        line.dump(-1, ' ', false, io::Json::error_handler_t::replace).c_str());
    if (std::fflush(stdout) != 0) // nobody reads it
      model.session().cancel();
    progress.update("answers", ++done, prompts.size());
  };
  CancelOnInterrupt guard(model.session());
  TENON_ASSIGN_OR_RETURN(stats, model.generateAll(prompts, options, print));
  return Status();
}

} // namespace tenon::tools
