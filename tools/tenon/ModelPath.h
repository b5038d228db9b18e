//===- ModelPath.h - What a MODEL argument names ----------------*- C++ -*-===//

#ifndef TENON_TOOLS_MODELPATH_H
#define TENON_TOOLS_MODELPATH_H

#include "runtime/io/WeightsFile.h"

#include <optional>
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

/// The config.json that `path` is or that lies in the folder `path` without
/// weights; nothing if it names anything else.
std::optional<std::string> loneConfig(const std::string &path);

/// Opens weights; a failure says what Tenon reads.
StatusOr<io::WeightsFile> openWeightsFile(const std::string &path);

/// Identifies all that compiling reads of a model: the weights' header,
/// metadata and table, and beside safetensors the configuration and tokenizer;
/// or a config.json and the type of the weights to draw.
StatusOr<std::string> modelDigest(const io::WeightsFile &weights);
StatusOr<std::string> configDigest(const std::string &config,
                                   const std::string &weightsType);

/// What the compiler needs to make a program for adapters of the form of this
/// one, as JSON; empty for an empty path.
std::string adaptersLike(const std::string &path);

/// Identifies what a program depends on of an adapter: its configuration and
/// the names and shapes of its weights; empty for an empty path.
StatusOr<std::string> adapterDigest(const std::string &path);

} // namespace tenon::tools
#endif // TENON_TOOLS_MODELPATH_H
