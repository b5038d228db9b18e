//===- Array.h - Tensors of the host ----------------------------*- C++ -*-===//
//
//   Array x = Array::of({1, 2, 3, 4}, {2, 2});
//   for (float value : y.values<float>())
//
//===----------------------------------------------------------------------===//

#ifndef TENON_FRONTEND_SESSION_ARRAY_H
#define TENON_FRONTEND_SESSION_ARRAY_H

#include "runtime/base/Blocks.h"

#include <cassert>
#include <cstddef>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace tenon {

/// A dense tensor: what a session takes and gives.
/// Owns: its bytes.
class Array {
public:
  Array() = default;
  /// Makes zeros. `element` must not be blocked.
  Array(base::ElementType element, std::vector<int64_t> shape);

  /// Copies values; there must be as many as the shape has elements.
  static Array of(const std::vector<float> &values, std::vector<int64_t> shape);
  static Array of(const std::vector<int8_t> &values,
                  std::vector<int64_t> shape);
  static Array of(const std::vector<int32_t> &values,
                  std::vector<int64_t> shape);
  static Array of(const std::vector<int64_t> &values,
                  std::vector<int64_t> shape);

  base::ElementType element() const { return type; }
  const std::vector<int64_t> &shape() const { return extents; }
  int64_t elements() const;

  /// The elements, outermost axis first; T must be the element type's.
  template <typename T> std::span<T> values() {
    assert(base::info(type).blockBytes == sizeof(T) && "another element type");
    return {reinterpret_cast<T *>(bytes.data()), bytes.size() / sizeof(T)};
  }
  template <typename T> std::span<const T> values() const {
    assert(base::info(type).blockBytes == sizeof(T) && "another element type");
    return {reinterpret_cast<const T *>(bytes.data()),
            bytes.size() / sizeof(T)};
  }

  size_t sizeBytes() const { return bytes.size(); }
  void *data() { return bytes.data(); }
  const void *data() const { return bytes.data(); }

private:
  base::ElementType type = base::ElementType::F32;
  std::vector<int64_t> extents;
  std::vector<std::byte> bytes;
};

/// Arguments or results, by name.
using Arrays = std::map<std::string, Array, std::less<>>;

} // namespace tenon
#endif // TENON_FRONTEND_SESSION_ARRAY_H
