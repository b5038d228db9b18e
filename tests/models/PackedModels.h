//===- PackedModels.h - A small decoder of packed weights -------*- C++ -*-===//
//
//   PackedModel model = packedQwen(/*group=*/64);
//   folder.add("config.json", model.config);
//   std::string path = folder.add("model.safetensors", model.packed);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TESTS_MODELS_PACKEDMODELS_H
#define TENON_TESTS_MODELS_PACKEDMODELS_H

#include <cstdint>
#include <string>

namespace tenon::tests {

/// The texts of a model's files.
struct PackedModel {
  std::string config;
  std::string packed;   ///< 4-bit integers, as compressed-tensors packs them.
  std::string unpacked; ///< The same values in f32.
};

/// A Qwen2 of one layer, of seeded values, with a scale for each `group`
/// columns of its layer's matrices.
PackedModel packedQwen(int64_t group);

/// Its vocabulary.
inline constexpr int64_t kPackedVocabulary = 160;

} // namespace tenon::tests

#endif // TENON_TESTS_MODELS_PACKEDMODELS_H
