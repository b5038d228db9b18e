//===- MatmulNest.h - One tile of a matmul nest -----------------*- C++ -*-===//
//
// Private to MatmulNest.cpp (the loops and the epilogue), MatmulOperands.cpp
// (what the register tile reads), MatmulPanels.cpp (panels of a right operand
// that is not packed) and MatmulRow.cpp (a single row by such an operand).
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_CPU_MATMULNEST_H
#define TENON_CODEGEN_CPU_MATMULNEST_H

#include "codegen/cpu/Element.h"
#include "codegen/cpu/MatmulQuants.h"
#include "codegen/cpu/MatmulTile.h"

#include "llvm/ADT/MapVector.h"

namespace tenon::codegen::cpu {

/// What all products of a nest share.
struct MatmulShape {
  mlir::RankedTensorType y;
  bool isBatched = false; // b has leading axes of its own
  int64_t tileRows = 1, tileCols = 1;

  int64_t rank() const { return y.getRank(); }
  int64_t rowAxes() const { return isBatched ? 1 : rank() - 1; }
};

/// The left operand of a tile as rows of f32, or of quants.
struct MatmulRows {
  mlir::Value pointer; // of the tile's first row
  mlir::Value stride;  // index: from row to row, of row groups if `isGrouped`
  bool isSegment = false; // staged for one segment of k at a time
  bool isGrouped = false; // the rows of a group lie beside each other at each k
  bool isPaired = false;  // words of two bf16; the stride counts words
  QuantRows quants = {};
};

bool isPacked(ir::MatmulOp product);
bool isInteger(ir::MatmulOp product);
bool isBytes(ir::MatmulOp product);
/// The operand of the kernel whose elements a tensor has in the same order: its
/// own, or that behind reshapes; null for a value that is computed.
mlir::Value storedAt(mlir::Value tensor);
/// What a right operand is read from: the f32 in memory that it rounds to bf16,
/// or itself.
mlir::Value sourceOf(mlir::Value factor);
/// Whether panels of the right operand are staged as floats.
bool isStaged(ir::MatmulOp product);

/// Vector w of the result holds word w of each of the rows, as many as a vector
/// has words.
llvm::SmallVector<mlir::Value> transposed(KernelEmitter &e,
                                          llvm::ArrayRef<mlir::Value> rows);
/// i32: words of two bf16 whose halves change places.
mlir::Value swapHalves(KernelEmitter &e, mlir::Value words);
/// i32: words of the elements `lanes` of two lines of bf16, or of f32 that are
/// rounded, those of the first in the high halves.
mlir::Value pairLines(KernelEmitter &e, mlir::Type element, mlir::Value high,
                      mlir::Value low, const Lanes &lanes);
/// i32: words of two elements of a line of bf16, or of f32 that are rounded,
/// the first in the high halves. `lanes` counts words.
mlir::Value pairsOfLine(KernelEmitter &e, mlir::Type element, mlir::Value line,
                        const Lanes &lanes);

/// A segment of one panel of a right operand, to be staged in scratch.
struct Panel {
  mlir::Value column; // the first one, in the operand
  Segment segment;
  ir::PanelFormat format; // of what is staged: f32 or bf16
  mlir::Value target;     // of the segment's first k
  bool isWhole = false;   // all columns are there
};

class MatmulNest {
public:
  MatmulNest(KernelEmitter &e, const Nest &nest, mlir::Value tile);

  mlir::LogicalResult emit();

private:
  using RunBody = llvm::function_ref<void(mlir::ValueRange, const Lanes &)>;
  using Index = llvm::SmallVector<mlir::Value>;
  using RowsBody = llvm::function_ref<void(mlir::Value from, mlir::Value to)>;

  mlir::LogicalResult verify();
  mlir::Value extentOfK(ir::MatmulOp product);
  void forSegments(mlir::Value k,
                   llvm::function_ref<void(const Segment &)> body);
  bool cutsBySegments();
  void emitBySegments();
  void emitByColumns();
  void prefetchResult(mlir::Value row, mlir::Value column);
  void accumulate(ir::MatmulOp product, mlir::Value column, mlir::Value sums,
                  const Segment &segment, RowsBody afterRows = nullptr);
  void bindSums(ir::MatmulOp product, mlir::Value column, mlir::Value sums,
                mlir::Value row);
  void emitEpilogue(mlir::Value column, llvm::ArrayRef<mlir::Value> sums,
                    mlir::Value fromRow, mlir::Value toRow);
  llvm::SmallVector<mlir::Value> rowIndex(mlir::RankedTensorType type,
                                          mlir::Value row);
  void forEachRun(mlir::Value tensor, llvm::SmallVector<mlir::Value> index,
                  mlir::Value from, mlir::Value count, RunBody body);

  // MatmulOperands.cpp
  ir::PanelFormat formatOf(ir::MatmulOp product);
  bool isReadInPlace(ir::MatmulOp product);
  llvm::SmallVector<mlir::Value> matrixIndex(mlir::RankedTensorType type);
  MatmulRows leftRows(ir::MatmulOp product);
  MatmulRows stagedRows(ir::MatmulOp product);
  bool isDirect(ir::MatmulOp product);
  bool liesByColumns(ir::MatmulOp product);
  bool isPaired(mlir::Value a);
  MatmulRows rowsInScratch(mlir::Value a, int64_t mostK);
  void storeStaged(const MatmulRows &left, mlir::Value row, mlir::Value column,
                   mlir::Value value, const Lanes &lanes);
  void stageRow(ir::MatmulOp product, const MatmulRows &left, mlir::Value row,
                mlir::Value k);
  void pairRow(const MatmulRows &left, mlir::Value row, mlir::Value k);
  mlir::Value sourceRows(mlir::Value a);
  void stageSegment(mlir::Value a, const MatmulRows &left,
                    const Segment &segment);
  void stageColumns(mlir::Value a, const MatmulRows &left,
                    const Segment &segment);
  mlir::Value columnsAt(mlir::Value a, const MatmulRows &left, mlir::Value k,
                        mlir::Value line);
  void storeColumns(const MatmulRows &left, llvm::ArrayRef<mlir::Value> lines,
                    llvm::ArrayRef<mlir::Value> next, mlir::Value word);
  TileOperands rightOperand(ir::MatmulOp product, mlir::Value column,
                            const Segment &segment);

  // MatmulRow.cpp
  bool isOneRow(ir::MatmulOp product);
  void multiplyRow(ir::MatmulOp product, mlir::Value column, mlir::Value sums);
  void multiplyRow(ir::MatmulOp product, const Panel &panel, mlir::Value lane,
                   mlir::Value sums);
  mlir::Value addWord(ir::MatmulOp product, mlir::Value sum, mlir::Value word,
                      mlir::Value weights);
  mlir::Value addRest(ir::MatmulOp product, const Panel &panel,
                      llvm::ArrayRef<Index> starts, mlir::Value at,
                      mlir::Value rest, mlir::Value sum);
  void prefetchRows(ir::MatmulOp product, const Panel &panel, mlir::Value lane,
                    mlir::Value word);

  // MatmulPanels.cpp
  void forWhole(Panel panel, int64_t width,
                llvm::function_ref<void(const Panel &)> body);
  llvm::SmallVector<mlir::Value> transposedWords(ir::MatmulOp product,
                                                 const Panel &panel,
                                                 llvm::ArrayRef<Index> rows,
                                                 const Lanes &at);
  llvm::SmallVector<Index> rowsOf(ir::MatmulOp product, const Panel &panel,
                                  mlir::Value lane);
  mlir::Value stageRight(ir::MatmulOp product, mlir::Value firstColumn,
                         const Segment &segment);
  void stageRightRows(ir::MatmulOp product, const Panel &panel);
  void stageRightPairs(ir::MatmulOp product, const Panel &panel);
  void stageBlockedRows(ir::MatmulOp product, const Panel &panel);
  void stagePackedRows(ir::MatmulOp product, const Panel &panel);
  void stageTransposed(ir::MatmulOp product, const Panel &panel);
  void stageTransposedRows(ir::MatmulOp product, const Panel &panel,
                           mlir::Value lane);
  void stageRightColumns(ir::MatmulOp product, const Panel &panel,
                         mlir::Value fromWord);
  mlir::Value columnOf(const Panel &panel, mlir::Value lane);
  void addressNext(ir::MatmulOp product, mlir::Value column, mlir::Value k,
                   NextPanels &next);
  NextPanels nextPanels(ir::MatmulOp product, mlir::Value column,
                        const Segment &segment);

  KernelEmitter &e;
  const Nest &nest;
  MatmulShape shape;
  llvm::SmallVector<ir::MatmulOp> products;
  RegisterTile registers;
  Elements elements;
  int64_t paddedRows = 0;     // tileRows in whole row groups
  int64_t paddedColumns = 0;  // tileCols in whole groups of panels
  bool areRowsGrouped = true; // tiles have more than one row group
  mlir::Value matrix;         // which matrix of a batched product
  mlir::Value firstRow, rows; // of the tile in the matrix, and how many
  mlir::Value firstColumn, columns;
  mlir::Value matrixRows, allColumns;
  llvm::MapVector<mlir::Value, MatmulRows> lefts;
};

} // namespace tenon::codegen::cpu
#endif // TENON_CODEGEN_CPU_MATMULNEST_H
