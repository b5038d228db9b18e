//===- MatmulNest.h - One tile of a matmul nest -----------------*- C++ -*-===//
//
// Private to MatmulNest.cpp (the loops and the epilogue) and MatmulOperands.cpp
// (what the register tile reads).
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
  mlir::Value pointer;    // of the tile's first row
  mlir::Value stride;     // index
  bool isSegment = false; // staged for one segment of k at a time
  bool isPaired = false;  // words of two bf16; the stride counts words
  QuantRows quants = {};
};

bool isPacked(ir::MatmulOp product);
bool isInteger(ir::MatmulOp product);
bool isBytes(ir::MatmulOp product);

class MatmulNest {
public:
  MatmulNest(KernelEmitter &e, const Nest &nest, mlir::Value tile);

  mlir::LogicalResult emit();

private:
  using RunBody = llvm::function_ref<void(mlir::ValueRange, const Lanes &)>;
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
  MatmulRows leftRows(ir::MatmulOp product);
  MatmulRows stagedRows(ir::MatmulOp product);
  bool isDirect(ir::MatmulOp product);
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
  TileOperands rightOperand(ir::MatmulOp product, mlir::Value column,
                            const Segment &segment);
  mlir::Value stageRight(ir::MatmulOp product, mlir::Value firstColumn,
                         const Segment &segment);
  void stageRightColumns(ir::MatmulOp product, mlir::Value panelColumn,
                         const Segment &segment, mlir::Value panel,
                         llvm::SmallVector<mlir::Value> index);

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
