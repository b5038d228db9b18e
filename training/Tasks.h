//===- Tasks.h - Prompts whose answers can be verified ----------*- C++ -*-===//
//
// A file of JSON objects, one in a line:
//
//   {"prompt": "Solve 2x + 5 = 15.", "answer": "5"}     tasks
//   {"prompt": "...", "chosen": "...", "rejected": "..."}  preferences
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TRAINING_TASKS_H
#define TENON_TRAINING_TASKS_H

#include "runtime/io/Tokenizer.h"

#include <string>
#include <vector>

namespace tenon::training {

struct Task {
  std::string prompt, answer;
  std::vector<int32_t> tokens; // of the prompt
};

/// Two completions of a prompt, each with its end, of which one is better.
struct Preference {
  std::vector<int32_t> chosen, rejected; // with the prompt before them
  int64_t from = 0;                      // where both part from the prompt
};

/// Errors: NOT_FOUND, DATA_LOSS (no JSON; a member is missing, naming the
///         line), INVALID_ARGUMENT (an empty prompt; no task).
StatusOr<std::vector<Task>> readTasks(const std::string &path,
                                      const io::Tokenizer &tokenizer);
StatusOr<std::vector<Preference>>
readPreferences(const std::string &path, const io::Tokenizer &tokenizer);

} // namespace tenon::training
#endif // TENON_TRAINING_TASKS_H
