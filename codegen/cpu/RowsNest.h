//===- RowsNest.h - Roots of rows nests that are not walked by rows -------===//
//
// `tn.sum_rows` sums down its columns and is cut by columns; `tn.scatter` is
// cut by the rows of its result, each tile looking for the rows written to it.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_CPU_ROWSNEST_H
#define TENON_CODEGEN_CPU_ROWSNEST_H

#include "codegen/cpu/Element.h"

namespace tenon::codegen::cpu {

Size sumRowsTiles(KernelEmitter &e, ir::SumRowsOp op);
mlir::LogicalResult emitSumRows(KernelEmitter &e, const Nest &nest,
                                ir::SumRowsOp op, mlir::Value tile);

/// Tiles are `tileRows` rows of the result.
mlir::LogicalResult emitScatter(KernelEmitter &e, const Nest &nest,
                                ir::ScatterOp op, mlir::Value tile,
                                int64_t tileRows);

} // namespace tenon::codegen::cpu
#endif // TENON_CODEGEN_CPU_ROWSNEST_H
