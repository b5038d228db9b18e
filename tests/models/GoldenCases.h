//===- GoldenCases.h - Committed tokens and their logits --------*- C++ -*-===//
//
// See golden/README.md for what they are.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TESTS_MODELS_GOLDENCASES_H
#define TENON_TESTS_MODELS_GOLDENCASES_H

#include <cstdint>
#include <string>
#include <vector>

namespace tenon::tests {

struct GoldenCase {
  std::vector<int32_t> tokens;
  std::vector<float> logits; // [tokens, vocabulary]
};

/// The path of a file of a golden model.
std::string goldenPath(const std::string &model, const std::string &file);

/// The cases of a tiny model, "tiny_qwen2"; empty if the files do not read,
/// which a test must reject.
std::vector<GoldenCase> goldenCases(const std::string &model);

} // namespace tenon::tests
#endif // TENON_TESTS_MODELS_GOLDENCASES_H
