//===- Adapters.h - Adapters of decoders ------------------------*- C++ -*-===//
//
// The names that an adapter's weights have in files are those of PEFT, whatever
// the format of the decoder's own:
//
//   base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight
//
//===----------------------------------------------------------------------===//

#ifndef TENON_MODELS_ADAPTERS_H
#define TENON_MODELS_ADAPTERS_H

#include "models/Decoder.h"

namespace tenon::models {

/// Attaches the adapters that the options ask for to the decoder's model.
/// Errors: those of `Adapters::check` and `io::AdapterFile::open`;
///         INVALID_ARGUMENT (the files are of another model).
absl::Status attachAdapters(Decoder &decoder, const DecoderOptions &options);

/// An adapter's weight's name in files, by its name in the model; nothing for
/// other weights.
std::optional<std::string> adapterSource(const Decoder &decoder,
                                         std::string_view name);

/// A linear part, as the model's files and an adapter's have it.
struct PartInFiles {
  std::string tensor; ///< Its weight in the model's file.
  std::string part;   ///< "model.layers.0.self_attn.q_proj"
  bool inputsFirst;   ///< The weight is [D, N], not [N, D].
  int64_t heads;      ///< Of `InterleavedHeads`; 0: none.
};

/// Every linear part that the files have a weight of.
std::vector<PartInFiles> partsInFiles(const Decoder &decoder,
                                      const ModelFiles &files);

} // namespace tenon::models
#endif // TENON_MODELS_ADAPTERS_H
