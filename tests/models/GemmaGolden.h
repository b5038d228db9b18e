//===- GemmaGolden.h - What Gemma 3 270M should predict ---------*- C++ -*-===//
//
// Tokens and logits of two other programs; golden/README.md says how they were
// made and what each array holds.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TESTS_MODELS_GEMMAGOLDEN_H
#define TENON_TESTS_MODELS_GEMMAGOLDEN_H

#include "runtime/io/WeightsFile.h"

namespace tenon::tests {

class GemmaGolden {
public:
  struct Prompt {
    std::string name;
    std::vector<int32_t> prompt, continuation;
  };

  static StatusOr<GemmaGolden> open();

  const std::vector<Prompt> &prompts() const { return texts; }

  /// The values of an array at one position of one prompt; one where the array
  /// has no further axis. T must be the array's element type.
  template <typename T>
  std::span<const T> at(std::string_view array, size_t prompt,
                        size_t position) const {
    std::span<const T> all = whole<T>(array);
    size_t places = texts.size() * texts[0].continuation.size();
    size_t width = all.size() / places;
    size_t place = prompt * texts[0].continuation.size() + position;
    return all.subspan(place * width, width);
  }
  double number(std::string_view array, size_t prompt, size_t position) const {
    return at<float>(array, prompt, position)[0];
  }
  /// All values of an array; empty if there is none.
  template <typename T> std::span<const T> whole(std::string_view array) const {
    const io::TensorEntry *entry = arrays.find(array);
    if (!entry)
      return {};
    return {reinterpret_cast<const T *>(entry->data.data()),
            entry->data.size() / sizeof(T)};
  }

private:
  explicit GemmaGolden(io::WeightsFile opened) : arrays(std::move(opened)) {}
  Status check() const;

  std::vector<Prompt> texts;
  io::WeightsFile arrays;
};

/// The softmax of logits over the whole vocabulary.
class Distribution {
public:
  explicit Distribution(std::span<const float> logits);
  double logProbability(int32_t id) const { return values[id] - logNormaliser; }
  double probability(int32_t id) const;

private:
  std::span<const float> values;
  double logNormaliser;
};

/// KL(quant || q), by the estimator of golden/README.md: the 64 likeliest
/// tokens exactly, the rest from samples.
double klOfQuantised(const GemmaGolden &golden, size_t prompt, size_t position,
                     const Distribution &q);

/// KL(p || q), q being ours, for the runs "f32" and "exact", of which logits
/// are stored at 64 + 256 tokens and no normaliser is. With d = our logit less
/// theirs, p = q e^-d / E_q[e^-d], so the normalisers cancel:
///
///     KL = -E_p[d] - log E_q[e^-d]
///
/// E_q is exact over the 64 likeliest tokens; the rest of q's mass, about 5%,
/// is given to the other stored tokens, drawn uniformly, in proportion to q.
double klOfRun(const GemmaGolden &golden, const std::string &run, size_t prompt,
               size_t position, std::span<const float> ours,
               const Distribution &q);

/// The largest difference of our logits from a run's where that is stored, over
/// the run's largest magnitude in the whole vocabulary.
double relativeError(const GemmaGolden &golden, const std::string &run,
                     size_t prompt, size_t position,
                     std::span<const float> ours);

} // namespace tenon::tests
#endif // TENON_TESTS_MODELS_GEMMAGOLDEN_H
