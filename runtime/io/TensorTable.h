//===- TensorTable.h - The tensors of a weights file ----------------------===//
//
// What a reader found, whatever the format; WeightsFile hands it on.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IO_TENSORTABLE_H
#define TENON_IO_TENSORTABLE_H

#include "runtime/base/Blocks.h"
#include "runtime/base/Status.h"

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tenon::io {

/// One tensor, its place verified. Shape is outermost first; a scalar has none.
struct TensorEntry {
  std::string name;
  base::ElementType type = base::ElementType::F32;
  std::vector<int64_t> shape;
  uint32_t file = 0;   ///< Which file of a sharded set.
  uint64_t offset = 0; ///< From the start of that file, in bytes.
  std::span<const uint8_t> data;
  bool isFloat8 = false; ///< U8 that Float8Weights.h makes bf16 of.

  int64_t elements() const;
};

/// Tensors in the order of their file, found by name in logarithmic time.
class TensorTable {
public:
  /// Orders the names.
  /// Errors: DATA_LOSS (two tensors of one name), naming `source` and tensor.
  static StatusOr<TensorTable> create(std::vector<TensorEntry> tensors,
                                      std::string_view source);

  const std::vector<TensorEntry> &tensors() const { return entries; }

  /// Returns the tensor called `name`, or null.
  const TensorEntry *find(std::string_view name) const;

private:
  std::vector<TensorEntry> entries;
  std::vector<uint32_t> byName; // indices of entries, ascending by name
};

/// Multiplies `a` by `b`, both at least 0; false when int64_t cannot hold it.
bool multiply(int64_t a, int64_t b, int64_t &out);

/// Prints a shape as "[2, 3]".
std::string printShape(std::span<const int64_t> shape);

/// Checks that no two tensors share a byte.
/// Errors: DATA_LOSS, naming `source` and both tensors.
Status checkDisjoint(std::span<const TensorEntry> tensors,
                     std::string_view source);

} // namespace tenon::io

#endif // TENON_IO_TENSORTABLE_H
