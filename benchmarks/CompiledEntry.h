//===- CompiledEntry.h - IR text, compiled and called -----------*- C++ -*-===//
//
//   auto entry = CompiledEntry::compile(text, /*threads=*/1);
//   for (auto _ : state)
//     (*entry)->call();
//
//===----------------------------------------------------------------------===//

#ifndef TENON_BENCHMARKS_COMPILEDENTRY_H
#define TENON_BENCHMARKS_COMPILEDENTRY_H

#include "runtime/exec/Session.h"

#include "absl/status/statusor.h"

#include <memory>
#include <string>
#include <vector>

namespace tenon::benchmarks {

/// The first entry of a module of static shapes, with arguments and weights of
/// seeded noise.
class CompiledEntry {
public:
  /// Compiles for this machine's features.
  static absl::StatusOr<std::unique_ptr<CompiledEntry>>
  compile(const std::string &text, uint32_t threads);

  Status call();

  /// What the weights take in memory, packed.
  int64_t preparedBytes() const;

private:
  struct Held {
    std::vector<char> bytes;
    base::ElementType element;
    std::vector<int64_t> shape;
  };
  static Held noise(base::ElementType element, std::vector<int64_t> shape);

  std::vector<Held> arguments, results;
  std::vector<exec::TensorView> in;
  std::vector<exec::MutableTensorView> out;
  std::unique_ptr<exec::Session> session;
};

} // namespace tenon::benchmarks
#endif // TENON_BENCHMARKS_COMPILEDENTRY_H
