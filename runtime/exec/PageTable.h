//===- PageTable.h - Which cache pages a sequence has -----------*- C++ -*-===//
//
//   PageTable table({.pages = 64, .pageTokens = 256, .sequences = 2,
//                    .pagesPerSequence = 16});
//   int64_t found = table.begin(0, prompt);       // positions there already
//   TENON_RETURN_IF_ERROR(table.append(0, prompt.size() - found));
//   session.copyPages(table.takeCopies());
//   // table.table() is the [sequences, pagesPerSequence] block table
//   table.record(0, prompt.subspan(found));       // once they are computed
//
// Sequences that begin alike share pages: what a page holds is known by its
// tokens and the page before it, also after the sequences that computed it have
// ended, until another needs its memory. A sequence that goes on in a page of
// others, or where the page holds other tokens, does so in a copy.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_RUNTIME_EXEC_PAGETABLE_H
#define TENON_RUNTIME_EXEC_PAGETABLE_H

#include "runtime/base/Status.h"

#include <cstdint>
#include <span>
#include <vector>

namespace tenon::exec {

/// A page whose content is to become another's.
struct PageCopy {
  int32_t from, to;
};

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

  /// Gives an empty sequence the pages that hold the beginning of `tokens`;
  /// returns how many of them are there.
  int64_t begin(int64_t sequence, std::span<const int32_t> tokens);
  /// Makes room for `tokens` more positions of `sequence`. On failure nothing
  /// has changed.
  /// Errors: OUT_OF_RANGE (beyond the context), RESOURCE_EXHAUSTED (no pages).
  Status append(int64_t sequence, int64_t tokens);
  /// Says what the first positions without recorded tokens hold, so that
  /// sequences that begin alike can share them.
  void record(int64_t sequence, std::span<const int32_t> tokens);
  /// Keeps the first `tokens` positions, at most what there is.
  void truncate(int64_t sequence, int64_t tokens);
  void release(int64_t sequence) { truncate(sequence, 0); }
  /// Forgets what pages hold that no sequence has, after weights have changed.
  void forget();

  /// The copies to be made, in this order, before the next step.
  std::span<const PageCopy> takeCopies();

  /// How many more positions `append` would take, by pages and context.
  int64_t room(int64_t sequence) const;

  int64_t length(int64_t sequence) const { return sequences[sequence].length; }
  /// Pages that no sequence has.
  int64_t freePages() const { return freeCount; }
  /// Page numbers by sequence and position, -1 where there is none.
  std::span<const int32_t> table() const { return entries; }
  const Options &options() const { return sizes; }

private:
  static constexpr int32_t kNone = -1;

  struct Page {
    int32_t users = 0;           // sequences that have it
    int32_t writer = kNone;      // the sequence that goes on in it
    int32_t parent = kNone;      // the page before it, of known tokens
    int32_t children = 0;        // pages of known tokens after it
    int32_t next = kNone;        // known, of the same hash
    bool isKnown = false;        // can be found
    uint64_t used = 0;           // when a sequence last let go of it
    std::vector<int32_t> tokens; // recorded; all sequences' agree with them
  };
  struct Sequence {
    int64_t length = 0, recorded = 0;
  };

  int64_t pagesFor(int64_t tokens) const {
    return (tokens + sizes.pageTokens - 1) / sizes.pageTokens;
  }
  int32_t &entry(int64_t sequence, int64_t page) {
    return entries[sequence * sizes.pagesPerSequence + page];
  }
  bool needsCopy(int64_t sequence) const;
  int32_t takePage(int64_t sequence);
  void copyLast(int64_t sequence);
  size_t hashOf(int32_t parent, int32_t token) const;
  int32_t findChild(int32_t parent, std::span<const int32_t> tokens) const;
  void addUser(int32_t page);
  void dropUser(int32_t page, int64_t sequence);
  void makeKnown(int32_t page, int32_t parent);
  void makeUnknown(int32_t page);

  Options sizes;
  std::vector<int32_t> entries; // [sequences, pagesPerSequence]
  std::vector<Sequence> sequences;
  std::vector<Page> pages;
  std::vector<int32_t> known; // the first page, by hash of parent and token
  std::vector<PageCopy> copies, taken;
  int64_t freeCount = 0;
  uint64_t now = 0;
};

} // namespace tenon::exec
#endif // TENON_RUNTIME_EXEC_PAGETABLE_H
