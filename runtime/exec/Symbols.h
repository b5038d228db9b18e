//===- Symbols.h - What a call's shapes say about its symbols ---*- C++ -*-===//
//
// A symbol that is an axis of an argument takes that axis's size; all other
// axes must then agree. `pageBlocks` and `pages` come from the session, and so
// does any symbol no argument has: its limit.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_RUNTIME_EXEC_SYMBOLS_H
#define TENON_RUNTIME_EXEC_SYMBOLS_H

#include "runtime/base/Program.h"
#include "runtime/exec/Tensor.h"

#include <map>

namespace tenon::exec {

/// What the session was opened with, by symbol name: "T" of every entry, or
/// "train/T" of one.
struct SymbolLimits {
  std::map<std::string, int64_t, std::less<>> most;
  int64_t pageBlocks = 0;
  int64_t pages = 0;
};

/// How one entry's symbols get their values, worked out once.
class SymbolBinder {
public:
  /// Errors: INVALID_ARGUMENT (a limit leaves a symbol no value; names both).
  static StatusOr<SymbolBinder> create(const base::Entry &entry,
                                       const SymbolLimits &limits);

  /// The largest value each symbol can have in a call.
  const std::vector<int64_t> &limits() const { return most; }

  /// Writes the value of each symbol to `values`, of the symbols' count.
  /// Allocates nothing on success.
  /// Errors: INVALID_ARGUMENT, naming argument, axis, expected and got.
  Status bind(std::span<const TensorView> arguments,
              std::span<const MutableTensorView> results,
              std::vector<int64_t> &values) const;

private:
  struct Source {
    int64_t argument = -1; // -1: the session
    size_t axis = 0;
  };
  /// Either kind of value, for messages.
  struct Operand {
    const char *what;
    size_t index;
    const base::Value &value;
    base::ElementType element;
    std::span<const int64_t> shape;
    const void *data;
  };

  Status checkType(const Operand &operand) const;
  Status checkShape(const Operand &operand,
                    const std::vector<int64_t> &values) const;
  Status checkSymbol(size_t symbol, int64_t value) const;
  std::vector<std::string> names() const;

  const base::Entry *entry = nullptr; // the program's, which outlives this
  std::vector<Source> sources;
  std::vector<int64_t> most;
};

} // namespace tenon::exec
#endif // TENON_RUNTIME_EXEC_SYMBOLS_H
