//===- Gguf.h - The GGUF v2 and v3 reader ---------------------------------===//
//
// Reads header, metadata and tensor table; tensor data stays where it is.
//
//   TENON_ASSIGN_OR_RETURN(MappedFile file, MappedFile::open(path));
//   TENON_ASSIGN_OR_RETURN(GgufFile gguf, GgufFile::parse(file.bytes(), path));
//   const TensorEntry *head = gguf.tensors().find("token_embd.weight");
//
// Source: ggml-org/ggml, docs/gguf.md.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IO_GGUF_H
#define TENON_IO_GGUF_H

#include "runtime/io/Metadata.h"
#include "runtime/io/TensorTable.h"

namespace tenon::io {

/// A verified GGUF file. Everything it returns is a view into the bytes it was
/// parsed from, which must outlive it.
class GgufFile {
public:
  /// Parses `bytes`, a whole file; `source` names it in messages.
  /// Errors: DATA_LOSS (cut short, or it contradicts itself), UNIMPLEMENTED
  ///         (another version, byte order or tensor type), each naming the
  ///         source, the key or tensor, and what was expected.
  static StatusOr<GgufFile> parse(std::span<const uint8_t> bytes,
                                  std::string_view source);

  uint32_t version() const { return fileVersion; }
  uint64_t alignment() const { return dataAlignment; }
  const Metadata &metadata() const { return values; }
  Metadata takeMetadata() { return std::move(values); }
  const TensorTable &tensors() const { return table; }

  /// The metadata's bytes, of `valueCount` values.
  std::span<const uint8_t> metadataBytes() const { return valueBytes; }
  uint64_t valueCount() const { return countOfValues; }

  /// Everything before the first tensor's data.
  std::span<const uint8_t> header() const { return headerBytes; }

private:
  GgufFile() = default;

  uint32_t fileVersion = 0;
  uint64_t dataAlignment = 32;
  Metadata values;
  TensorTable table;
  std::span<const uint8_t> headerBytes, valueBytes;
  uint64_t countOfValues = 0;
};

/// The format's number of an element type; nothing if it has none.
std::optional<uint32_t> ggmlTypeOf(base::ElementType type);

} // namespace tenon::io

#endif // TENON_IO_GGUF_H
