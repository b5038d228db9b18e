//===- MatmulQuants.h - Operands of a product of integers -------*- C++ -*-===//
//
// Rows of q8_0 as the register tile reads them: quants in groups of four k, and
// what is common to a block.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_CPU_MATMULQUANTS_H
#define TENON_CODEGEN_CPU_MATMULQUANTS_H

#include "codegen/cpu/MatmulTile.h"

namespace tenon::codegen::cpu {

/// Rows of q8_0 or q8_k taken apart, in scratch; see `TileOperands`.
struct QuantRows {
  mlir::Value quants; // null where a is f32
  mlir::Value k;      // index
  mlir::Value scales, shifts, pairs;
  bool isSuper = false; // of q8_k
  /// Of each format that needs its own.
  struct Starts {
    int64_t offset, subBlock;
    mlir::Value values;
  };
  llvm::SmallVector<Starts, 1> starts;

  /// Null for formats that are not offset.
  mlir::Value startsFor(const ir::PanelFormat &format) const;
  /// From a row on, as the register tile takes them.
  QuantScales of(KernelEmitter &e, mlir::Value row,
                 const ir::PanelFormat &format) const;
};

/// Bytes that a staged quant takes.
int64_t stagedQuantBytes(const KernelEmitter &e);

/// Takes rows [first, first + rows) of `a` apart, `mostRows` at most, to be
/// multiplied by weights of `formats`.
QuantRows stageQuantRows(KernelEmitter &e, mlir::Value a, mlir::Value first,
                         mlir::Value rows, int64_t mostRows,
                         llvm::ArrayRef<ir::PanelFormat> formats);

/// Rows [first, first + rows) of an `a` of i8, each ended by zeros to a whole
/// quad; `k` is then their stride.
QuantRows stageByteRows(KernelEmitter &e, mlir::Value a, mlir::Value first,
                        mlir::Value rows, int64_t mostRows);

/// Packs panel `number` of a `b` of blocks or i8 as in a file, of its matrix
/// `matrix` where it has several; in its own format, in scratch.
mlir::Value stageQuantPanel(KernelEmitter &e, mlir::Value b, mlir::Value matrix,
                            mlir::Value number);

} // namespace tenon::codegen::cpu
#endif // TENON_CODEGEN_CPU_MATMULQUANTS_H
