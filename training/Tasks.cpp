//===- Tasks.cpp - Prompts whose answers can be verified ------------------===//

#include "training/Tasks.h"

#include "runtime/io/Json.h"
#include "runtime/io/MappedFile.h"

#include <functional>

namespace tenon::training {
namespace {

constexpr size_t kMaxFileBytes = size_t{1} << 30;

/// A line's members, and where it is.
struct Line {
  io::Json json;
  std::string place;

  StatusOr<std::string> text(const char *name) const {
    const std::string *found = io::textOf(io::findMember(json, name));
    if (!found)
      return dataLoss(place, ": expects a text \"", name, "\", got none");
    return *found;
  }
};

Status forEachLine(const std::string &path,
                   const std::function<Status(const Line &)> &take) {
  TENON_ASSIGN_OR_RETURN(std::string text, io::readFile(path, kMaxFileBytes));
  size_t number = 0, count = 0;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line(text.data() + begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos)
      continue;
    std::string place = concat(path, ", line ", number);
    TENON_ASSIGN_OR_RETURN(io::Json json, io::parseJson(line, place));
    TENON_RETURN_IF_ERROR(take({std::move(json), place}));
    ++count;
  }
  if (count == 0)
    return invalidArgument(path, ": expects a line at least, got none");
  return Status();
}

StatusOr<std::vector<int32_t>> promptOf(const Line &line,
                                        const std::string &prompt,
                                        const io::Tokenizer &tokenizer) {
  TENON_ASSIGN_OR_RETURN(std::vector<int32_t> ids, tokenizer.encode(prompt));
  if (ids.empty())
    return invalidArgument(line.place, ": expects a prompt of a token at "
                                       "least, got none");
  return ids;
}

} // namespace

StatusOr<std::vector<Task>> readTasks(const std::string &path,
                                      const io::Tokenizer &tokenizer) {
  std::vector<Task> tasks;
  Status status = forEachLine(path, [&](const Line &line) -> Status {
    Task task;
    TENON_ASSIGN_OR_RETURN(task.prompt, line.text("prompt"));
    TENON_ASSIGN_OR_RETURN(task.answer, line.text("answer"));
    TENON_ASSIGN_OR_RETURN(task.tokens, promptOf(line, task.prompt, tokenizer));
    tasks.push_back(std::move(task));
    return Status();
  });
  TENON_RETURN_IF_ERROR(status);
  return tasks;
}

StatusOr<std::vector<Preference>>
readPreferences(const std::string &path, const io::Tokenizer &tokenizer) {
  std::vector<Preference> made;
  Status status = forEachLine(path, [&](const Line &line) -> Status {
    TENON_ASSIGN_OR_RETURN(std::string prompt, line.text("prompt"));
    Preference pair;
    TENON_ASSIGN_OR_RETURN(pair.chosen, promptOf(line, prompt, tokenizer));
    pair.from = std::ssize(pair.chosen);
    pair.rejected = pair.chosen;
    for (auto [name, tokens] : {std::pair{"chosen", &pair.chosen},
                                std::pair{"rejected", &pair.rejected}}) {
      TENON_ASSIGN_OR_RETURN(std::string text, line.text(name));
      TENON_ASSIGN_OR_RETURN(std::vector<int32_t> ids,
                             tokenizer.encode(text, {.addSpecial = false}));
      tokens->insert(tokens->end(), ids.begin(), ids.end());
      if (tokenizer.eos())
        tokens->push_back(*tokenizer.eos());
      if (std::ssize(*tokens) == pair.from)
        return invalidArgument(line.place, ": expects a \"", name,
                               "\" of a token at least, got none");
    }
    made.push_back(std::move(pair));
    return Status();
  });
  TENON_RETURN_IF_ERROR(status);
  return made;
}

} // namespace tenon::training
