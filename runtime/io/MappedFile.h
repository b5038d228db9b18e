//===- MappedFile.h - A file's bytes without reading them -----------------===//
//
//   TENON_ASSIGN_OR_RETURN(MappedFile file, MappedFile::open("model.gguf"));
//   std::span<const uint8_t> bytes = file.bytes();
//
// The mapping is private and read-only. Shortening the file while it is mapped
// makes a later read fault (SIGBUS); writers must replace files, not edit them.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IO_MAPPEDFILE_H
#define TENON_IO_MAPPEDFILE_H

#include "runtime/base/Status.h"

#include <cstdint>
#include <span>
#include <string>

namespace tenon::io {

/// Owns: the mapping; the spans handed out die with it. Moving keeps them.
/// Threads: any may read.
class MappedFile {
public:
  /// Maps the regular file at `path`.
  /// Errors: NOT_FOUND (no such file), INVALID_ARGUMENT (not a regular file),
  ///         UNAVAILABLE (permission, too little address space).
  static StatusOr<MappedFile> open(const std::string &path);

  MappedFile(MappedFile &&other) noexcept;
  MappedFile &operator=(MappedFile &&other) noexcept;
  ~MappedFile();

  std::span<const uint8_t> bytes() const { return {data, size}; }

  /// Tells the kernel that `part`, a part of bytes(), will not be read soon, so
  /// that its pages can go. It stays readable.
  void release(std::span<const uint8_t> part) const;

private:
  MappedFile(const uint8_t *mapped, size_t length)
      : data(mapped), size(length) {}

  const uint8_t *data = nullptr;
  size_t size = 0;
};

/// Reads a whole small file.
/// Errors: as MappedFile::open; RESOURCE_EXHAUSTED (more than `maxBytes`).
StatusOr<std::string> readFile(const std::string &path, size_t maxBytes);

} // namespace tenon::io

#endif // TENON_IO_MAPPEDFILE_H
