//===- MatmulTileEmitter.h - What the kinds of weights share ----*- C++ -*-===//
//
// Private to MatmulTile.cpp (segments, plain weights), MatmulTileBlocked.cpp
// (blocked weights beside f32 rows) and MatmulTileInteger.cpp (blocked weights
// beside quantised rows).
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_CPU_MATMULTILEEMITTER_H
#define TENON_CODEGEN_CPU_MATMULTILEEMITTER_H

#include "codegen/cpu/MatmulTile.h"

namespace tenon::codegen::cpu {

/// Weights of one sub-block: scales and minima in registers, quants in memory.
struct SubBlock {
  llvm::SmallVector<mlir::Value> pointers;       // of each panel's sub-block
  llvm::SmallVector<mlir::Value> scales, minima; // of each panel and vector
};

class TileEmitter {
public:
  TileEmitter(KernelEmitter &e, const RegisterTile &tile,
              const TileOperands &operands)
      : e(e), tile(tile), in(operands), lanes(e.vectorWidth()),
        vectors(ir::kPanelLanes / lanes) {}

  void emit();

private:
  int64_t accumulators() const { return tile.rows * tile.panels * vectors; }
  int64_t unroll() const;
  llvm::SmallVector<mlir::Value> segment(mlir::Value from, mlir::Value to);
  llvm::SmallVector<mlir::Value> plainSteps(mlir::Value from, mlir::Value to,
                                            mlir::ValueRange carried);
  llvm::SmallVector<mlir::Value> blockedSteps(mlir::Value from, mlir::Value to,
                                              mlir::ValueRange carried);
  llvm::SmallVector<mlir::Value> integerSteps(mlir::Value from, mlir::Value to,
                                              mlir::ValueRange carried);
  llvm::SmallVector<mlir::Value> integerSums(const SubBlock &block,
                                             mlir::Value number);
  mlir::Value loadPair(mlir::Value pointer, mlir::Value pair, int64_t vector);
  mlir::Value addPair(mlir::Value sum, mlir::Value a, mlir::Value weights);
  void scaleSums(const SubBlock &block, mlir::Value number,
                 llvm::ArrayRef<mlir::Value> sums,
                 llvm::SmallVector<mlir::Value> &acc);
  SubBlock addressSubBlock(mlir::Value number);
  SubBlock loadSubBlock(mlir::Value number);
  mlir::Value words(int32_t value);
  mlir::Value loadScale(mlir::Value pointer, int64_t byte, int64_t vector);
  mlir::Value loadPlain(mlir::Value panel, mlir::Value k, int64_t vector);
  void loadQuants(const SubBlock &block, int64_t panel, int64_t vector,
                  mlir::Value row, llvm::SmallVectorImpl<mlir::Value> &weights);
  mlir::Value dequantise(const SubBlock &block, int64_t panel, int64_t vector,
                         mlir::Value quant);
  void prefetch(const SubBlock &block, mlir::Value row, int64_t rows);
  void accumulate(mlir::Value k, llvm::ArrayRef<mlir::Value> weights,
                  llvm::SmallVector<mlir::Value> &acc);
  void storeSegment(mlir::Value from, mlir::ValueRange acc);

  KernelEmitter &e;
  const RegisterTile &tile;
  const TileOperands &in;
  int64_t lanes, vectors;
};

} // namespace tenon::codegen::cpu
#endif // TENON_CODEGEN_CPU_MATMULTILEEMITTER_H
