//===- SafetensorsWriter.h - Writes a safetensors file ----------*- C++ -*-===//
//
// Source: huggingface/safetensors, README.md, "Format".
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IO_SAFETENSORSWRITER_H
#define TENON_IO_SAFETENSORSWRITER_H

#include "runtime/base/Blocks.h"

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace tenon::io {

/// A tensor to write: dense bytes, outermost axis first. Owns no bytes.
struct SafetensorsTensor {
  std::string name;
  base::ElementType type = base::ElementType::F32;
  std::vector<int64_t> shape;
  std::span<const uint8_t> data;
};

/// Writes the tensors in their order, which decides where each lies: data
/// begins at a multiple of 8 bytes, and nothing is between two tensors. A stack
/// of experts (StackedWeights.h) becomes a tensor for each. The file appears
/// whole or not at all, and its bytes are on the disk when this returns.
/// Errors: INVALID_ARGUMENT (a type that the format has not; bytes that are not
///         the shape's), UNAVAILABLE (the file cannot be written: why).
Status writeSafetensors(const std::string &path,
                        std::span<const SafetensorsTensor> tensors,
                        const std::map<std::string, std::string> &metadata);

/// Makes the bytes of a tensor, by its number; they are read before the next
/// one is asked for.
using TensorProducer =
    std::function<StatusOr<std::span<const uint8_t>>(size_t)>;

/// The same where the tensors' bytes are made one after the other.
/// Errors: those of `produce`, too.
Status writeSafetensors(const std::string &path,
                        std::span<const SafetensorsTensor> tensors,
                        const std::map<std::string, std::string> &metadata,
                        const TensorProducer &produce);

} // namespace tenon::io
#endif // TENON_IO_SAFETENSORSWRITER_H
