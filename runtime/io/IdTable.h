//===- IdTable.h - Open addressing over numbered keys ---------------------===//
//
// Finds the number of a key that is stored elsewhere: the caller gives the hash
// and says whether a number's key is the wanted one. Probing is bounded, so a
// file crafted to collide is refused instead of taking quadratic time.
//
//   IdTable table(pieces.size());
//   table.insert(hash(piece), id, [&](int32_t other) { return ...; });
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IO_IDTABLE_H
#define TENON_IO_IDTABLE_H

#include <bit>
#include <cstdint>
#include <vector>

namespace tenon::io {

/// Mixes all bits of `key` into all bits of the result.
/// Source: Steele, Lea and Flood 2014, the finaliser of SplitMix64.
inline uint64_t mixBits(uint64_t key) {
  key = (key ^ key >> 30) * 0xbf58476d1ce4e5b9;
  key = (key ^ key >> 27) * 0x94d049bb133111eb;
  return key ^ key >> 31;
}

/// Hashes a pair of token ids.
inline uint64_t pairHash(int32_t left, int32_t right) {
  return mixBits(uint64_t{static_cast<uint32_t>(left)} << 32 |
                 static_cast<uint32_t>(right));
}

class IdTable {
public:
  /// Makes room for `capacity` keys; no more may be inserted.
  explicit IdTable(size_t capacity = 0)
      : slots(std::bit_ceil(2 * capacity + 1), kFree) {}

  /// Returns the number for which `same` holds, or -1.
  template <typename Same> int32_t find(uint64_t hash, Same same) const {
    for (size_t step = 0; step < kMaxProbes; ++step) {
      int32_t id = slots[slot(hash, step)];
      if (id == kFree || same(id))
        return id;
    }
    return kFree;
  }

  /// Stores `id` unless an equal key is there. Returns false when the probing
  /// bound is reached, which no honest input does.
  template <typename Same> bool insert(uint64_t hash, int32_t id, Same same) {
    for (size_t step = 0; step < kMaxProbes; ++step) {
      int32_t &at = slots[slot(hash, step)];
      if (at == kFree)
        at = id;
      if (at == id || same(at))
        return true;
    }
    return false;
  }

private:
  static constexpr int32_t kFree = -1;
  // At most half full, chains of honest keys stay below a hundred.
  static constexpr size_t kMaxProbes = 1024;

  size_t slot(uint64_t hash, size_t step) const {
    return (hash + step) & (slots.size() - 1);
  }

  std::vector<int32_t> slots;
};

} // namespace tenon::io

#endif // TENON_IO_IDTABLE_H
