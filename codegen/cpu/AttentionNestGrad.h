//===- AttentionNestGrad.h - What both gradients do with rows ---*- C++ -*-===//
//
// Rows are a token and a head each, in groups of as many as registers hold.
// With a block of 64 keys a group gets its weights p and its slopes ds = p *
// (dp - delta); with these, sums of weighted rows are continued.
//
//   GradRows rows(elements, shape, mostRows, groupRows);
//   rows.stage(row, token, head);
//   rows.emitGroup(first, keysTransposed, valuesTransposed);
//   WeightedSums sums{...};
//   rows.addTerms(sums, 4, firstOutput, rangeOf);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_CPU_ATTENTIONNESTGRAD_H
#define TENON_CODEGEN_CPU_ATTENTIONNESTGRAD_H

#include "codegen/cpu/Element.h"

#include "ir/tn/AttentionShape.h"

namespace tenon::codegen::cpu {

/// Positions of a segment of the gradients' sums.
inline constexpr int64_t kGradSegment = 512;

/// sums[i] += sum over terms r of weight(i, r) * terms[r], in scratch.
struct WeightedSums {
  mlir::Value sums;  // f32 [outputs][pitch]
  mlir::Value terms; // f32 [terms][pitch]
  mlir::Value weights;
  int64_t outputStride, termStride; // of the weights
  int64_t columns;                  // of a row: whole vectors
};

class GradRows {
public:
  GradRows(Elements &elements, const ir::AttentionShape &shape,
           int64_t mostRows, int64_t groupRows);

  /// Elements between rows of scratch: whole vectors hold any row.
  int64_t pitch() const { return rowPitch; }
  /// Elements of whole vectors that hold a row of queries or keys; of values.
  int64_t columns() const { return llvm::alignTo(shape.width, lanes); }
  int64_t valueColumns() const {
    return llvm::alignTo(shape.valueWidth, lanes);
  }

  /// Reads one row's operands.
  void stage(mlir::Value row, mlir::Value token, mlir::Value head);

  /// Weights and slopes of the group that starts at row `first`, for keys and
  /// values [width][64] (their own).
  void emitGroup(mlir::Value first, mlir::Value keys, mlir::Value values);

  /// The terms [from, to) of an output; both ascend by output, and from <= to.
  using RangeOf = llvm::function_ref<std::pair<mlir::Value, mlir::Value>(
      mlir::Value output)>;
  /// Adds its terms to each of `count` outputs from `first` on, in order.
  void addTerms(const WeightedSums &sums, int64_t count, mlir::Value first,
                RangeOf rangeOf);

  /// Vectors of 0 to `rows` rows.
  void clear(mlir::Value sums, mlir::Value rows);
  /// Adds a row of a segment's sums to those of the segments before; the first
  /// one's is copied.
  void mergeRow(mlir::Value segment, mlir::Value total, mlir::Value row,
                mlir::Value isFirst);
  /// Multiplies a row of sums.
  void scaleRow(mlir::Value sums, mlir::Value row, double factor);
  /// Adds a row of values to the first elements of one of keys.
  void addLatent(mlir::Value values, mlir::Value keys, mlir::Value row);
  /// Stores a row of sums, rounded, where `result` is yielded.
  void storeRow(const Nest &nest, mlir::Value result, mlir::ValueRange leading,
                mlir::Value sums, mlir::Value row);

  mlir::Value q, dy;           // f32 [rows][pitch]
  mlir::Value weights, slopes; // f32 [rows][64]

private:
  int64_t vectorsBeside(int64_t rows, int64_t most) const;
  /// Rows [pitch] and what they are multiplied with, [width][64].
  struct Factors {
    mlir::Value rows, columns;
    int64_t width;
  };
  llvm::SmallVector<mlir::Value> chain(const Factors &factors, mlir::Value key,
                                       int64_t vectors, int64_t from,
                                       int64_t to);
  void emitProducts(const Factors &factors, mlir::Value out);
  void emitSlopes(mlir::Value row);
  /// Following outputs.
  struct Outputs {
    const WeightedSums &sums;
    int64_t count;
    mlir::Value first;
  };
  void addColumns(const Outputs &outputs, mlir::Value from, mlir::Value to);
  void addTile(const Outputs &outputs, mlir::Value column, int64_t vectors,
               mlir::Value from, mlir::Value to);

  Elements &elements;
  KernelEmitter &e;
  ir::AttentionShape shape;
  int64_t groupRows, lanes, rowPitch;
  mlir::Type f32;
  mlir::Value lse, delta; // f32 [rows]
};

} // namespace tenon::codegen::cpu
#endif // TENON_CODEGEN_CPU_ATTENTIONNESTGRAD_H
