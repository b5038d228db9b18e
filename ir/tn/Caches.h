//===- Caches.h - Linear use of caches --------------------------*- C++ -*-===//
//
// A cache is a value, and yet every write to it is in place: so a value of
// cache type has at most one use that changes it, and no use after that one.
// This is what lets code generation alias operand and result without a copy.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IR_TN_CACHES_H
#define TENON_IR_TN_CACHES_H

#include "ir/tn/Tn.h"

namespace tenon::ir {

/// Whether a use of a cache changes it: `cache_append`, a kernel with a nest
/// that does, and every other op that takes a cache and returns one (a call, a
/// loop).
bool changesCache(mlir::OpOperand &use);

/// Whether any use changes the cache.
bool isChanged(mlir::Value cache);

/// Verifies that each cache of `func` is used linearly:
/// (C1) one use that changes it, or several in branches that exclude each
/// other; (C2) every other use comes before it; (C3) no loop changes a cache
/// defined outside of it, nor does a loop's condition change a carried one.
mlir::LogicalResult verifyLinearCaches(mlir::func::FuncOp func);

} // namespace tenon::ir
#endif // TENON_IR_TN_CACHES_H
