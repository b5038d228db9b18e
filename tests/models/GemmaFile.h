//===- GemmaFile.h - Where the tests look for Gemma 3 270M ------*- C++ -*-===//

#ifndef TENON_TESTS_MODELS_GEMMAFILE_H
#define TENON_TESTS_MODELS_GEMMAFILE_H

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

namespace tenon::tests {

inline constexpr char kNoGemma[] =
    "expects gemma-3-270m-q4_k_m.gguf in $TENON_CACHE or ~/.cache/tenon, got "
    "none: scripts/get-model fetches it";

/// The path of Gemma 3 270M, Q4_K_M, if the user has it.
inline std::optional<std::string> findGemma() {
  const char *cache = std::getenv("TENON_CACHE");
  const char *home = std::getenv("HOME");
  std::filesystem::path folder =
      cache && *cache
          ? std::filesystem::path(cache)
          : std::filesystem::path(home ? home : ".") / ".cache" / "tenon";
  std::filesystem::path file = folder / "gemma-3-270m-q4_k_m.gguf";
  if (!std::filesystem::exists(file))
    return std::nullopt;
  return file.string();
}

} // namespace tenon::tests
#endif // TENON_TESTS_MODELS_GEMMAFILE_H
