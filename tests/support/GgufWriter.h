//===- GgufWriter.h - Small GGUF files for tests --------------------------===//
//
// Writes what it is told, also when that is a lie: counts, offsets and lengths
// can be overridden, which is how the bad-input tests are made.
//
//   GgufWriter gguf;
//   gguf.addString("general.architecture", "gemma3");
//   gguf.addTensor("w", {2, 32}, kGgmlQ8_0, bytes);
//   std::string file = gguf.write();
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TESTS_SUPPORT_GGUFWRITER_H
#define TENON_TESTS_SUPPORT_GGUFWRITER_H

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tenon::tests {

inline constexpr uint32_t kGgmlF32 = 0, kGgmlQ8_0 = 8, kGgmlQ2_K = 10;

class GgufWriter {
public:
  // What the header says; the truth unless set.
  uint32_t version = 3;
  std::optional<uint64_t> tensorCount, valueCount;
  std::string magic = "GGUF";
  uint64_t alignment = 32; // of the data; add the key yourself if not 32

  /// Appends the bytes of `value` to `out`.
  template <typename T> static void put(std::string &out, T value) {
    char bytes[sizeof(T)];
    std::memcpy(bytes, &value, sizeof(T));
    out.append(bytes, sizeof(T));
  }

  static void putString(std::string &out, std::string_view text) {
    put<uint64_t>(out, text.size());
    out += text;
  }

  /// Adds a value of any type from its encoded bytes.
  void addRaw(std::string_view key, uint32_t type, std::string_view bytes) {
    putString(values, key);
    put(values, type);
    values += bytes;
    ++writtenValues;
  }

  template <typename T>
  void addScalar(std::string_view key, uint32_t type, T value) {
    std::string bytes;
    put(bytes, value);
    addRaw(key, type, bytes);
  }
  void addU32(std::string_view key, uint32_t v) { addScalar(key, 4, v); }
  void addI64(std::string_view key, int64_t v) { addScalar(key, 11, v); }
  void addF32(std::string_view key, float v) { addScalar(key, 6, v); }
  void addBool(std::string_view key, bool v) {
    addScalar(key, 7, static_cast<uint8_t>(v));
  }

  void addString(std::string_view key, std::string_view text) {
    std::string bytes;
    putString(bytes, text);
    addRaw(key, 8, bytes);
  }

  void addStrings(std::string_view key, const std::vector<std::string> &texts) {
    std::string bytes;
    put<uint32_t>(bytes, 8);
    put<uint64_t>(bytes, texts.size());
    for (const std::string &text : texts)
      putString(bytes, text);
    addRaw(key, 9, bytes);
  }

  template <typename T>
  void addArray(std::string_view key, uint32_t element,
                const std::vector<T> &elements) {
    std::string bytes;
    put(bytes, element);
    put<uint64_t>(bytes, elements.size());
    for (T value : elements)
      put(bytes, value);
    addRaw(key, 9, bytes);
  }

  /// Adds a tensor whose shape is outermost first, as the readers give it.
  /// `offset` overrides where the table says its data is.
  void addTensor(std::string_view name, const std::vector<uint64_t> &shape,
                 uint32_t ggmlType, std::string_view bytes,
                 std::optional<uint64_t> offset = {}) {
    putString(table, name);
    put(table, static_cast<uint32_t>(shape.size()));
    for (size_t i = shape.size(); i-- > 0;)
      put(table, shape[i]);
    put(table, ggmlType);
    put<uint64_t>(table, offset.value_or(data.size()));
    data += bytes;
    pad(data);
    ++writtenTensors;
  }

  std::string write() const {
    std::string out = magic;
    put(out, version);
    put(out, tensorCount.value_or(writtenTensors));
    put(out, valueCount.value_or(writtenValues));
    out += values + table;
    pad(out);
    return out + data;
  }

private:
  void pad(std::string &out) const {
    out.resize((out.size() + alignment - 1) / alignment * alignment, '\0');
  }

  std::string values, table, data;
  uint64_t writtenValues = 0, writtenTensors = 0;
};

/// Views a file made in memory as the readers want it.
inline std::span<const uint8_t> asBytes(std::string_view file) {
  return {reinterpret_cast<const uint8_t *>(file.data()), file.size()};
}

} // namespace tenon::tests

#endif // TENON_TESTS_SUPPORT_GGUFWRITER_H
