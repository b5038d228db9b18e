//===- AdapterFiles.h - What a model's code asks of an adapter --*- C++ -*-===//

#ifndef TENON_FRONTEND_SESSION_ADAPTERFILES_H
#define TENON_FRONTEND_SESSION_ADAPTERFILES_H

#include "frontend/dsl/Adapters.h"

#include "absl/status/statusor.h"

namespace tenon {

/// An adapter's options, without targets, and the names that safetensors have
/// for the linear parts that it adapts: "model.layers.0.self_attn.q_proj".
struct AdapterFiles {
  AdapterOptions options;
  std::vector<std::string> parts;
};

/// Reads the files at `path`. Errors: those of `io::AdapterFile::open`.
absl::StatusOr<AdapterFiles> readAdapterFiles(const std::string &path);

/// What files call the weight "lora_a", "lora_b", "down" or "up" of a part.
std::string adapterWeightInFile(std::string_view part, std::string_view weight);

/// A part whose result the program has in another order than safetensors do:
/// the two halves of each head alternate.
struct InterleavedPart {
  std::string part;
  int64_t heads;
};

/// What a program says of its adapters, for `exec::AdapterSet`: JSON.
/// `unadapted`: as the function of that name says.
std::string describeAdapters(const AdapterOptions &options,
                             const std::vector<InterleavedPart> &interleaved,
                             const std::vector<std::string> &unadapted);

} // namespace tenon
#endif // TENON_FRONTEND_SESSION_ADAPTERFILES_H
