//===- Hash.h - Content hashes ----------------------------------*- C++ -*-===//

#ifndef TENON_RUNTIME_BASE_HASH_H
#define TENON_RUNTIME_BASE_HASH_H

#include <cstddef>
#include <cstdint>

namespace tenon::base {

struct Hash128 {
  uint64_t low = 0;
  uint64_t high = 0;
  bool operator==(const Hash128 &) const = default;
};

/// Hashes bytes by XXH3-128. It finds damage, not forgery.
Hash128 hashBytes(const void *bytes, size_t sizeBytes);

} // namespace tenon::base
#endif // TENON_RUNTIME_BASE_HASH_H
