//===- SafetensorsWriter.h - Small safetensors files for tests ------------===//
//
//   std::string file = writeSafetensors(
//       R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
//       std::string(8, '\0'));
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TESTS_SUPPORT_SAFETENSORSWRITER_H
#define TENON_TESTS_SUPPORT_SAFETENSORSWRITER_H

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace tenon::tests {

/// Joins a header, as the test spells it, and data. `headerBytes` overrides the
/// length that the file states.
inline std::string writeSafetensors(std::string_view header,
                                    std::string_view data,
                                    std::optional<uint64_t> headerBytes = {}) {
  uint64_t size = headerBytes.value_or(header.size());
  std::string file(8, '\0');
  std::memcpy(file.data(), &size, 8);
  file += header;
  file += data;
  return file;
}

} // namespace tenon::tests

#endif // TENON_TESTS_SUPPORT_SAFETENSORSWRITER_H
