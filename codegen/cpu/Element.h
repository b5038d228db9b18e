//===- Element.h - Elements of fused producers, on demand -------*- C++ -*-===//
//
// Pulls the elements of a tensor through the ops that make it, down to the
// kernel's operands: fusion needs no code of its own. An element is f32 for
// every float type, i1, i32 or i64, and has been rounded to its SSA type at
// every op on the way, as the numerics contract asks.
//
// Columns come in runs. `element(t, index, lanes)` means the elements of the
// last axis from index.back() + lanes.offset; index.back() starts a run: a
// stretch of `runLength(t)` columns (0: the whole axis) for which every view on
// the way is contiguous and every row statistic the same. So views' divisions
// and statistics are computed once for a run, and only the offset moves.
//
//   Elements elements(emitter);
//   elements.bind(matmul, [&](ValueRange index, const Lanes &lanes) {..});
//   elements.prepare(result, index);          // statistics, table rows
//   Value v = elements.element(result, index, lanes);
//   elements.storeElement(v, type, pointer, index, lanes);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_CPU_ELEMENT_H
#define TENON_CODEGEN_CPU_ELEMENT_H

#include "codegen/cpu/Emitter.h"

#include <functional>

namespace tenon::codegen::cpu {

class Elements {
public:
  using Source = std::function<mlir::Value(mlir::ValueRange, const Lanes &)>;

  explicit Elements(KernelEmitter &emitter) : e(emitter) {}

  /// Makes `source` give the elements of `tensor`: a matmul's accumulators, a
  /// row staged in memory. They are rounded to the tensor's type already.
  void bind(mlir::Value tensor, Source source);

  /// See the head of this file. 0: the whole axis. A power-of-two multiple of
  /// the lanes' width is vectorisable; other runs are walked by scalars.
  int64_t runLength(mlir::Value tensor);

  /// Emits what the elements of the run at `index` need but do not share a
  /// column loop with: row statistics, table rows, rotations, staged rows.
  /// What it emits is valid in the current block and scope.
  void prepare(mlir::Value tensor, mlir::ValueRange index);

  /// The elements; `prepare` must have been called for the run if a row
  /// statistic, a rotation or a take_along is on the way (`needsPrepare`).
  mlir::Value element(mlir::Value tensor, mlir::ValueRange index,
                      const Lanes &lanes);
  /// Whether anything below `tensor` needs `prepare`.
  bool needsPrepare(mlir::Value tensor);

  /// Stores elements of a tensor of `type`; they are rounded to it already.
  void storeElement(mlir::Value value, mlir::RankedTensorType type,
                    mlir::Value pointer, mlir::ValueRange index,
                    const Lanes &lanes);

  /// Copies the row of `tensor` at `index` (its last entry is ignored) to
  /// scratch as f32, i32 or i64; later elements of the row come from there.
  mlir::Value stage(mlir::Value tensor, mlir::ValueRange index);

  /// What was prepared or emitted between the construction and destruction of
  /// a scope is forgotten: it does not dominate what follows. Open one inside
  /// every loop or branch body.
  class Scope {
  public:
    explicit Scope(Elements &elements);
    ~Scope();
    Scope(const Scope &) = delete;
    Scope &operator=(const Scope &) = delete;

  private:
    Elements &elements;
    size_t memoSize, preparedSize;
    int64_t scratchMark;
  };

private:
  struct Emitted { // an element
    mlir::Value tensor;
    llvm::SmallVector<mlir::Value, 4> index;
    Lanes lanes;
    mlir::Value value;
  };
  /// What `prepare` left: statistics of a row op, the row number of a gather,
  /// the cosine and sine rows of a rotation, a staged row.
  struct Prepared {
    mlir::Operation *op;
    mlir::Value tensor; // staged; null otherwise
    llvm::SmallVector<mlir::Value, 4> row;
    llvm::SmallVector<mlir::Value, 2> values;
  };

  mlir::Value compute(mlir::Value tensor, mlir::ValueRange index,
                      const Lanes &lanes);
  mlir::Value loadElement(mlir::RankedTensorType type, mlir::Value pointer,
                          mlir::ValueRange index, const Lanes &lanes);
  mlir::Value constantElement(ir::ConstantOp op, mlir::ValueRange index,
                              const Lanes &lanes);
  mlir::Value viewElement(ir::ViewOp op, mlir::ValueRange index,
                          const Lanes &lanes);
  mlir::Value pointwiseElement(ir::PointwiseOp op, mlir::ValueRange index,
                               const Lanes &lanes);
  mlir::Value rowElement(ir::RowOp op, mlir::ValueRange index,
                         const Lanes &lanes);
  mlir::Value concatElement(ir::ConcatOp op, mlir::ValueRange index,
                            const Lanes &lanes);
  mlir::Value iotaElement(ir::IotaOp op, mlir::ValueRange index,
                          const Lanes &lanes);
  mlir::Value gatherElement(ir::GatherOp op, mlir::ValueRange index,
                            const Lanes &lanes);
  mlir::Value takeAlongElement(ir::TakeAlongOp op, mlir::ValueRange index,
                               const Lanes &lanes);
  mlir::Value ropeElement(ir::RopeOp op, mlir::ValueRange index,
                          const Lanes &lanes);
  mlir::Value blockedElement(mlir::RankedTensorType type, mlir::Value pointer,
                             mlir::ValueRange index, const Lanes &lanes);
  mlir::Value scalarised(mlir::Value tensor, mlir::ValueRange index,
                         const Lanes &lanes);

  void prepareRow(ir::RowOp op, mlir::ValueRange index);
  void prepareRope(ir::RopeOp op, mlir::ValueRange index);
  mlir::Value tableRow(ir::GatherOp op, mlir::ValueRange index);
  llvm::SmallVector<mlir::Value> rowOperandElements(ir::RowOp op,
                                                    mlir::ValueRange index,
                                                    const Lanes &lanes,
                                                    bool onlyRowOperands);
  mlir::Value reduceRow(ir::RowOp op, int64_t statistic, mlir::ValueRange index,
                        mlir::ValueRange statistics);
  mlir::Value roundTo(mlir::Value value, mlir::Value tensor);
  bool expensive(mlir::Value tensor);
  const Prepared *find(mlir::Operation *op, mlir::Value tensor,
                       mlir::ValueRange row);

  KernelEmitter &e;
  llvm::DenseMap<mlir::Value, Source> sources;
  llvm::SmallVector<Emitted> memo;
  llvm::SmallVector<Prepared> prepared;
};

/// Whether two values are the same computation of the same values.
bool sameValue(mlir::Value a, mlir::Value b);

} // namespace tenon::codegen::cpu
#endif // TENON_CODEGEN_CPU_ELEMENT_H
