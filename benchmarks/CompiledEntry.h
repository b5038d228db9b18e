//===- CompiledEntry.h - IR text, compiled and called -----------*- C++ -*-===//
//
//   auto entry = CompiledEntry::compile(text, /*threads=*/1);
//   for (auto _ : state)
//     (*entry)->call();
//
// Caches are the session's. The tokens of a batch are of one sequence, whose
// pages lie in order; `place` says where they stand in it.
//
//   auto entry = CompiledEntry::compile(text, {.context = 4096});
//   (*entry)->place(4095, /*entry=*/0);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_BENCHMARKS_COMPILEDENTRY_H
#define TENON_BENCHMARKS_COMPILEDENTRY_H

#include "benchmarks/Lines.h"
#include "runtime/exec/Session.h"

#include "absl/status/statusor.h"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tenon::benchmarks {

/// The text with every `from` made `to`: how the text of a module is filled in.
std::string replaced(std::string text, const std::string &from,
                     const std::string &to);

struct EntryOptions {
  uint32_t threads = 1;
  int64_t context = 0; ///< Positions that the caches have memory for.
};

/// The entries of a module of static shapes, with arguments and weights of
/// seeded noise.
class CompiledEntry {
public:
  /// Compiles for this machine's features.
  static absl::StatusOr<std::unique_ptr<CompiledEntry>>
  compile(const std::string &text, const EntryOptions &options);

  /// Puts the tokens of the entry's batch at `position` and after.
  void place(int64_t position, uint32_t entry = 0);
  /// Makes the tokens of the entry's batch several sequences, one after the
  /// other from position 0, of so many tokens each.
  void divide(int64_t tokens, uint32_t entry = 0);
  /// Gives an argument of i32 these values.
  void set(std::span<const int32_t> values, size_t argument,
           uint32_t entry = 0);
  Status call(uint32_t entry = 0);

  /// What the weights take in memory, packed.
  int64_t preparedBytes() const;

private:
  struct Held {
    Lines bytes;
    base::ElementType element;
    std::vector<int64_t> shape;
  };
  struct Entry {
    std::vector<Held> arguments, results;
    std::vector<exec::TensorView> in;
    std::vector<exec::MutableTensorView> out;
    size_t positions = 0; // the argument that holds them
  };
  static Held noise(base::ElementType element, std::vector<int64_t> shape);
  static Held ascending(int64_t first, std::vector<int64_t> shape);
  void addEntry(const base::Entry &described, int64_t pages);

  std::vector<Entry> entries;
  std::unique_ptr<exec::Session> session;
};

} // namespace tenon::benchmarks
#endif // TENON_BENCHMARKS_COMPILEDENTRY_H
