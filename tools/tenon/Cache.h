//===- Cache.h - Programs compiled before -----------------------*- C++ -*-===//
//
// ${TENON_CACHE:-~/.cache/tenon}/programs/<key>.tenon, where the key is the
// hash of all that a program depends on. Files appear whole or not at all and
// are verified on load, so the folder may be shared, cleared or cut short at
// any time.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TOOLS_CACHE_H
#define TENON_TOOLS_CACHE_H

#include "runtime/base/Container.h"
#include "runtime/base/Hash.h"

#include <string>

namespace tenon::tools {

/// What a compiled program depends on.
struct CacheKey {
  std::string model; // modelDigest
  base::Hash128 compiler;
  base::CpuFeatures features;
  std::string cacheType, latents, activations;
  std::string training; // options of it, or empty
  std::string adapter;  // digest of its form, or empty
  std::string tuning;   // digest of a tuning file, or "none"
  std::string draft;    // what drafts tokens, or empty
  std::string machine;  // text of its description
};

/// The file for `key` and makes its folder.
/// Errors: UNAVAILABLE (neither TENON_CACHE nor HOME is set; the folder cannot
///         be made).
StatusOr<std::string> cachePath(const CacheKey &key);

/// Checks every section of a cached file.
/// Errors: NOT_FOUND, and those of base::verifyContainer.
Status checkCached(const std::string &path);

} // namespace tenon::tools
#endif // TENON_TOOLS_CACHE_H
