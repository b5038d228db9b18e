//===- GgufWriter.h - Writes a GGUF file like another one -----------------===//
//
// Source: ggml-org/ggml, docs/gguf.md.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IO_GGUFWRITER_H
#define TENON_IO_GGUFWRITER_H

#include "runtime/io/Gguf.h"
#include "runtime/io/SafetensorsWriter.h"

namespace tenon::io {

/// Writes a file with the metadata of `like`, as it stands, and its tensors in
/// their order, by number of the types `types`. It appears whole or not at all,
/// and its bytes are on the disk when this returns.
/// Errors: INVALID_ARGUMENT (a type that the format has not; rows that are no
///         whole blocks; bytes that are not the tensor's), UNAVAILABLE (the
///         file cannot be written: why), those of `produce`.
Status writeGguf(const std::string &path, const GgufFile &like,
                 std::span<const base::ElementType> types,
                 const TensorProducer &produce);

} // namespace tenon::io
#endif // TENON_IO_GGUFWRITER_H
