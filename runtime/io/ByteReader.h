//===- ByteReader.h - A cursor that cannot leave its bytes ----------------===//
//
//   ByteReader in(bytes, "model.gguf");
//   TENON_ASSIGN_OR_RETURN(auto count, in.read<uint64_t>("tensor count"));
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IO_BYTEREADER_H
#define TENON_IO_BYTEREADER_H

#include "runtime/base/Status.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace tenon::io {

// Values are copied as they lie; every machine we run on agrees with the files.
static_assert(std::endian::native == std::endian::little);

/// Reads little-endian values in order. Each `what` names the thing read, for
/// the DATA_LOSS that running out of bytes gives.
class ByteReader {
public:
  ByteReader(std::span<const uint8_t> all, std::string_view sourceName)
      : bytes(all), source(sourceName) {}

  size_t position() const { return at; }
  size_t remaining() const { return bytes.size() - at; }

  StatusOr<std::span<const uint8_t>> take(uint64_t size,
                                          std::string_view what) {
    if (size > remaining())
      return dataLoss(source, ": expects ", size, " bytes for \"", what,
                      "\" at offset ", at, ", got ", remaining(),
                      "; the file is cut short");
    std::span<const uint8_t> taken = bytes.subspan(at, size);
    at += size;
    return taken;
  }

  Status skip(uint64_t size, std::string_view what) {
    return take(size, what).status();
  }

  template <typename T> StatusOr<T> read(std::string_view what) {
    TENON_ASSIGN_OR_RETURN(std::span<const uint8_t> raw, take(sizeof(T), what));
    T value;
    std::memcpy(&value, raw.data(), sizeof(T));
    return value;
  }

  /// Reads a T as a `Wide`, in whatever holds one.
  template <typename T, typename Wide, typename Result = Wide>
  StatusOr<Result> readAs(std::string_view what) {
    TENON_ASSIGN_OR_RETURN(T value, read<T>(what));
    return Result(static_cast<Wide>(value));
  }

  /// Reads a u64 length of at most `maxBytes`, then that many bytes.
  StatusOr<std::string_view> readString(std::string_view what,
                                        uint64_t maxBytes) {
    TENON_ASSIGN_OR_RETURN(auto size, read<uint64_t>(what));
    if (size > maxBytes)
      return dataLoss(source, ": expects at most ", maxBytes, " bytes for \"",
                      what, "\" at offset ", at, ", got ", size);
    TENON_ASSIGN_OR_RETURN(std::span<const uint8_t> raw, take(size, what));
    return std::string_view(reinterpret_cast<const char *>(raw.data()),
                            raw.size());
  }

  /// Skips `count` strings, each after its u64 length: what files of large
  /// vocabularies mostly are.
  Status skipStrings(uint64_t count, std::string_view what) {
    for (uint64_t size = 0; count > 0; --count, at += sizeof(size) + size) {
      bool hasSize = remaining() >= sizeof(size);
      if (hasSize)
        std::memcpy(&size, bytes.data() + at, sizeof(size));
      if (!hasSize || size > remaining() - sizeof(size))
        return readString(what, bytes.size()).status();
    }
    return Status();
  }

private:
  std::span<const uint8_t> bytes;
  std::string_view source;
  size_t at = 0;
};

} // namespace tenon::io

#endif // TENON_IO_BYTEREADER_H
