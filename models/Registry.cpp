//===- Registry.cpp - The models Tenon knows ------------------------------===//

#include "models/Registry.h"

#include "models/Adapters.h"
#include "models/deepseek/Model.h"
#include "models/gemma/Model.h"
#include "models/gpt2/Model.h"
#include "models/llama/Model.h"
#include "models/qwen/Model.h"

namespace tenon::models {

std::span<const Architecture> architectures() {
  static constexpr Architecture kArchitectures[] = {
      {"deepseek2", deepseek::buildDeepseek}, // in GGUF, of either
      {"deepseek_v2", deepseek::buildDeepseek},
      {"deepseek_v3", deepseek::buildDeepseek},
      {"gemma3", gemma::buildGemma},
      {"gemma3_text", gemma::buildGemma},
      {"gpt2", gpt2::buildGpt2},
      {"llama", llama::buildLlama},
      {"qwen2", qwen::buildQwen},
      {"qwen3", qwen::buildQwen},
      {"qwen3_moe", qwen::buildQwen},
      {"qwen3moe", qwen::buildQwen},
  };
  return kArchitectures;
}

absl::StatusOr<Decoder> buildModel(const ModelFiles &files,
                                   const DecoderOptions &options) {
  std::string known;
  for (const Architecture &architecture : architectures()) {
    if (architecture.name == files.config().architecture()) {
      absl::StatusOr<Decoder> built = architecture.build(files, options);
      absl::Status status =
          built.ok() ? attachAdapters(*built, options) : built.status();
      if (status.ok() && options.drafts && !built->drafting)
        return absl::InvalidArgumentError(
            files.path() + ": expects a model with a layer that predicts a "
                           "further token, for drafts, got one without");
      if (status.ok() && options.latents && !built->hasLatents)
        return absl::InvalidArgumentError(
            files.path() +
            ": expects a model of latent attention, to choose "
            "its form, got one of '" +
            files.config().architecture() + "', which has none");
      if (!status.ok())
        return status;
      return built;
    }
    known += (known.empty() ? "" : ", ") + std::string(architecture.name);
  }
  return absl::UnimplementedError(
      files.path() + ": expects one of the architectures " + known + ", got '" +
      files.config().architecture() + "'");
}

absl::StatusOr<TracedProgram> traceModel(const ModelFiles &files,
                                         const DecoderOptions &options) {
  absl::StatusOr<Decoder> decoder = buildModel(files, options);
  if (!decoder.ok())
    return decoder.status();
  return traceDecoder(*decoder, files, options);
}

} // namespace tenon::models
