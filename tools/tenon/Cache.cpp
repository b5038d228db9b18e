//===- Cache.cpp - Programs compiled before -------------------------------===//

#include "tools/tenon/Cache.h"

#include "runtime/io/MappedFile.h"
#include "tenon/abi.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace tenon::tools {
namespace {

namespace fs = std::filesystem;

StatusOr<fs::path> cacheFolder() {
  if (const char *folder = std::getenv("TENON_CACHE"); folder && *folder)
    return fs::path(folder);
  const char *home = std::getenv("HOME");
  if (!home || !*home)
    return unavailable("expects TENON_CACHE or HOME to be set, to keep "
                       "compiled programs, got neither; set one or say "
                       "--no-cache");
  return fs::path(home) / ".cache" / "tenon";
}

} // namespace

StatusOr<std::string> cachePath(const CacheKey &key) {
  TENON_ASSIGN_OR_RETURN(fs::path folder, cacheFolder());
  folder /= "programs";
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    return unavailable("expects to make the folder '", folder.string(),
                       "', got: ", error.message(),
                       "; set TENON_CACHE or say --no-cache");
  std::string text =
      concat("abi ", TENON_ABI_VERSION, "\nmodel ", key.model, "\ncompiler ",
             key.compiler.high, ",", key.compiler.low, "\ncpu ",
             base::cpuFeaturesName(key.features), "\ncache ", key.cacheType,
             "\nlatents ", key.latents, "\nactivations ", key.activations,
             "\ntraining ", key.training, "\nadapter ", key.adapter,
             "\ntuning ", key.tuning, "\ndraft ", key.draft, "\n", key.machine);
  base::Hash128 hash = base::hashBytes(text.data(), text.size());
  char name[48];
  std::snprintf(name, sizeof(name), "%016llx%016llx.tenon",
                static_cast<unsigned long long>(hash.high),
                static_cast<unsigned long long>(hash.low));
  return (folder / name).string();
}

Status checkCached(const std::string &path) {
  TENON_ASSIGN_OR_RETURN(io::MappedFile file, io::MappedFile::open(path));
  return base::verifyContainer(file.bytes().data(), file.bytes().size());
}

} // namespace tenon::tools
