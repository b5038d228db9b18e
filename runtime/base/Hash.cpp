//===- Hash.cpp - Content hashes ------------------------------------------===//

#include "runtime/base/Hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tenon::base {

Hash128 hashBytes(const void *bytes, size_t sizeBytes) {
  XXH128_hash_t hash = XXH3_128bits(bytes, sizeBytes);
  return {hash.low64, hash.high64};
}

} // namespace tenon::base
