//===- Element.h - Elements of fused producers, on demand -------*- C++ -*-===//
//
// Pulls the elements of a tensor through the ops that make it, down to the
// kernel's operands: fusion needs no code of its own. An element is f32 for
// every float type, i1, i32 or i64, and has been rounded to its SSA type at
// every op on the way, as the numerics contract asks.
//
// Columns (indices of the last axis) come in runs: aligned stretches of
// `runLength(t)` columns, 0 for the whole axis, in which every view on the way
// is contiguous and every row statistic is the same. Divisions of views and
// statistics are then emitted once a run, and only an offset moves inside:
// where `lanes.offset` is given, index.back() must be the start of a run and
// the access must stay inside it. Without an offset index.back() is any column.
//
//   Elements elements(emitter);
//   elements.bind(matmul, [&](ValueRange index, const Lanes &lanes) {..});
//   elements.prepare(result, runStart);       // statistics, table rows
//   Value v = elements.element(result, runStart, lanes);
//   elements.store(v, type, pointer, runStart, lanes);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_CPU_ELEMENT_H
#define TENON_CODEGEN_CPU_ELEMENT_H

#include "codegen/cpu/Emitter.h"

#include "ir/tn/Emit.h"

#include <functional>

namespace tenon::codegen::cpu {

/// 32 elements as `tn.quantize` makes them.
struct QuantizedBlock {
  mlir::Value scale;                        // f16
  llvm::SmallVector<mlir::Value, 4> quants; // vectors of i8
};

class Elements {
public:
  /// Gives elements at an index; the column is index.back() + lanes.offset.
  using Source =
      std::function<mlir::Value(mlir::ValueRange index, const Lanes &lanes)>;

  explicit Elements(KernelEmitter &emitter) : e(emitter) {}

  /// Makes `source` give the elements of `tensor`, rounded to its type and as
  /// f32: a matmul's accumulators in an epilogue.
  void bind(mlir::Value tensor, Source source);

  /// See the head of this file.
  int64_t runLength(mlir::Value tensor);
  /// Whether lanes may begin at any column.
  bool startsAnywhere(mlir::Value tensor);
  /// The lanes to walk the runs of `tensor` by: a register or a scalar.
  int64_t widthFor(int64_t run) const;

  /// Emits what the elements of the run that starts at `index` share: row
  /// statistics, table rows, rotations, staged rows. Valid in the scope.
  void prepare(mlir::Value tensor, mlir::ValueRange index);
  /// Whether the element of one index needs `prepare` for that index alone, as
  /// a reduction's result does: its last axis numbers rows, too.
  bool isRowEach(mlir::Value tensor);
  /// Emits the rotation of row `token` of every rope in `body` whose axis 0 is
  /// that of `rows`, to be shared by its heads.
  void prepareRopes(mlir::Block *body, mlir::RankedTensorType rows,
                    mlir::Value token);

  /// From now on the last statistic of a row op over rows of their shape also
  /// prefetches the row after its own of `inputs`, operands of the kernel.
  void prefetchNextRow(llvm::ArrayRef<mlir::Value> inputs) {
    ahead.assign(inputs.begin(), inputs.end());
  }
  /// While rows are stored past the caches at `row`: keeps terms half a page
  /// from it, modulo pages. A load would wait for every pending store whose
  /// address has the same low 12 bits.
  void keepTermsFrom(mlir::Value row) { streamed = row; }

  mlir::Value element(mlir::Value tensor, mlir::ValueRange index,
                      const Lanes &lanes);

  /// Rounds to the type's element and stores at an index of it, row-major; a
  /// whole vector past the caches where `isPast` (see the emitter) holds.
  void store(mlir::Value value, mlir::RankedTensorType type,
             mlir::Value pointer, mlir::ValueRange index, const Lanes &lanes,
             mlir::Value isPast = {});

  /// Calls `body` for each block of q8_0 that the row of `x` at `row` becomes,
  /// in a loop.
  void forQuantized(
      mlir::Value x, mlir::ValueRange row,
      llvm::function_ref<void(mlir::Value number, const QuantizedBlock &)>
          body);
  /// Computes and stores the row of a quantised result; the columns are all.
  void storeQuantized(ir::QuantizeOp op, mlir::ValueRange row,
                      mlir::Value pointer);

  /// Copies the row of `tensor` at `index` (the last entry is ignored) to
  /// scratch: f32, i32, i64, or bytes. Its elements come from there afterwards.
  mlir::Value stage(mlir::Value tensor, mlir::ValueRange index);

  /// Calls `body` for all columns of the row of `tensor` at `index`, run by
  /// run, each prepared; `body` gets the run's start and the lanes in it. Whole
  /// vectors begin at column `first` where that is given, for tensors whose
  /// lanes may begin anywhere.
  void forColumns(
      mlir::ValueRange tensors, mlir::ValueRange row,
      llvm::function_ref<void(mlir::ValueRange index, const Lanes &lanes)> body,
      mlir::Value first = {});

  /// Whether every op met could be emitted; others were diagnosed.
  mlir::LogicalResult status() const { return mlir::success(!hasFailed); }
  KernelEmitter &emitter() { return e; }

  /// What is prepared or emitted while a scope lives is forgotten after: it
  /// does not dominate what follows. One is needed in every loop or branch.
  class Scope {
  public:
    explicit Scope(Elements &elements)
        : elements(elements), memoSize(elements.memo.size()),
          preparedSize(elements.prepared.size()),
          visitedSize(elements.visited.size()),
          scratchMark(elements.e.scratchMark()) {}
    ~Scope() {
      elements.memo.truncate(memoSize);
      elements.prepared.truncate(preparedSize);
      elements.visited.truncate(visitedSize);
      elements.e.restoreScratch(scratchMark);
    }
    Scope(const Scope &) = delete;
    Scope &operator=(const Scope &) = delete;

  private:
    Elements &elements;
    size_t memoSize, preparedSize, visitedSize;
    int64_t scratchMark;
  };

private:
  using Index = llvm::SmallVector<mlir::Value, 4>;
  Index prepareBlocks(mlir::Value x, mlir::ValueRange row);
  void storeSuperBlocks(ir::QuantizeOp op, mlir::ValueRange row,
                        const Index &start, mlir::Value pointer);
  struct Emitted {
    mlir::Value tensor;
    Index index;
    Lanes lanes;
    mlir::Value value;
  };
  /// What `prepare` left for a row: the statistics of a row op, the factors of
  /// a rotation, a scalar; where `tensor` is set too, the table's row that a
  /// gather reads from that index, or the last terms of the row op whose result
  /// it is; where `tensor` alone is, the pointer to its staged row.
  struct Prepared {
    mlir::Operation *op;
    mlir::Value tensor;
    Index row;
    llvm::SmallVector<mlir::Value, 2> values;
  };
  struct Visited {
    mlir::Value tensor;
    Index index;
  };

  // Element.cpp
  Index canonical(mlir::Value tensor, mlir::ValueRange index, Lanes &lanes);
  mlir::Value pull(mlir::Value tensor, mlir::ValueRange index, Lanes lanes);
  mlir::Value compute(mlir::Value tensor, mlir::ValueRange index,
                      const Lanes &lanes);
  mlir::Value perLane(mlir::Value tensor, mlir::ValueRange index,
                      const Lanes &lanes);
  mlir::Value fromMemory(mlir::RankedTensorType type, mlir::Value pointer,
                         mlir::ValueRange index, const Lanes &lanes);
  mlir::Value stagedElement(const Prepared &row, mlir::ValueRange index,
                            const Lanes &lanes);
  mlir::Value pointwiseElement(ir::PointwiseOp op, mlir::ValueRange index,
                               const Lanes &lanes);
  mlir::Value viewElement(ir::ViewOp op, mlir::ValueRange index,
                          const Lanes &lanes);
  Index sourceIndex(ir::ViewOp op, mlir::ValueRange index);
  static bool isSplat(ir::ViewOp op);
  mlir::Value unsupported(mlir::Value tensor, const Lanes &lanes);
  mlir::Value rounded(mlir::Value value, mlir::Type element);
  const Prepared *find(mlir::Operation *op, mlir::Value tensor,
                       mlir::ValueRange row);
  mlir::Value column(mlir::ValueRange index, const Lanes &lanes);

  // ElementOps.cpp
  mlir::Value constantElement(ir::ConstantOp op, mlir::ValueRange index,
                              const Lanes &lanes);
  mlir::Value iotaElement(ir::IotaOp op, mlir::ValueRange index,
                          const Lanes &lanes);
  mlir::Value concatElement(ir::ConcatOp op, mlir::ValueRange index,
                            const Lanes &lanes);
  mlir::Value concatFrom(ir::ConcatOp op, unsigned number,
                         mlir::ValueRange index, const Lanes &lanes);
  Index concatIndex(ir::ConcatOp op, unsigned number, mlir::ValueRange index);
  mlir::Value gatherElement(ir::GatherOp op, mlir::ValueRange index,
                            const Lanes &lanes);
  mlir::Value takeAlongElement(ir::TakeAlongOp op, mlir::ValueRange index);
  mlir::Value ropeElement(ir::RopeOp op, mlir::ValueRange index,
                          const Lanes &lanes);
  mlir::Value randomElement(ir::RandomOp op, mlir::ValueRange index,
                            const Lanes &lanes);
  Index partnerIndex(ir::RopeOp op, mlir::ValueRange index);
  mlir::Value tableRow(ir::GatherOp op, mlir::ValueRange index);
  mlir::Value checkedNumber(mlir::Operation *op, mlir::Value number,
                            mlir::Value extent, mlir::Value row);
  void prepareRope(ir::RopeOp op, mlir::Value token);
  const Prepared *findRope(ir::RopeOp op, mlir::Value token);
  void prepareGather(ir::GatherOp op, mlir::ValueRange index);

  // ElementRows.cpp
  void prepareOp(mlir::Operation *op, mlir::ValueRange index);
  void prepareView(ir::ViewOp op, mlir::ValueRange index);
  void prepareRow(ir::RowOp op, mlir::ValueRange row);
  void prepareRowOperands(ir::RowOp op, mlir::ValueRange row);
  mlir::Value rowElement(ir::RowOp op, mlir::ValueRange index,
                         const Lanes &lanes);
  llvm::SmallVector<mlir::Value> rowOperandElements(ir::RowOp op,
                                                    mlir::ValueRange index,
                                                    const Lanes &lanes,
                                                    bool everyOperand);
  mlir::Value reduceSum(ir::RowOp op, int64_t statistic, mlir::Value count,
                        mlir::ValueRange row, mlir::ValueRange statistics,
                        mlir::Value terms);
  mlir::Value reduceExtreme(ir::RowOp op, int64_t statistic, mlir::Value count,
                            mlir::ValueRange row, mlir::ValueRange statistics);
  mlir::Value emitTerm(ir::RowOp op, int64_t statistic, mlir::ValueRange row,
                       mlir::ValueRange statistics, const Lanes &lanes);
  void prefetchAhead(ir::RowOp op, int64_t statistic, mlir::ValueRange row,
                     const Lanes &lanes);
  mlir::Value termsOf(int64_t count);
  bool isSummedInRegisters(ir::RowOp op);
  using Term = llvm::function_ref<mlir::Value(const Lanes &)>;
  llvm::SmallVector<mlir::Value> addGroups(mlir::Value from, mlir::Value to,
                                           llvm::SmallVector<mlir::Value> sums,
                                           Term term);
  mlir::Value sumSegment(mlir::Value from, mlir::Value length, mlir::Value rest,
                         Term term);

  // ElementRuns.cpp
  int64_t computeRun(mlir::Value tensor);
  int64_t viewRun(ir::ViewOp op);
  bool holdsPairs(mlir::Value tensor);
  bool cutsPairs(mlir::Value tensor, int64_t run);
  bool isExpensive(mlir::Value tensor);
  bool computeExpensive(mlir::Value tensor);

  // ElementBlocks.cpp
  void stageBlocked(mlir::Value result, mlir::Value table, mlir::Value row,
                    mlir::ValueRange index);

  // ElementSelect.cpp, ElementSample.cpp: ops that choose elements of a row.
  mlir::Value prepareWholeRow(mlir::Value x, mlir::ValueRange row);
  mlir::Value wholeRowElement(mlir::Value x, mlir::ValueRange row,
                              const Lanes &lanes);
  mlir::Value rowNumber(mlir::Value x, mlir::ValueRange row);
  mlir::Value drawToken(ir::SampleOp op, mlir::ValueRange row,
                        mlir::Value count);
  void prepareArgmax(ir::ArgmaxOp op, mlir::ValueRange row);
  void prepareTopK(ir::TopKOp op, mlir::ValueRange row);
  void prepareSample(ir::SampleOp op, mlir::ValueRange row);

  // ElementMoe.cpp
  Index assignmentIndex(ir::MoeGatherOp op, mlir::ValueRange index);
  void prepareCombine(ir::MoeCombineOp op, mlir::Value token);
  mlir::Value combineElement(ir::MoeCombineOp op, mlir::ValueRange index,
                             const Lanes &lanes);
  mlir::Value storeScores(mlir::Value logits, ir::Scoring scoring,
                          mlir::ValueRange row, mlir::Value scores);
  void prepareRoute(ir::MoeRouteOp op, mlir::ValueRange row);
  void prepareWeigh(ir::MoeWeighOp op, mlir::ValueRange row);

  KernelEmitter &e;
  llvm::DenseMap<mlir::Value, Source> sources;
  llvm::DenseMap<mlir::Value, int64_t> runs;
  llvm::DenseMap<mlir::Value, bool> expensive;
  llvm::SmallVector<Emitted, 0> memo;
  llvm::SmallVector<Prepared, 0> prepared;
  llvm::SmallVector<Visited, 0> visited;
  llvm::SmallVector<mlir::Value, 2> ahead; // see prefetchNextRow
  mlir::Value streamed;                    // see keepTermsFrom
  bool hasFailed = false;
};

/// f32: columns [column, + lanes of a register) of a row of `type`, a blocked
/// format, whose bytes lie at `row`; `column` is a multiple of these lanes.
mlir::Value blockedValues(KernelEmitter &emitter, base::ElementType type,
                          mlir::Value row, mlir::Value column);

/// Whether two values are the same computation of the same values.
bool sameValue(mlir::Value a, mlir::Value b);
bool sameValues(mlir::ValueRange a, mlir::ValueRange b);

/// Whether two tensors have the same extents.
bool sameShape(mlir::RankedTensorType a, mlir::RankedTensorType b);

/// The type that memory holds elements of `element` as: i8 for i1.
mlir::Type memoryType(mlir::Type element);

/// The first word of Philox-4x32-10 with key `seed` (i64) and counter
/// (`position` (i32), 0, 0, 0), as an i64; scalars or vectors.
/// Source: Salmon et al. 2011, table 2.
mlir::Value emitPhilox(mlir::ImplicitLocOpBuilder &builder, mlir::Value seed,
                       mlir::Value position);
/// f32(word >> 8) * 2^-24: uniform in [0, 1).
mlir::Value emitUniform(mlir::ImplicitLocOpBuilder &builder, mlir::Value word);

} // namespace tenon::codegen::cpu
#endif // TENON_CODEGEN_CPU_ELEMENT_H
