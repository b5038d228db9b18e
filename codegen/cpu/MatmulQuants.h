//===- MatmulQuants.h - Operands of a product of integers -------*- C++ -*-===//
//
// Rows of q8_0 as the register tile reads them: quants widened to i16, so that
// two multiply-adds are one instruction, and what is common to a block as f32.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_CPU_MATMULQUANTS_H
#define TENON_CODEGEN_CPU_MATMULQUANTS_H

#include "codegen/cpu/MatmulTile.h"

namespace tenon::codegen::cpu {

/// Rows of q8_0 taken apart, in scratch.
struct QuantRows {
  mlir::Value quants; // i16 [rows][k]
  mlir::Value k;      // index
  QuantScales parts;
};

/// Takes rows [first, first + rows) of `a` apart, `mostRows` at most.
QuantRows stageQuantRows(KernelEmitter &e, mlir::Value a, mlir::Value first,
                         mlir::Value rows, int64_t mostRows);

/// Packs panel `number` of a blocked `b` as in a file, of its matrix `matrix`
/// where it has several; in its own format, in scratch.
mlir::Value stageQuantPanel(KernelEmitter &e, mlir::Value b, mlir::Value matrix,
                            mlir::Value number);

} // namespace tenon::codegen::cpu
#endif // TENON_CODEGEN_CPU_MATMULQUANTS_H
