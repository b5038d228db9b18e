//===- PageTable.cpp - Which cache pages a sequence has -------------------===//

#include "runtime/exec/PageTable.h"

#include <algorithm>
#include <tuple>

namespace tenon::exec {
namespace {

size_t commonPrefix(std::span<const int32_t> a, std::span<const int32_t> b) {
  size_t most = std::min(a.size(), b.size());
  return std::mismatch(a.begin(), a.begin() + most, b.begin()).first -
         a.begin();
}

} // namespace

PageTable::PageTable(const Options &options)
    : sizes(options), entries(options.sequences * options.pagesPerSequence, -1),
      sequences(options.sequences), pages(options.pages),
      freeCount(options.pages) {
  for (Page &page : pages)
    page.tokens.reserve(options.pageTokens);
  known.resize(std::max<int64_t>(options.pages, 1), kNone);
  copies.reserve(options.sequences);
  taken.reserve(options.sequences);
}

//===----------------------------------------------------------------------===//
// Pages
//===----------------------------------------------------------------------===//

/// Source of the factor: Fibonacci hashing, Knuth, TAOCP 3, 6.4.
size_t PageTable::hashOf(int32_t parent, int32_t token) const {
  uint64_t key = static_cast<uint64_t>(static_cast<uint32_t>(parent)) << 32 |
                 static_cast<uint32_t>(token);
  return (key * 0x9e3779b97f4a7c15 >> 32) % known.size();
}

void PageTable::addUser(int32_t page) { freeCount -= pages[page].users++ == 0; }

void PageTable::dropUser(int32_t number, int64_t sequence) {
  Page &page = pages[number];
  if (page.writer == sequence)
    page.writer = kNone;
  if (--page.users > 0)
    return;
  ++freeCount;
  page.used = ++now;
  if (!page.isKnown)
    page.tokens.clear();
}

void PageTable::makeKnown(int32_t number, int32_t parent) {
  Page &page = pages[number];
  page.isKnown = true;
  page.parent = parent;
  if (parent != kNone)
    ++pages[parent].children;
  int32_t &first = known[hashOf(parent, page.tokens.front())];
  page.next = first;
  first = number;
}

void PageTable::makeUnknown(int32_t number) {
  Page &page = pages[number];
  int32_t *link = &known[hashOf(page.parent, page.tokens.front())];
  while (*link != number)
    link = &pages[*link].next;
  *link = page.next;
  if (page.parent != kNone)
    --pages[page.parent].children;
  page.isKnown = false;
  page.tokens.clear();
}

/// A page that no sequence has, for `sequence` to write; there must be one.
/// First those that hold nothing, then what was used longest ago. Who has a
/// page has those before it, so that one without pages after it can be found.
int32_t PageTable::takePage(int64_t sequence) {
  int32_t best = kNone;
  auto rank = [&](int32_t number) {
    const Page &page = pages[number];
    return std::tuple(page.isKnown, page.isKnown ? page.used : 0, number);
  };
  for (int32_t i = 0; i < static_cast<int32_t>(pages.size()); ++i)
    if (pages[i].users == 0 && pages[i].children == 0 &&
        (best == kNone || rank(i) < rank(best)))
      best = i;
  if (pages[best].isKnown)
    makeUnknown(best);
  addUser(best);
  pages[best].writer = static_cast<int32_t>(sequence);
  return best;
}

/// The page after `parent` that has the longest beginning of `tokens`.
int32_t PageTable::findChild(int32_t parent,
                             std::span<const int32_t> tokens) const {
  int32_t best = kNone;
  size_t longest = 0;
  for (int32_t i = known[hashOf(parent, tokens.front())]; i != kNone;
       i = pages[i].next) {
    size_t common = commonPrefix(pages[i].tokens, tokens);
    if (pages[i].parent == parent && common > longest) {
      longest = common;
      best = i;
    }
  }
  return best;
}

//===----------------------------------------------------------------------===//
// Sequences
//===----------------------------------------------------------------------===//

int64_t PageTable::begin(int64_t number, std::span<const int32_t> tokens) {
  Sequence &sequence = sequences[number];
  size_t at = 0;
  int32_t parent = kNone;
  for (int64_t i = 0; i < sizes.pagesPerSequence && at < tokens.size(); ++i) {
    int32_t page = findChild(parent, tokens.subspan(at));
    if (page == kNone)
      break;
    size_t common = commonPrefix(pages[page].tokens, tokens.subspan(at));
    addUser(page);
    entry(number, i) = page;
    at += common;
    parent = page;
    if (static_cast<int64_t>(common) < sizes.pageTokens)
      break;
  }
  sequence.length = sequence.recorded = static_cast<int64_t>(at);
  return sequence.length;
}

/// Whether the sequence goes on in a page that it may not write there.
bool PageTable::needsCopy(int64_t number) const {
  int64_t length = sequences[number].length;
  int64_t offset = length % sizes.pageTokens;
  if (offset == 0)
    return false;
  int64_t at = number * sizes.pagesPerSequence + length / sizes.pageTokens;
  const Page &page = pages[entries[at]];
  auto held = static_cast<int64_t>(page.tokens.size());
  if (page.writer == number)
    return held > offset;
  return page.writer != kNone || held != offset;
}

/// Replaces the last page, which is not full, by a copy.
void PageTable::copyLast(int64_t number) {
  int64_t length = sequences[number].length;
  int64_t i = length / sizes.pageTokens, offset = length % sizes.pageTokens;
  int32_t from = entry(number, i), to = takePage(number);
  entry(number, i) = to;
  std::span<const int32_t> held = pages[from].tokens;
  held = held.first(std::min<size_t>(held.size(), offset));
  pages[to].tokens.assign(held.begin(), held.end());
  if (!held.empty())
    makeKnown(to, i > 0 ? entry(number, i - 1) : kNone);
  copies.push_back({from, to});
  dropUser(from, number);
}

Status PageTable::append(int64_t number, int64_t tokens) {
  Sequence &sequence = sequences[number];
  int64_t length = sequence.length;
  int64_t context = sizes.pagesPerSequence * sizes.pageTokens;
  if (tokens < 0 || tokens > context - length)
    return outOfRange("sequence ", number, " expects at most ", context,
                      " tokens, got ", length, " and ", tokens, " more");
  if (tokens == 0)
    return Status();
  int64_t has = pagesFor(length), needs = pagesFor(length + tokens);
  int64_t offset = length % sizes.pageTokens;
  int32_t last = offset ? entry(number, has - 1) : kNone;
  bool isCopied = needsCopy(number);
  // Alone in a page, and without memory for another, it overwrites that one.
  bool isOverwritten = isCopied && pages[last].users == 1 &&
                       pages[last].children == 0 &&
                       needs - has + 1 > freePages();
  if (needs - has + (isCopied && !isOverwritten) > freePages())
    return resourceExhausted("sequence ", number, " expects ", needs - has,
                             " more cache pages of ", sizes.pageTokens,
                             " tokens, ", freePages(), " of ", sizes.pages,
                             " are free");
  if (isOverwritten)
    pages[last].tokens.resize(offset);
  else if (isCopied)
    copyLast(number);
  if (offset)
    pages[entry(number, has - 1)].writer = static_cast<int32_t>(number);
  for (int64_t i = has; i < needs; ++i)
    entry(number, i) = takePage(number);
  sequence.length = length + tokens;
  return Status();
}

void PageTable::record(int64_t number, std::span<const int32_t> tokens) {
  Sequence &sequence = sequences[number];
  while (!tokens.empty()) {
    int64_t i = sequence.recorded / sizes.pageTokens;
    int64_t offset = sequence.recorded % sizes.pageTokens;
    auto count =
        std::min(tokens.size(), static_cast<size_t>(sizes.pageTokens - offset));
    Page &page = pages[entry(number, i)];
    page.tokens.insert(page.tokens.end(), tokens.begin(),
                       tokens.begin() + count);
    if (!page.isKnown)
      makeKnown(entry(number, i), i ? entry(number, i - 1) : kNone);
    sequence.recorded += count;
    tokens = tokens.subspan(count);
  }
}

std::span<const PageCopy> PageTable::takeCopies() {
  taken.swap(copies);
  copies.clear();
  return taken;
}

int64_t PageTable::room(int64_t number) const {
  int64_t length = sequences[number].length;
  int64_t most = pagesFor(length) + freePages();
  if (freePages() > 0 && needsCopy(number))
    --most;
  return std::min(most, sizes.pagesPerSequence) * sizes.pageTokens - length;
}

void PageTable::truncate(int64_t number, int64_t tokens) {
  Sequence &sequence = sequences[number];
  int64_t length = std::min(tokens, sequence.length);
  for (int64_t i = pagesFor(sequence.length); i-- > pagesFor(length);) {
    dropUser(entry(number, i), number);
    entry(number, i) = -1;
  }
  sequence.length = length;
  sequence.recorded = std::min(sequence.recorded, length);
}

void PageTable::forget() {
  for (size_t i = 0; i < sequences.size(); ++i)
    release(static_cast<int64_t>(i));
  std::ranges::fill(known, kNone);
  for (Page &page : pages) {
    page.isKnown = false;
    page.children = 0;
    page.tokens.clear();
  }
}

} // namespace tenon::exec
