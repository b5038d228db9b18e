//===- TextModel.h - A decoder model from text to text ----------*- C++ -*-===//
//
//   TENON_ASSIGN_OR_RETURN(auto model, TextModel::open(program, "gemma.tenon",
//                                                      {}));
//   TENON_ASSIGN_OR_RETURN(auto prompt, model->encode("Once upon a time"));
//   TENON_ASSIGN_OR_RETURN(auto stats, model->generate(prompt, {}, print));
//
//===----------------------------------------------------------------------===//

#ifndef TENON_RUNTIME_EXEC_TEXTMODEL_H
#define TENON_RUNTIME_EXEC_TEXTMODEL_H

#include "runtime/exec/Generator.h"
#include "runtime/exec/ModelFiles.h"
#include "runtime/io/ChatTemplate.h"

#include <optional>

namespace tenon::exec {

struct ModelOptions {
  std::shared_ptr<hal::Device> device; // null: a CPU device of its own
  std::string weightsPath; // empty: embedded, or the file it refers to
  std::shared_ptr<const io::WeightsFile> weights; // instead, opened already
  ParameterLookup parameters;  // instead of any file; empty: none
  bool withoutWeights = false; // of any kind: all that live across calls are 0
  std::string adapter;   // a folder, for programs with adapters; empty: none
  DecoderLimits decoder; // where the program is a decoder
  std::vector<SessionOptions::Limit> limits; // of other symbols
  LaunchProgress preparing; // of the weights, where they are not embedded
};

struct TextOptions {
  int64_t maxTokens = INT64_MAX;
  SamplingOptions sampling;
};

/// Takes text that never ends in half a character; returns whether to stop.
using OnText = std::function<bool(std::string_view text)>;

/// What became of a prompt.
struct TextResult {
  size_t prompt = 0; // its number
  std::string text;
  int64_t tokens = 0;
  FinishReason reason = FinishReason::MaxTokens;
};
using OnResult = std::function<void(const TextResult &result)>;

/// A session with everything around it: weights, tokenizer, generator. The
/// latter two are there only if the program is a decoder with a tokenizer.
/// Threads: one at a time, but for `session().cancel`.
class TextModel {
public:
  /// Opens a session of `program`, which was read from `programPath`.
  /// Errors: those of `openWeights`, `decoderOptions` and `Session::open`.
  static StatusOr<std::unique_ptr<TextModel>>
  open(std::shared_ptr<const LoadedProgram> program,
       const std::string &programPath, const ModelOptions &options);

  Session &session() { return *opened; }
  const Session &session() const { return *opened; }
  /// Errors: NOT_FOUND and others, of why there is none.
  StatusOr<const io::Tokenizer *> tokenizer() const;
  StatusOr<Generator *> generator();

  /// Encodes text as it stands, or a conversation in the model's template.
  /// Errors: those of `tokenizer`, io::Tokenizer and io::ChatTemplate.
  StatusOr<std::vector<int32_t>> encode(std::string_view text) const;
  StatusOr<std::vector<int32_t>>
  encode(std::span<const io::ChatMessage> messages) const;

  /// Generates from token ids and streams the text.
  /// Errors: those of `tokenizer`, `generator` and `Generator::generate`.
  StatusOr<GenerateStats> generate(std::span<const int32_t> prompt,
                                   const TextOptions &options,
                                   const OnText &onText);

  /// Generates from many prompts, as many at once as the session has sequences,
  /// prompt i with the seed + i. Results come as they are done.
  /// Errors: those of `generate`.
  StatusOr<GenerateStats>
  generateAll(std::span<const std::vector<int32_t>> prompts,
              const TextOptions &options, const OnResult &onResult);

private:
  TextModel() = default;

  std::unique_ptr<Session> opened;
  std::optional<io::Tokenizer> loadedTokenizer;
  Status tokenizerFailure;
  std::unique_ptr<Generator> madeGenerator;
  Status generatorFailure;
};

} // namespace tenon::exec
#endif // TENON_RUNTIME_EXEC_TEXTMODEL_H
