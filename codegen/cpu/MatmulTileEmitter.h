//===- MatmulTileEmitter.h - What the kinds of weights share ----*- C++ -*-===//
//
// Private to MatmulTile.cpp (segments), MatmulTilePlain.cpp (plain weights),
// MatmulTileBlocked.cpp (blocked weights beside f32 rows),
// MatmulTileInteger.cpp (blocked weights beside quantised rows) and
// MatmulTileSuper.cpp (beside rows of q8_k).
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_CPU_MATMULTILEEMITTER_H
#define TENON_CODEGEN_CPU_MATMULTILEEMITTER_H

#include "codegen/cpu/MatmulTile.h"
#include "codegen/cpu/PanelReader.h"

namespace tenon::codegen::cpu {

/// A sub-block of each panel, and what its elements share in registers.
struct SubBlocks {
  llvm::SmallVector<PanelSubBlock> panels;
  llvm::SmallVector<mlir::Value> scales, minima; // of each panel and vector
};

class TileEmitter {
public:
  TileEmitter(KernelEmitter &e, const RegisterTile &tile,
              const TileOperands &operands)
      : e(e), tile(tile), in(operands), lanes(e.vectorWidth()),
        vectors(ir::kPanelLanes / lanes), reader(e, operands.format, lanes) {}

  void emit();

private:
  int64_t accumulators() const { return tile.rows * tile.panels * vectors; }
  int64_t unroll(int64_t multiplyAdds = 64) const;
  llvm::SmallVector<mlir::Value> segment(mlir::Value from, mlir::Value to);
  void storeSegment(mlir::Value from, mlir::ValueRange acc);

  // MatmulTilePlain.cpp
  llvm::SmallVector<mlir::Value> plainSteps(mlir::Value from, mlir::Value to,
                                            mlir::ValueRange carried);
  void plainStep(mlir::Value word, std::optional<int64_t> only,
                 llvm::SmallVector<mlir::Value> &acc);
  llvm::SmallVector<mlir::Value> loadPanels(mlir::Value word);
  mlir::Value loadPlain(mlir::Value panel, mlir::Value word, int64_t vector);
  mlir::Value loadRow(int64_t row, mlir::Value at);
  void accumulatePairs(mlir::Value word, llvm::ArrayRef<mlir::Value> weights,
                       llvm::SmallVector<mlir::Value> &acc);
  void accumulate(mlir::Value k, llvm::ArrayRef<mlir::Value> weights,
                  llvm::SmallVector<mlir::Value> &acc);

  void prefetchNext(mlir::Value k, int64_t steps);
  void prefetchRows(mlir::Value k, int64_t steps);
  void prefetchInPlace(mlir::Value k);

  // MatmulTileBlocked.cpp
  mlir::Value laneOf(int64_t vector);
  SubBlocks addressSubBlocks(mlir::Value number);
  SubBlocks loadSubBlocks(mlir::Value number);
  mlir::Value dequantise(const SubBlocks &blocks, int64_t vector,
                         mlir::Value number);
  void accumulateQuad(const SubBlocks &blocks, mlir::Value k, mlir::Value quad,
                      llvm::SmallVector<mlir::Value> &acc);
  void prefetch(const SubBlocks &blocks, mlir::Value quad, int64_t quads);
  llvm::SmallVector<mlir::Value> blockedSteps(mlir::Value from, mlir::Value to,
                                              mlir::ValueRange carried);

  // MatmulTileInteger.cpp
  llvm::SmallVector<mlir::Value> byteSteps(mlir::Value from, mlir::Value to);
  mlir::Value words(int32_t value);
  llvm::SmallVector<mlir::Value> startSums(mlir::Value number);
  mlir::Value addQuad(mlir::Value sum, mlir::ValueRange a, mlir::Value weights);
  llvm::SmallVector<mlir::Value> loadQuadOfRow(int64_t row, mlir::Value quad);
  llvm::SmallVector<mlir::Value> integerSums(const SubBlocks &blocks,
                                             mlir::Value number);
  void scaleSums(const SubBlocks &blocks, mlir::Value number,
                 llvm::ArrayRef<mlir::Value> sums,
                 llvm::SmallVector<mlir::Value> &acc);
  llvm::SmallVector<mlir::Value> integerSteps(mlir::Value from, mlir::Value to,
                                              mlir::ValueRange carried);

  // MatmulTileSuper.cpp
  llvm::SmallVector<mlir::Value> superSteps(mlir::Value from, mlir::Value to,
                                            mlir::ValueRange carried);
  llvm::SmallVector<mlir::Value> sumSuperBlock(mlir::Value number);
  llvm::SmallVector<mlir::Value> sumMinima(mlir::Value number);
  llvm::SmallVector<mlir::Value> minPairs(mlir::Value subBlock);
  mlir::Value addPair(mlir::Value sum, mlir::Value a, mlir::Value b);
  void addScaled(mlir::Value number, mlir::ValueRange sums,
                 llvm::ArrayRef<mlir::Value> scales,
                 llvm::SmallVector<mlir::Value> &acc);

  KernelEmitter &e;
  const RegisterTile &tile;
  const TileOperands &in;
  int64_t lanes, vectors;
  PanelReader reader;
};

} // namespace tenon::codegen::cpu
#endif // TENON_CODEGEN_CPU_MATMULTILEEMITTER_H
