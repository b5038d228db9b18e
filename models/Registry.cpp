//===- Registry.cpp - The models Tenon knows ------------------------------===//

#include "models/Registry.h"

#include "models/gemma/Model.h"
#include "models/llama/Model.h"
#include "models/qwen/Model.h"

namespace tenon::models {

std::span<const Architecture> architectures() {
  static constexpr Architecture kArchitectures[] = {
      {"gemma3", gemma::traceGemma},
      {"gemma3_text", gemma::traceGemma},
      {"llama", llama::traceLlama},
      {"qwen2", qwen::traceQwen},
  };
  return kArchitectures;
}

absl::StatusOr<TracedProgram> traceModel(const ModelFiles &files,
                                         const DecoderOptions &options) {
  std::string known;
  for (const Architecture &architecture : architectures()) {
    if (architecture.name == files.config().architecture())
      return architecture.trace(files, options);
    known += (known.empty() ? "" : ", ") + std::string(architecture.name);
  }
  return absl::UnimplementedError(
      files.path() + ": expects one of the architectures " + known + ", got '" +
      files.config().architecture() + "'");
}

} // namespace tenon::models
