//===- Registry.h - The models Tenon knows ----------------------*- C++ -*-===//
//
//   absl::StatusOr<ModelFiles> files = ModelFiles::open("model.gguf");
//   absl::StatusOr<TracedProgram> program = traceModel(*files);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_MODELS_REGISTRY_H
#define TENON_MODELS_REGISTRY_H

#include "models/Decoder.h"

namespace tenon::models {

struct Architecture {
  /// GGUF's general.architecture, or model_type of a config.json.
  std::string_view name;
  absl::StatusOr<Decoder> (*build)(const ModelFiles &files,
                                   const DecoderOptions &options);
};

/// Every architecture, in the order of the models' folders.
std::span<const Architecture> architectures();

/// Builds the model that the files hold, whichever it is.
/// Errors: UNIMPLEMENTED (no such model, listing those there are),
///         INVALID_ARGUMENT (drafts of a model without the layer for them, a
///         form of latent attention for a model without it),
///         those of the model's configuration, those of `attachAdapters`.
absl::StatusOr<Decoder> buildModel(const ModelFiles &files,
                                   const DecoderOptions &options = {});

/// Builds it and traces its entries.
/// Errors: as `buildModel`; missing or misshapen weights.
absl::StatusOr<TracedProgram> traceModel(const ModelFiles &files,
                                         const DecoderOptions &options = {});

} // namespace tenon::models
#endif // TENON_MODELS_REGISTRY_H
