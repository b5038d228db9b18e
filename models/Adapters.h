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

} // namespace tenon::models
#endif // TENON_MODELS_ADAPTERS_H
