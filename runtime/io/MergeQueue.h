//===- MergeQueue.h - Best pair first, in n log n -------------------------===//
//
// Byte-pair encoding and SentencePiece are one procedure: while any two
// neighbours may merge, merge the pair of highest priority, leftmost first.
//
//   MergeQueue queue;
//   queue.symbols = ...;                     // in order, each linked to the
//   next queue.run([&](const Symbol &a, const Symbol &b) { ... }); for (int32_t
//   i = 0; i >= 0; i = queue.symbols[i].next) ...
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IO_MERGEQUEUE_H
#define TENON_IO_MERGEQUEUE_H

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

namespace tenon::io {

/// A stretch of the text, [begin, end), and the piece that spells it.
struct Symbol {
  uint32_t begin, end;
  int32_t id; ///< -1 when no piece does.
  int32_t previous, next;
};

/// What merging two symbols would give.
struct MergeResult {
  double priority;
  int32_t id;
};

/// Keeps its storage between runs, so that words are merged without allocating.
class MergeQueue {
public:
  std::vector<Symbol> symbols;

  void clear() { symbols.clear(); }

  /// Appends a symbol after the last one.
  void append(uint32_t begin, uint32_t end, int32_t id) {
    auto at = static_cast<int32_t>(symbols.size());
    if (at > 0)
      symbols.back().next = at;
    symbols.push_back({begin, end, id, at - 1, -1});
  }

  /// Merges until nothing more merges. Afterwards the list that starts at
  /// symbol 0 is the result. `lookup(a, b)` returns what two neighbours give,
  /// or nothing.
  template <typename Lookup> void run(Lookup lookup) {
    heap.clear();
    for (size_t i = 0; i + 1 < symbols.size(); ++i)
      propose(static_cast<int32_t>(i), lookup);
    while (!heap.empty()) {
      std::pop_heap(heap.begin(), heap.end());
      Candidate best = heap.back();
      heap.pop_back();
      Symbol &left = at(best.left);
      // Either side may have merged with another since this was proposed.
      if (left.end != best.middle || left.next < 0 ||
          at(left.next).end != best.end || left.begin == left.end)
        continue;
      apply(best, left);
      if (left.previous >= 0)
        propose(left.previous, lookup);
      propose(best.left, lookup);
    }
  }

private:
  struct Candidate {
    double priority;
    int32_t left;
    uint32_t middle, end; // of the text: stale if the symbols end elsewhere
    int32_t id;

    // The heap's top is the greatest: high priority, then leftmost.
    bool operator<(const Candidate &other) const {
      if (priority != other.priority)
        return priority < other.priority;
      return left > other.left;
    }
  };

  Symbol &at(int32_t index) { return symbols[static_cast<size_t>(index)]; }

  template <typename Lookup> void propose(int32_t left, Lookup &lookup) {
    const Symbol &a = at(left);
    if (a.next < 0)
      return;
    const Symbol &b = at(a.next);
    std::optional<MergeResult> found = lookup(a, b);
    if (!found)
      return;
    heap.push_back({found->priority, left, a.end, b.end, found->id});
    std::push_heap(heap.begin(), heap.end());
  }

  void apply(const Candidate &best, Symbol &left) {
    Symbol &right = at(left.next);
    left.end = right.end;
    left.id = best.id;
    left.next = right.next;
    if (right.next >= 0)
      at(right.next).previous = best.left;
    right.begin = right.end; // Empty: no candidate refers to it any more.
  }

  std::vector<Candidate> heap;
};

} // namespace tenon::io

#endif // TENON_IO_MERGEQUEUE_H
