//===- MergeAdapter.h - An adapter made a part of the weights ---*- C++ -*-===//
//
//   w' = w + scale * b a
//
// computed in f32 from the weights' values and rounded once to their type: for
// a blocked one, by its reference quantiser.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IO_MERGEADAPTER_H
#define TENON_IO_MERGEADAPTER_H

#include "runtime/io/AdapterFile.h"

#include <optional>

namespace tenon::io {

/// A linear part of a model.
struct MergePart {
  std::string tensor;       ///< Its weight in the model's file.
  std::string part;         ///< Its name in an adapter's.
  bool inputsFirst = false; ///< The weight is [D, N], not [N, D].
  /// Heads whose rows lie as `placeInHalves` says; 0: they lie as the
  /// adapter's.
  int64_t heads = 0;
};

struct MergeOptions {
  /// Of the weights that change; absent: the type they have.
  std::optional<base::ElementType> type;
  bool takesAway = false; ///< Subtracts: undoes a merge.
};

struct MergeReport {
  int64_t merged = 0;      ///< Weights that changed.
  int64_t dequantised = 0; ///< Blocked ones that became plain.
  base::ElementType type = base::ElementType::F32; ///< Of the merged ones.
};

/// Writes the model's weights with the adapter in them to `path`: a GGUF file
/// for a GGUF file, with its metadata and its other weights as they are; else
/// safetensors, which hold no blocks: every blocked weight becomes plain there,
/// in `options.type` or else bf16.
/// Errors: INVALID_ARGUMENT (a part of the adapter that the model has not, or
///         of another shape; a type that the file cannot hold), UNIMPLEMENTED
///         (bottlenecks, which are no part of a weight; a GGUF in several
///         files), UNAVAILABLE (cannot write).
StatusOr<MergeReport> mergeAdapter(const WeightsFile &model,
                                   const AdapterFile &adapter,
                                   std::span<const MergePart> parts,
                                   const MergeOptions &options,
                                   const std::string &path);

} // namespace tenon::io
#endif // TENON_IO_MERGEADAPTER_H
