//===- MatmulNest.h - One tile of a matmul nest -----------------*- C++ -*-===//
//
// Private to MatmulNest.cpp (the loops and the epilogue), MatmulOperands.cpp
// (what the register tile reads), MatmulPanels.cpp (panels of a right operand
// that is not packed), MatmulRow.cpp (a single row by such an operand) and
// MatmulGroups.cpp (tiles of groups of rows).
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
  bool isBatched = false;   // there are several matrices of b, or sums
  mlir::Value offsets;      // of groups of rows; null: none
  bool isCutAlongK = false; // the groups are of the rows that are summed
  int64_t tileRows = 1, tileCols = 1;

  int64_t rank() const { return y.getRank(); }
  /// Whether the groups are of the result's rows: a tile is of one of them.
  bool areRowsCut() const { return offsets && !isCutAlongK; }
  /// Whether the result has leading axes beside its rows.
  bool hasMatrices() const { return isBatched && !areRowsCut(); }
  int64_t rowAxes() const { return hasMatrices() ? 1 : rank() - 1; }
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

bool isPacked(ir::ProductOp product);
bool isInteger(ir::ProductOp product);
bool isBytes(ir::ProductOp product);
/// The operand of the kernel whose elements a tensor has in the same order: its
/// own, or that behind reshapes; null for a value that is computed.
mlir::Value storedAt(mlir::Value tensor);
/// What a right operand is read from: the f32 in memory that it rounds to bf16,
/// or itself.
mlir::Value sourceOf(mlir::Value factor);
/// Whether panels of the right operand are staged as floats.
bool isStaged(ir::ProductOp product);

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
  void cutBy(ir::ScheduleAttr schedule);
  void emitTile();
  mlir::Value topRow();
  mlir::Value extentOfK(ir::ProductOp product);
  void forSegments(mlir::Value k,
                   llvm::function_ref<void(const Segment &)> body);
  bool cutsBySegments();
  void emitBySegments();
  void emitByColumns();
  void prefetchResult(mlir::Value row, mlir::Value column);
  void emitRows(mlir::Value left, const TileOperands &operands);
  void accumulate(ir::ProductOp product, mlir::Value column, mlir::Value sums,
                  const Segment &segment, RowsBody afterRows = nullptr);
  void bindSums(ir::ProductOp product, mlir::Value column, mlir::Value sums,
                mlir::Value row);
  void emitEpilogue(mlir::Value column, llvm::ArrayRef<mlir::Value> sums,
                    mlir::Value fromRow, mlir::Value toRow);
  llvm::SmallVector<mlir::Value> rowIndex(mlir::RankedTensorType type,
                                          mlir::Value row);
  void forEachRun(mlir::Value tensor, llvm::SmallVector<mlir::Value> index,
                  mlir::Value from, mlir::Value count, RunBody body);

  // MatmulOperands.cpp
  ir::PanelFormat formatOf(ir::ProductOp product);
  bool isReadInPlace(ir::ProductOp product);
  llvm::SmallVector<mlir::Value> matrixIndex(mlir::RankedTensorType type);
  MatmulRows leftRows(ir::ProductOp product);
  MatmulRows stagedRows(ir::ProductOp product);
  bool isDirect(ir::ProductOp product);
  bool liesByColumns(ir::ProductOp product);
  bool isPaired(mlir::Value a);
  MatmulRows rowsInScratch(mlir::Value a, int64_t mostK);
  void storeStaged(const MatmulRows &left, mlir::Value row, mlir::Value column,
                   mlir::Value value, const Lanes &lanes);
  void stageRow(ir::ProductOp product, const MatmulRows &left, mlir::Value row,
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
  TileOperands rightOperand(ir::ProductOp product, mlir::Value column,
                            const Segment &segment);

  // MatmulGroups.cpp
  Index rowOfK(mlir::RankedTensorType type, mlir::Value k);
  void emitGroups();
  void reportOffsets();
  mlir::Value allRows();
  mlir::Value statedOffset(mlir::Value number);
  mlir::Value offsetAt(mlir::Value number);
  mlir::Value locateGroup();
  void emitRowsOfGroup();
  void emitSums();
  void emitZeros();

  // MatmulRow.cpp
  bool isOneRow(ir::ProductOp product);
  void multiplyRow(ir::ProductOp product, mlir::Value column, mlir::Value sums);
  void multiplyRow(ir::ProductOp product, const Panel &panel, mlir::Value lane,
                   mlir::Value sums);
  mlir::Value addWord(ir::ProductOp product, mlir::Value sum, mlir::Value word,
                      mlir::Value weights);
  mlir::Value addRest(ir::ProductOp product, const Panel &panel,
                      llvm::ArrayRef<Index> starts, mlir::Value at,
                      mlir::Value rest, mlir::Value sum);
  void prefetchRows(ir::ProductOp product, const Panel &panel, mlir::Value lane,
                    mlir::Value word);

  // MatmulPanels.cpp
  void forWhole(Panel panel, int64_t width,
                llvm::function_ref<void(const Panel &)> body);
  llvm::SmallVector<mlir::Value> transposedWords(ir::ProductOp product,
                                                 const Panel &panel,
                                                 llvm::ArrayRef<Index> rows,
                                                 const Lanes &at);
  llvm::SmallVector<Index> rowsOf(ir::ProductOp product, const Panel &panel,
                                  mlir::Value lane);
  mlir::Value stageRight(ir::ProductOp product, mlir::Value firstColumn,
                         const Segment &segment);
  void stageRightRows(ir::ProductOp product, const Panel &panel);
  void stageRightPairs(ir::ProductOp product, const Panel &panel);
  void stageBlockedRows(ir::ProductOp product, const Panel &panel);
  mlir::Value firstPanel(mlir::RankedTensorType type);
  void stagePackedRows(ir::ProductOp product, const Panel &panel);
  void stageTransposed(ir::ProductOp product, const Panel &panel);
  void stageTransposedRows(ir::ProductOp product, const Panel &panel,
                           mlir::Value lane);
  void stageRightColumns(ir::ProductOp product, const Panel &panel,
                         mlir::Value fromWord);
  mlir::Value columnOf(const Panel &panel, mlir::Value lane);
  void addressNext(ir::ProductOp product, mlir::Value column, mlir::Value k,
                   NextPanels &next);
  NextPanels nextPanels(ir::ProductOp product, mlir::Value column,
                        const Segment &segment);

  KernelEmitter &e;
  const Nest &nest;
  MatmulShape shape;
  llvm::SmallVector<ir::ProductOp> products;
  RegisterTile registers;
  Elements elements;
  int64_t paddedRows = 0;     // tileRows in whole row groups
  int64_t paddedColumns = 0;  // tileCols in whole groups of panels
  bool areRowsGrouped = true; // tiles have more than one row group
  mlir::Value tile;           // its number
  mlir::Value matrix;         // which matrix of b, or of the sums
  mlir::Value firstRow, rows; // of the tile in the matrix, and how many
  mlir::Value firstK, countK; // of the group whose rows are summed
  mlir::Value firstColumn, columns;
  mlir::Value matrixRows, allColumns;
  llvm::MapVector<mlir::Value, MatmulRows> lefts;
};

/// How many tiles of rows there may be: of groups, whose sizes the host does
/// not know, at most.
Size rowTilesOf(KernelEmitter &e, const MatmulShape &shape, const Size &rows);

} // namespace tenon::codegen::cpu
#endif // TENON_CODEGEN_CPU_MATMULNEST_H
