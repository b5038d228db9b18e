//===- Vocabulary.h - The pieces of a tokenizer ---------------------------===//
//
//   Vocabulary pieces;
//   pieces.add("<bos>");            // 0
//   TENON_RETURN_IF_ERROR(pieces.index(usable, "tokenizer.json"));
//   pieces.find("<bos>");           // 0
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IO_VOCABULARY_H
#define TENON_IO_VOCABULARY_H

#include "runtime/base/Status.h"
#include "runtime/io/IdTable.h"

#include <string>
#include <string_view>

namespace tenon::io {

/// Strings numbered from 0 in one allocation, found by content. Copies are
/// deep; a piece's view lives until the next add().
class Vocabulary {
public:
  int32_t size() const { return static_cast<int32_t>(ends.size()); }

  /// Appends a piece, which may be empty or repeated.
  /// Errors: RESOURCE_EXHAUSTED (2^31 pieces, or 4 GiB of them).
  Status add(std::string_view piece);

  std::string_view piece(int32_t id) const;

  /// Makes find() work. Among equal pieces the lowest number is found; empty
  /// ones never are.
  /// Errors: RESOURCE_EXHAUSTED (`source`'s pieces are crafted to collide).
  Status index(std::string_view source);

  /// Returns the number of `piece`, or -1.
  int32_t find(std::string_view piece) const;

private:
  std::string bytes;
  std::vector<uint32_t> ends;
  IdTable table;
};

} // namespace tenon::io

#endif // TENON_IO_VOCABULARY_H
