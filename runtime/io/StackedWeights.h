//===- StackedWeights.h - Experts' weights as one tensor --------*- C++ -*-===//
//
// Safetensors have a tensor for each expert of a layer,
//
//   model.layers.3.mlp.experts.0.gate_proj.weight   [F, D]
//   model.layers.3.mlp.experts.1.gate_proj.weight   [F, D] ...
//
// where models have one for all, [E, F, D], which is called by the same name
// with "#" for the expert's number.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IO_STACKEDWEIGHTS_H
#define TENON_IO_STACKEDWEIGHTS_H

#include "runtime/io/TensorTable.h"

namespace tenon::io {

/// Puts every stack of experts among `tensors` in the place of its parts.
/// Returns: the bytes of the stacks, which their entries view: they are copied.
/// Errors: DATA_LOSS (a number is missing, or parts have different types or
///         shapes), naming `source` and tensor.
StatusOr<std::vector<std::vector<uint8_t>>>
stackExperts(std::vector<TensorEntry> &tensors, std::string_view source);

/// Whether a name is that of a stack.
bool isStackName(std::string_view name);

/// The name of one expert's part of a stack.
std::string expertName(std::string_view stack, int64_t expert);

} // namespace tenon::io

#endif // TENON_IO_STACKEDWEIGHTS_H
