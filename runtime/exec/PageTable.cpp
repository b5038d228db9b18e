//===- PageTable.cpp - Which cache pages a sequence has -------------------===//

#include "runtime/exec/PageTable.h"

#include <algorithm>

namespace tenon::exec {

PageTable::PageTable(const Options &options)
    : sizes(options), entries(options.sequences * options.pagesPerSequence, -1),
      lengths(options.sequences, 0) {
  unused.reserve(options.pages);
  for (int64_t page = options.pages; page-- > 0;)
    unused.push_back(static_cast<int32_t>(page));
}

Status PageTable::append(int64_t sequence, int64_t tokens) {
  int64_t length = lengths[sequence];
  int64_t context = sizes.pagesPerSequence * sizes.pageTokens;
  if (tokens < 0 || tokens > context - length)
    return outOfRange("sequence ", sequence, " expects at most ", context,
                      " tokens, got ", length, " and ", tokens, " more");
  int64_t has = pagesFor(length), needs = pagesFor(length + tokens);
  if (needs - has > freePages())
    return resourceExhausted("sequence ", sequence, " expects ", needs - has,
                             " more cache pages of ", sizes.pageTokens,
                             " tokens, ", freePages(), " of ", sizes.pages,
                             " are free");
  for (int64_t i = has; i < needs; ++i) {
    entries[sequence * sizes.pagesPerSequence + i] = unused.back();
    unused.pop_back();
  }
  lengths[sequence] = length + tokens;
  return Status();
}

int64_t PageTable::room(int64_t sequence) const {
  int64_t length = lengths[sequence];
  int64_t pages =
      std::min(pagesFor(length) + freePages(), sizes.pagesPerSequence);
  return pages * sizes.pageTokens - length;
}

void PageTable::truncate(int64_t sequence, int64_t tokens) {
  int64_t length = std::min(tokens, lengths[sequence]);
  for (int64_t i = pagesFor(lengths[sequence]); i-- > pagesFor(length);) {
    int32_t &page = entries[sequence * sizes.pagesPerSequence + i];
    unused.push_back(page);
    page = -1;
  }
  lengths[sequence] = length;
}

} // namespace tenon::exec
