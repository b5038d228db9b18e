//===- PageTable.h - Which cache pages a sequence has -----------*- C++ -*-===//
//
//   PageTable table({.pages = 64, .pageTokens = 256, .sequences = 2,
//                    .pagesPerSequence = 16});
//   TENON_RETURN_IF_ERROR(table.append(0, promptTokens));
//   // table.table() is the [sequences, pagesPerSequence] block table
//
//===----------------------------------------------------------------------===//

#ifndef TENON_RUNTIME_EXEC_PAGETABLE_H
#define TENON_RUNTIME_EXEC_PAGETABLE_H

#include "runtime/base/Status.h"

#include <cstdint>
#include <span>
#include <vector>

namespace tenon::exec {

/// Threads: one at a time. Allocates only when made.
class PageTable {
public:
  struct Options {
    int64_t pages = 0;      // of the session's states
    int64_t pageTokens = 0; // a multiple of TENON_CACHE_BLOCK
    int64_t sequences = 0;
    int64_t pagesPerSequence = 0;
  };
  explicit PageTable(const Options &options);

  /// Makes room for `tokens` more positions of `sequence`. On failure nothing
  /// has changed.
  /// Errors: OUT_OF_RANGE (beyond the context), RESOURCE_EXHAUSTED (no pages).
  Status append(int64_t sequence, int64_t tokens);
  /// Keeps the first `tokens` positions, at most what there is.
  void truncate(int64_t sequence, int64_t tokens);
  void release(int64_t sequence) { truncate(sequence, 0); }

  /// How many more positions `append` would take, by pages and context.
  int64_t room(int64_t sequence) const;

  int64_t length(int64_t sequence) const { return lengths[sequence]; }
  int64_t freePages() const { return static_cast<int64_t>(unused.size()); }
  /// Page numbers by sequence and position, -1 where there is none.
  std::span<const int32_t> table() const { return entries; }
  const Options &options() const { return sizes; }

private:
  int64_t pagesFor(int64_t tokens) const {
    return (tokens + sizes.pageTokens - 1) / sizes.pageTokens;
  }

  Options sizes;
  std::vector<int32_t> entries; // [sequences, pagesPerSequence]
  std::vector<int64_t> lengths; // by sequence, in tokens
  std::vector<int32_t> unused;  // the last is given first
};

} // namespace tenon::exec
#endif // TENON_RUNTIME_EXEC_PAGETABLE_H
