//===- Value.h - Values of the reference interpreter ------------*- C++ -*-===//
//
// Tensors, batches and caches as the interpreter holds them, over one of two
// arithmetics. Simple, bounds-checked by assertion, slow.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IR_REFERENCE_VALUE_H
#define TENON_IR_REFERENCE_VALUE_H

#include "mlir/IR/Types.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace tenon::ir::ref {

/// Double precision, libm, no rounding of stored elements: judges mathematics.
struct Real;
/// f32, the project's polynomials and reduction order: judges compiled code.
struct Contract;

template <typename A> struct FloatOf;
template <> struct FloatOf<Real> {
  using type = double;
};
template <> struct FloatOf<Contract> {
  using type = float;
};
template <typename A> using Float = typename FloatOf<A>::type;

/// A dense tensor. Elements of float types are in `floats`; of i1, i8, i32 and
/// i64 in `ints`. A blocked tensor has its bytes in `blocks`, row by row, and
/// in `floats` exactly what base::unpack makes of them: `tensorFromBytes` and
/// `packedTensor` (Storage.h) make it so, and no op changes one without the
/// other.
template <typename A> struct Tensor {
  mlir::Type element;
  llvm::SmallVector<int64_t, 4> shape;
  std::vector<Float<A>> floats;
  std::vector<int64_t> ints;
  std::string blocks;

  int64_t size() const {
    int64_t n = 1;
    for (int64_t extent : shape)
      n *= extent;
    return n;
  }
  int64_t columns() const { return shape.empty() ? 1 : shape.back(); }
  int64_t rows() const { return columns() ? size() / columns() : 0; }
};

/// See `!tn.batch`. `pages` is [sequences, pagesPerSequence], -1 where absent.
struct Batch {
  std::vector<int32_t> sequence;
  std::vector<int32_t> position;
  std::vector<int32_t> pages;
  int64_t pagesPerSequence = 0;
  int64_t pageBlocks = 1; // blocks of 64 positions in a page

  /// The slot of a position in the cache: page * pageBlocks * 64 + offset;
  /// nothing where the position has no page.
  std::optional<int64_t> slot(int64_t sequenceId, int64_t position) const;
};

/// See `!tn.cache`. Row `slot` is [heads, width]; layout does not show here.
template <typename A> struct Cache {
  mlir::Type element;
  int64_t heads = 0;
  int64_t width = 0;
  std::vector<Float<A>> rows; // [slots, heads, width]
};

template <typename A> using Value = std::variant<Tensor<A>, Batch, Cache<A>>;

/// The first failure of a step, as compiled code would note it.
struct Failure {
  int32_t kind; // TENON_FAILURE_*
  std::string op;
  int64_t row;
  int64_t value;
};

/// What evaluation needs beside its operands: the values of symbols (for
/// results whose extents no operand has) and a place for failures.
struct Context {
  llvm::StringMap<int64_t> symbols;
  std::optional<Failure> failure; // the first one
  std::vector<int32_t> emitted;   // what `tn.emit` streamed
  int64_t emitLimit = -1;         // the sink stops after so many; -1: never

  void fail(int32_t kind, llvm::StringRef op, int64_t row, int64_t value);
};

} // namespace tenon::ir::ref
#endif // TENON_IR_REFERENCE_VALUE_H
