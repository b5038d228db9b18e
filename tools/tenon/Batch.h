//===- Batch.h - Many prompts at once ---------------------------*- C++ -*-===//

#ifndef TENON_TOOLS_BATCH_H
#define TENON_TOOLS_BATCH_H

#include "runtime/exec/TextModel.h"
#include "tools/tenon/Progress.h"

namespace tenon::tools {

/// Reads prompts: of a .jsonl file the texts "prompt" of its objects, of any
/// other the lines that are not empty.
/// Errors: those of reading; DATA_LOSS (a line of another form),
///         INVALID_ARGUMENT (no prompt).
StatusOr<std::vector<std::string>> readBatch(const std::string &path);

/// Answers all of them; writes a line of JSON for each to stdout, as they are
/// done: index, prompt, text, tokens, finish (stop, length, context).
Status runBatch(exec::TextModel &model, std::span<const std::string> texts,
                std::span<const std::vector<int32_t>> prompts,
                const exec::TextOptions &options, exec::GenerateStats &stats);

} // namespace tenon::tools
#endif // TENON_TOOLS_BATCH_H
