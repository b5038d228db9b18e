//===- GoldenCases.h - Committed tokens and their logits --------*- C++ -*-===//
//
// See golden/README.md for what they are.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TESTS_MODELS_GOLDENCASES_H
#define TENON_TESTS_MODELS_GOLDENCASES_H

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace tenon::tests {

struct GoldenCase {
  std::vector<int32_t> tokens;
  std::vector<float> logits; // [tokens, vocabulary]
  // Of a layer that predicts a further token, where the model has one: after
  // each token and the next, [tokens - 1, vocabulary], and after the last two
  // with the layer's own state of the first of them, [vocabulary].
  std::vector<float> further, chained;
};

/// The path of a file of a golden model.
std::string goldenPath(const std::string &model, const std::string &file);

/// A tiny model's config.json with one text, which it has, replaced.
std::string replacedConfig(const std::string &model, const std::string &from,
                           const std::string &to);

/// The cases of a tiny model, "tiny_qwen2"; empty if the files do not read,
/// which a test must reject.
std::vector<GoldenCase> goldenCases(const std::string &model);

/// The largest difference over the largest magnitude.
template <typename F>
double distance(const std::vector<F> &got, const std::vector<float> &expected) {
  if (got.size() != expected.size())
    return INFINITY;
  double difference = 0, magnitude = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    difference = std::max(difference, std::abs(double(got[i]) - expected[i]));
    magnitude = std::max(magnitude, std::abs(double(expected[i])));
  }
  return difference / magnitude;
}

} // namespace tenon::tests
#endif // TENON_TESTS_MODELS_GOLDENCASES_H
