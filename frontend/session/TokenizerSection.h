//===- TokenizerSection.h - A model's tokenizer, to store -------*- C++ -*-===//

#ifndef TENON_FRONTEND_SESSION_TOKENIZERSECTION_H
#define TENON_FRONTEND_SESSION_TOKENIZERSECTION_H

#include "runtime/io/WeightsFile.h"

#include <string>

namespace tenon {

/// Writes what a .tenon file's Tokenizer section holds: a GGUF file without
/// tensors that has the keys "tokenizer.*" of a GGUF, or of safetensors their
/// tokenizer.json and tokenizer_config.json as io::Tokenizer::load reads them
/// from there. Empty where the model has no tokenizer.
/// Errors: those of io::readFile.
StatusOr<std::string> writeTokenizerSection(const io::WeightsFile &weights);

} // namespace tenon
#endif // TENON_FRONTEND_SESSION_TOKENIZERSECTION_H
