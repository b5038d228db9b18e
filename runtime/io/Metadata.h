//===- Metadata.h - Typed values by name, from GGUF or JSON ---------------===//
//
// One flat key -> value table, whichever format it came from. A getter's error
// names the source, the key, and what was expected.
//
//   TENON_ASSIGN_OR_RETURN(int64_t layers,
//                          metadata.getInt("gemma3.block_count"));
//   TENON_ASSIGN_OR_RETURN(double theta,
//                          metadata.getFloat("gemma3.rope.freq_base", 1e4));
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IO_METADATA_H
#define TENON_IO_METADATA_H

#include "runtime/base/Status.h"
#include "runtime/io/Json.h"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tenon::io {

/// The value types of GGUF; the numbers are the file's.
enum class ValueType : uint32_t {
  U8 = 0,
  I8 = 1,
  U16 = 2,
  I16 = 3,
  U32 = 4,
  I32 = 5,
  F32 = 6,
  Bool = 7,
  String = 8,
  Array = 9,
  U64 = 10,
  I64 = 11,
  F64 = 12,
};

/// Returns "u8", "string", ...; "unknown" for another number.
std::string_view valueTypeName(ValueType type);

/// Returns the bytes of one value; 0 for strings and arrays, which vary.
size_t valueTypeSize(ValueType type);

/// An array as it lies in a GGUF file: borrowed, verified, decoded on demand.
struct ArrayView {
  ValueType element;
  uint64_t count;
  std::span<const uint8_t> bytes;
};

using Value =
    std::variant<bool, int64_t, uint64_t, double, std::string_view, ArrayView>;

/// Owns: its keys, and the values that came from JSON; values that came from a
/// GGUF file are views into its bytes, which must outlive this.
/// Threads: any may read.
class Metadata {
public:
  explicit Metadata(std::string sourceName = "metadata")
      : name(std::move(sourceName)) {}
  Metadata(Metadata &&) = default;
  Metadata &operator=(Metadata &&) = default;

  /// The file this came from, as messages name it.
  const std::string &source() const { return name; }
  void rename(std::string sourceName) { name = std::move(sourceName); }

  /// Adds a value. Returns false if `key` is there already.
  bool add(std::string_view key, Value value);

  /// Adds every scalar and every array of scalars of one kind in `object`;
  /// members of nested objects are keyed "outer.inner". Nulls, and arrays that
  /// are mixed or nested, are left out: no model reads them.
  void addJson(const Json &object, const std::string &prefix = "");

  bool has(std::string_view key) const { return find(key) != nullptr; }
  const Value *find(std::string_view key) const;

  /// Lists the keys in ascending order.
  std::vector<std::string_view> keys() const;

  /// Each returns the value of `key`, or `fallback` if given and there is none.
  /// Errors: NOT_FOUND (no such key and no fallback), INVALID_ARGUMENT (a value
  ///         of another type, or an integer beyond int64_t).
  StatusOr<bool> getBool(std::string_view key,
                         std::optional<bool> fallback = {}) const;
  StatusOr<int64_t> getInt(std::string_view key,
                           std::optional<int64_t> fallback = {}) const;
  StatusOr<double> getFloat(std::string_view key,
                            std::optional<double> fallback = {}) const;
  StatusOr<std::string_view>
  getString(std::string_view key,
            std::optional<std::string_view> fallback = {}) const;

  /// Each decodes the array `key`.
  /// Errors: NOT_FOUND, INVALID_ARGUMENT (no array, or of another type).
  StatusOr<std::vector<int64_t>> getInts(std::string_view key) const;
  StatusOr<std::vector<double>> getFloats(std::string_view key) const;
  StatusOr<std::vector<std::string_view>>
  getStrings(std::string_view key) const;

private:
  Status missing(std::string_view key) const;
  Status wrongType(std::string_view key, std::string_view expected,
                   const Value &got) const;
  StatusOr<const ArrayView *> findArray(std::string_view key) const;
  void addJsonArray(const std::string &key, const Json &array);

  std::string name;
  std::map<std::string, Value, std::less<>> values;
  std::deque<std::string> owned; // what JSON's strings and arrays point to
};

} // namespace tenon::io

#endif // TENON_IO_METADATA_H
