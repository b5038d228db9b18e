//===- Vocabulary.cpp - The pieces of a tokenizer -------------------------===//

#include "runtime/io/Vocabulary.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <limits>

namespace tenon::io {

namespace {

uint64_t hashOf(std::string_view piece) {
  return XXH3_64bits(piece.data(), piece.size());
}

} // namespace

Status Vocabulary::add(std::string_view piece) {
  constexpr size_t most = std::numeric_limits<uint32_t>::max();
  if (ends.size() >= most / 2 || piece.size() > most - bytes.size())
    return resourceExhausted("expects a vocabulary below 2^31 pieces and 4 "
                             "GiB");
  bytes += piece;
  ends.push_back(static_cast<uint32_t>(bytes.size()));
  return Status();
}

std::string_view Vocabulary::piece(int32_t id) const {
  auto at = static_cast<size_t>(id);
  size_t begin = at == 0 ? 0 : ends[at - 1];
  return std::string_view(bytes).substr(begin, ends[at] - begin);
}

Status Vocabulary::index(std::string_view source) {
  table = IdTable(ends.size());
  for (int32_t id = 0; id < size(); ++id) {
    std::string_view text = piece(id);
    if (text.empty())
      continue;
    if (!table.insert(hashOf(text), id,
                      [&](int32_t other) { return piece(other) == text; }))
      return resourceExhausted(source,
                               ": expects pieces that do not all "
                               "collide, got ",
                               size(), " that do");
  }
  return Status();
}

int32_t Vocabulary::find(std::string_view wanted) const {
  return table.find(hashOf(wanted),
                    [&](int32_t id) { return piece(id) == wanted; });
}

} // namespace tenon::io
