//===- ReferenceModel.h - A decoder run by its definition -------*- C++ -*-===//
//
//   auto model = ReferenceModel<ref::Real>::open("model.gguf");
//   std::vector<double> logits = model->forward({{0, {2, 17, 5}}});
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TESTS_MODELS_REFERENCEMODEL_H
#define TENON_TESTS_MODELS_REFERENCEMODEL_H

#include "ir/reference/Interpreter.h"
#include "models/Registry.h"

namespace tenon::tests {

/// Tokens that follow what `sequence` already has.
struct Piece {
  int32_t sequence = 0;
  std::vector<int32_t> tokens;
};

/// A traced decoder with its weights and caches, over one arithmetic.
template <typename A> class ReferenceModel {
public:
  static absl::StatusOr<std::unique_ptr<ReferenceModel>>
  open(const std::string &path, const models::DecoderOptions &options = {});

  /// Runs one step over ragged pieces and returns the logits of every token,
  /// [tokens, vocabulary]; the caches keep what they saw.
  absl::StatusOr<std::vector<ir::ref::Float<A>>>
  forward(const std::vector<Piece> &pieces);

  /// Runs `sample` on one row.
  absl::StatusOr<int32_t> sample(const std::vector<float> &logits,
                                 float temperature, int64_t seed);

  /// Runs `generate` greedily on sequence 0, whose cache the prompt's `forward`
  /// has filled; returns what it emits.
  absl::StatusOr<std::vector<int32_t>> generate(int32_t token, int64_t limit,
                                                int32_t stop);

  const TracedProgram &program() const { return traced; }

private:
  explicit ReferenceModel(TracedProgram program) : traced(std::move(program)) {}
  absl::Status readWeights(const ModelFiles &files);
  void makeCaches();
  ir::ref::Batch batchOf(const std::vector<Piece> &pieces);
  /// Interprets an entry; a failure of the step is an error.
  absl::StatusOr<std::vector<ir::ref::Value<A>>>
  run(const char *entry, const std::vector<ir::ref::Value<A>> &arguments,
      ir::ref::Context &context);

  TracedProgram traced;
  ir::ref::Parameters<A> parameters;
  std::vector<ir::ref::Value<A>> caches;
  std::vector<int32_t> lengths; // by sequence
};

extern template class ReferenceModel<ir::ref::Real>;
extern template class ReferenceModel<ir::ref::Contract>;

} // namespace tenon::tests
#endif // TENON_TESTS_MODELS_REFERENCEMODEL_H
