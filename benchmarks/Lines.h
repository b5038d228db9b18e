//===- Lines.h - Memory that begins with a cache line -----------*- C++ -*-===//
//
// The runtime lays its tensors so, and the peers theirs.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_BENCHMARKS_LINES_H
#define TENON_BENCHMARKS_LINES_H

#include <cstddef>
#include <new>
#include <vector>

namespace tenon::benchmarks {

template <typename T> struct LineAllocator {
  using value_type = T;
  static constexpr std::align_val_t kLine{64};

  LineAllocator() = default;
  template <typename U> LineAllocator(const LineAllocator<U> &) {}
  T *allocate(size_t count) {
    return static_cast<T *>(::operator new(count * sizeof(T), kLine));
  }
  void deallocate(T *data, size_t) { ::operator delete(data, kLine); }
  bool operator==(const LineAllocator &) const = default;
};

using Lines = std::vector<char, LineAllocator<char>>;

} // namespace tenon::benchmarks
#endif // TENON_BENCHMARKS_LINES_H
