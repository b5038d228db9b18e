//===- Safetensors.h - The safetensors reader -----------------------------===//
//
// Reads one file, and the index of a set of them. Data stays where it is and
// may lie at any alignment.
//
//   TENON_ASSIGN_OR_RETURN(
//       SafetensorsFile file,
//       SafetensorsFile::parse(mapped.bytes(), "model.safetensors"));
//
// Source: huggingface/safetensors, README.md, "Format".
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IO_SAFETENSORS_H
#define TENON_IO_SAFETENSORS_H

#include "runtime/io/Metadata.h"
#include "runtime/io/TensorTable.h"

namespace tenon::io {

/// A verified safetensors file: tensors cover the data exactly, in any order.
/// Its spans are views into the bytes it was parsed from.
class SafetensorsFile {
public:
  /// Parses `bytes`, a whole file; `source` names it in messages.
  /// Errors: DATA_LOSS (cut short, or it contradicts itself), UNIMPLEMENTED
  ///         (an element type Tenon has not), each naming source, tensor and
  ///         what was expected.
  static StatusOr<SafetensorsFile> parse(std::span<const uint8_t> bytes,
                                         std::string_view source);

  /// The strings of "__metadata__".
  const Metadata &metadata() const { return values; }
  Metadata takeMetadata() { return std::move(values); }
  const TensorTable &tensors() const { return table; }

  /// Everything before the first tensor's data.
  std::span<const uint8_t> header() const { return headerBytes; }

private:
  SafetensorsFile() = default;

  Metadata values;
  TensorTable table;
  std::span<const uint8_t> headerBytes;
};

/// What "model.safetensors.index.json" says: which file holds which tensor.
struct SafetensorsIndex {
  struct Entry {
    std::string tensor;
    uint32_t file; ///< Index of `files`.
  };
  std::vector<std::string> files; ///< Ascending; plain names, no folders.
  std::vector<Entry> entries;     ///< Ascending by tensor.
};

/// Parses an index; `source` names it in messages.
/// Errors: DATA_LOSS (malformed), INVALID_ARGUMENT (a file name that is not a
///         plain name and so could leave the folder).
StatusOr<SafetensorsIndex> parseSafetensorsIndex(std::string_view text,
                                                 std::string_view source);

} // namespace tenon::io

#endif // TENON_IO_SAFETENSORS_H
