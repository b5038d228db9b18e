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

#include <map>

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

  using Floats = std::vector<ir::ref::Float<A>>;
  struct WithStates {
    Floats logits, states; // [tokens, vocabulary], [tokens, width]
  };
  /// The same by `forwardStates`.
  absl::StatusOr<WithStates> forwardStates(const std::vector<Piece> &pieces);
  /// Runs `draft` for the tokens after those that `states` are of, from
  /// position `begin` of sequence 0 on; returns what it gives for every token.
  absl::StatusOr<WithStates> draft(const std::vector<int32_t> &tokens,
                                   const Floats &states, int32_t begin);

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
  std::vector<ir::ref::Value<A>>
  forwardArguments(const std::vector<Piece> &pieces);
  ir::ref::Batch batchOf(const std::vector<Piece> &pieces);
  /// Interprets an entry with its caches, which keep what it does to them
  /// unless `forgets`; a failure of the step is an error.
  absl::StatusOr<std::vector<ir::ref::Value<A>>>
  run(const char *entry, std::vector<ir::ref::Value<A>> arguments,
      ir::ref::Context &context, bool forgets = false);
  absl::StatusOr<WithStates> runWithStates(const char *entry,
                                           std::vector<ir::ref::Value<A>> in);

  TracedProgram traced;
  ir::ref::Parameters<A> parameters;
  std::map<std::string, ir::ref::Value<A>> caches; // by name
  std::vector<int32_t> lengths;                    // by sequence
};

extern template class ReferenceModel<ir::ref::Real>;
extern template class ReferenceModel<ir::ref::Contract>;

} // namespace tenon::tests
#endif // TENON_TESTS_MODELS_REFERENCEMODEL_H
