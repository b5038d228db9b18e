//===- ModelPath.h - What a MODEL argument names ----------------*- C++ -*-===//

#ifndef TENON_TOOLS_MODELPATH_H
#define TENON_TOOLS_MODELPATH_H

#include "runtime/io/WeightsFile.h"

#include <string>

namespace tenon::tools {

enum class ModelKind {
  Program, // a .tenon file
  Weights, // GGUF or safetensors: must be compiled
};

/// Tells by a file's first bytes, or by its name where they say nothing, what
/// kind of model `path` names.
/// Errors: NOT_FOUND.
StatusOr<ModelKind> classifyModel(const std::string &path);

/// Opens weights; a failure says what Tenon reads.
StatusOr<io::WeightsFile> openWeightsFile(const std::string &path);

/// Identifies all that compiling reads of a model: the weights' header,
/// metadata and table, and beside safetensors the configuration and tokenizer.
StatusOr<std::string> modelDigest(const io::WeightsFile &weights);

} // namespace tenon::tools
#endif // TENON_TOOLS_MODELPATH_H
