//===- AttentionNestRows.h - Rows of one head, staged -----------*- C++ -*-===//
//
// Following rows of one head of an operand [T, heads, width], as f32 in
// scratch: as they are, or transposed, so that rows are in the lanes.
//
//   HeadRows keys(elements, op.getK());
//   keys.stageTransposed({first, count, head}, scratch);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_CPU_ATTENTIONNESTROWS_H
#define TENON_CODEGEN_CPU_ATTENTIONNESTROWS_H

#include "codegen/cpu/Element.h"

namespace tenon::codegen::cpu {

class HeadRows {
public:
  /// At most 64 rows, at least one.
  struct Range {
    mlir::Value first, count; // rows
    mlir::Value head;
  };

  /// Reserves scratch where the operand is not memory.
  HeadRows(Elements &elements, mlir::Value operand);

  /// Elements of a row.
  int64_t rowWidth() const { return width; }

  /// Row i goes to scratch[i * pitch]; what the pitch adds is not written.
  void stage(const Range &range, mlir::Value scratch, int64_t pitch);

  /// Element d of row i goes to scratch[d * 64 + i]; rows from `count` on are
  /// copies of the last one.
  void stageTransposed(const Range &range, mlir::Value scratch);

private:
  /// Rows in memory: element d of row i is at base[i * stride + d].
  struct Memory {
    mlir::Value base, stride;
    mlir::Type element;
  };
  Memory memoryOf(const Range &range);
  void stageElements(const Range &range, mlir::Value scratch, int64_t pitch);
  void transposeTile(const Memory &memory, llvm::ArrayRef<mlir::Value> rows,
                     mlir::Value key, mlir::Value column, int64_t columns,
                     mlir::Value scratch);

  Elements &elements;
  KernelEmitter &e;
  mlir::Value operand;
  int64_t heads, width, lanes;
  mlir::Value copy; // f32 [64][width], where the operand is not memory
};

/// Transposes as many vectors as each has lanes.
void transposeLanes(KernelEmitter &emitter,
                    llvm::MutableArrayRef<mlir::Value> vectors);

/// A row of `operand` at the indices of its leading axes to scratch[at ..],
/// f32.
void stageRow(Elements &elements, mlir::Value operand, mlir::ValueRange leading,
              mlir::Value scratch, mlir::Value at);

} // namespace tenon::codegen::cpu
#endif // TENON_CODEGEN_CPU_ATTENTIONNESTROWS_H
