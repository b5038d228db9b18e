//===- Select.h - Choosing the largest elements of a row --------*- C++ -*-===//
//
//   Value hasNan = emitKeys(e, count, keys, values);
//   emitLargest(e, {keys, count, most}, k, 1024, order); // i32 indices
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_CPU_SELECT_H
#define TENON_CODEGEN_CPU_SELECT_H

#include "codegen/cpu/Element.h"

namespace tenon::codegen::cpu {

/// The elements of a row at lanes.offset.
using RowSource = llvm::function_ref<mlir::Value(const Lanes &)>;

struct Best {
  mlir::Value value;
  mlir::Value number; ///< i32: the lowest of equal ones; 0 if all are least.
  mlir::Value hasNan; ///< i1
};

/// The largest of `count` floats or i32, which are at least `least`.
Best emitArgmax(KernelEmitter &e, mlir::Value count, mlir::Value least,
                RowSource values);

/// An i32 whose signed order is that of the f32; -0 has the key of +0.
mlir::Value emitKey(KernelEmitter &e, mlir::Value value);
/// Stores the keys of a row and returns whether one is NaN (i1).
mlir::Value emitKeys(KernelEmitter &e, mlir::Value count, mlir::Value keys,
                     RowSource values);

/// The keys of a row: `count` (index) of them, `most` at most.
struct KeyRow {
  mlir::Value keys, count;
  int64_t most;
};

/// Stores at `order` the indices (i32) of the `k` largest keys, largest first,
/// equal ones by index. 1 <= k <= count and k <= mostK. Overwrites the keys.
void emitLargest(KernelEmitter &e, const KeyRow &row, mlir::Value k,
                 int64_t mostK, mlir::Value order);
/// The same for few: k passes over the keys, which it overwrites.
void emitFewLargest(KernelEmitter &e, mlir::Value keys, mlir::Value count,
                    mlir::Value k, mlir::Value order);

} // namespace tenon::codegen::cpu
#endif // TENON_CODEGEN_CPU_SELECT_H
