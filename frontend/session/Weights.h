//===- Weights.h - Where a session takes its weights from -------*- C++ -*-===//
//
//   Weights weights = Weights::of(files);                 // a model's file
//   Weights weights = Weights::random(program, /*seed=*/7); // for tests
//
//===----------------------------------------------------------------------===//

#ifndef TENON_FRONTEND_SESSION_WEIGHTS_H
#define TENON_FRONTEND_SESSION_WEIGHTS_H

#include "frontend/session/ModelFiles.h"

#include <map>
#include <span>

namespace tenon {

/// Bytes by the weights' names in their file. Copies share them.
class Weights {
public:
  struct View {
    ParameterType type;
    std::span<const uint8_t> bytes;
  };

  /// Makes none.
  Weights() = default;

  /// Borrows a model's file, which must outlive the sessions.
  static Weights of(const ModelFiles &files);

  /// Draws every weight of the program. A weight depends on the seed and its
  /// name alone: matrices are uniform with the variance 1 / columns, vectors
  /// uniform in [0.5, 1.5]; blocked ones are packed.
  /// Errors: INVALID_ARGUMENT (columns that are no whole blocks).
  static absl::StatusOr<Weights> random(const TracedProgram &program,
                                        uint64_t seed);

  /// The weight of that name; null if there is none.
  const View *find(std::string_view source) const;

private:
  std::map<std::string, View, std::less<>> views;
  std::shared_ptr<std::vector<std::vector<uint8_t>>> owned;
};

} // namespace tenon
#endif // TENON_FRONTEND_SESSION_WEIGHTS_H
