//===- RowsNest.h - What rows nests have beside the common walk -*- C++ -*-===//
//
// `tn.sum_rows` sums down its columns and is cut by columns; `tn.scatter` is
// cut by the rows of its result, each tile looking for the rows written to it;
// `tn.moe_dispatch` sorts all of its operand in one tile.
// Results that outgrow the caches are stored past them.
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

mlir::LogicalResult emitDispatch(KernelEmitter &e, const Nest &nest,
                                 ir::MoeDispatchOp op);

/// A result that may be stored past the caches.
struct StreamedResult {
  mlir::Value tensor;
  mlir::RankedTensorType type;
  mlir::Value pointer;
};

/// The least bytes of a result that the nest stores past the caches, or 0.
int64_t streamBytes(const Nest &nest);

/// Whether rows of the nest's result `tensor` may be stored past the caches.
bool mayStream(Elements &elements, const Nest &nest, mlir::Value tensor);

/// Prepares and stores one row of results of one shape, all of which may
/// stream: a result that is large enough past the caches, others as ever.
/// `KernelEmitter::fence` must follow the last row of a tile.
void storeStreamed(Elements &elements, const Nest &nest,
                   llvm::ArrayRef<StreamedResult> results,
                   mlir::ValueRange row);

} // namespace tenon::codegen::cpu
#endif // TENON_CODEGEN_CPU_ROWSNEST_H
