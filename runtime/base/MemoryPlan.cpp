//===- MemoryPlan.cpp - Places a variant's temporaries in one arena -------===//

#include "runtime/base/Program.h"

#include <algorithm>
#include <numeric>

namespace tenon::base {
namespace {

constexpr int64_t kAlignment = 64; // a cache line, and the widest vector

/// Bytes of every temporary, rounded up to the alignment; 0 for other kinds.
StatusOr<std::vector<int64_t>> sizesOf(const Variant &variant,
                                       const std::vector<int64_t> &symbols) {
  std::vector<int64_t> sizes(variant.buffers.size(), 0);
  for (size_t i = 0; i < sizes.size(); ++i) {
    const Buffer &buffer = variant.buffers[i];
    if (buffer.kind != BufferKind::Temporary)
      continue;
    StatusOr<int64_t> bytes = buffer.sizeBytes.evaluate(symbols, {});
    if (!bytes.ok())
      return bytes.status().withContext(concat("buffer ", i));
    if (*bytes < 0 || *bytes > INT64_MAX - kAlignment)
      return outOfRange("buffer ", i, " '", buffer.name,
                        "' expects a size of at least 0 bytes, got ", *bytes);
    sizes[i] = (*bytes + kAlignment - 1) / kAlignment * kAlignment;
  }
  return sizes;
}

bool overlapInTime(const Buffer &a, const Buffer &b) {
  return a.firstUse <= b.lastUse && b.firstUse <= a.lastUse;
}

/// The lowest offset at which `size` bytes fit between `taken`, which is
/// ordered by offset.
struct Range {
  int64_t begin, end;
};
int64_t firstFit(const std::vector<Range> &taken, int64_t size) {
  int64_t offset = 0;
  for (const Range &range : taken) {
    if (range.begin - offset >= size)
      break;
    offset = std::max(offset, range.end);
  }
  return offset;
}

} // namespace

StatusOr<MemoryPlan> planMemory(const Variant &variant,
                                const std::vector<int64_t> &symbols) {
  TENON_ASSIGN_OR_RETURN(std::vector<int64_t> sizes, sizesOf(variant, symbols));
  const std::vector<Buffer> &buffers = variant.buffers;
  std::vector<size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return sizes[a] > sizes[b]; });

  MemoryPlan plan;
  plan.offsets.assign(buffers.size(), -1);
  std::vector<size_t> placed; // by offset
  std::vector<Range> taken;
  for (size_t i : order) {
    if (buffers[i].kind != BufferKind::Temporary)
      continue;
    taken.clear();
    for (size_t j : placed)
      if (overlapInTime(buffers[i], buffers[j]))
        taken.push_back({plan.offsets[j], plan.offsets[j] + sizes[j]});
    int64_t offset = firstFit(taken, sizes[i]), end;
    if (__builtin_add_overflow(offset, sizes[i], &end))
      return outOfRange("the temporaries of variant '", variant.name,
                        "' exceed 2^63 bytes");
    plan.offsets[i] = offset;
    plan.arenaBytes = std::max(plan.arenaBytes, end);
    auto at = std::upper_bound(
        placed.begin(), placed.end(), offset,
        [&](int64_t o, size_t j) { return o < plan.offsets[j]; });
    placed.insert(at, i);
  }
  return plan;
}

} // namespace tenon::base
