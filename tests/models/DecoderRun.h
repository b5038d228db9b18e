//===- DecoderRun.h - A decoder, compiled and run in many ways --*- C++ -*-===//
//
//   auto decoder = CompiledDecoder::compile("model.gguf");
//   RunOptions options;
//   options.chunkTokens = 7;
//   StatusOr<std::vector<float>> logits =
//       logitsOf(**decoder, {.tokens = tokens, .lastRows = 4}, options);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TESTS_MODELS_DECODERRUN_H
#define TENON_TESTS_MODELS_DECODERRUN_H

#include "codegen/Compile.h"
#include "frontend/session/Weights.h"
#include "runtime/exec/Session.h"
#include "tests/support/TempFolder.h"

namespace tenon::tests {

/// Tokens of one call, at most; chunks are cut from prompts up to this.
inline constexpr int64_t kMostTokens = 1024;

struct CompileDecoderOptions {
  std::vector<base::CpuFeatures> features; // empty: the best of this machine
  bool randomWeights = false;              // seeded, in place of the file's
  /// Of drawn weights for a config.json that has none.
  std::optional<base::ElementType> describedType = {};
  bool withoutLoop = false; // no entry "generate": generators step themselves
  CacheElement cacheType = CacheElement::f32;
  bool drafts = false; // with the entries that draft tokens
};

enum class CodeKind {
  Jit, // objects linked into this process
  Aot, // shared objects in a .tenon file
};

/// A decoder's program, its weights, and its code in every form.
/// Owns: all of it.
class CompiledDecoder {
public:
  static absl::StatusOr<std::unique_ptr<CompiledDecoder>>
  compile(const std::string &path, const CompileDecoderOptions &options = {});

  /// Loads the code for `features`; a .tenon file's through
  /// LoadedProgram::open.
  absl::StatusOr<std::shared_ptr<const exec::LoadedProgram>>
  load(base::CpuFeatures features, CodeKind kind) const;

  exec::ParameterLookup lookup() const;
  int64_t vocabulary() const;
  base::CpuFeatures bestFeatures() const {
    return compiled.code.back().features;
  }

private:
  explicit CompiledDecoder(ModelFiles opened) : files(std::move(opened)) {}
  absl::Status writeContainer() const;

  ModelFiles files;
  Weights weights;
  codegen::Compiled compiled;
  TempFolder folder; // of the .tenon file, written when first asked for
};

struct PromptRows {
  std::vector<int32_t> tokens;
  size_t lastRows = 0; // how many tokens, from the end, want logits; 0: all
};

/// Everything that may not change a bit.
struct RunOptions {
  std::optional<base::CpuFeatures> features = {}; // absent: the best
  CodeKind code = CodeKind::Jit;
  uint32_t threads = 1;
  int64_t chunkTokens = kMostTokens;
  int64_t pageBlocks = 4;
  bool reversePages = false;
  int64_t sequences = 1; // the others hold and compute tokens of their own
  int runs = 1;          // in one session, of other prompts but the last
};

/// Runs `prompt` through the entry "forward" in a fresh session and returns
/// its logits, [rows, vocabulary].
StatusOr<std::vector<float>> logitsOf(const CompiledDecoder &decoder,
                                      const PromptRows &prompt,
                                      const RunOptions &options = {});

} // namespace tenon::tests
#endif // TENON_TESTS_MODELS_DECODERRUN_H
