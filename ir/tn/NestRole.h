//===- NestRole.h - How an op takes part in a kernel ------------*- C++ -*-===//
//
// What fusion asks of every op beside its element interfaces. A new op that is
// neither pointwise, a view nor a row op states its role here.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IR_TN_NESTROLE_H
#define TENON_IR_TN_NESTROLE_H

#include "ir/tn/Tn.h"

namespace tenon::ir {

enum class NestRole {
  Source,    // a parameter or a large constant: an input of kernels
  Copied,    // a view, iota or splat: copied into each user
  Element,   // each element from elements of the operands at one index
  Row,       // each row from the same row of its row operands
  Alone,     // a rows nest of its own: it reads rows of other numbers, or sorts
  Matmul,    // roots a matmul nest
  Attention, // roots an attention nest: forward or backward
  Pack,      // roots a pack nest
  Host,      // no kernel: calls, branches, loops, streaming
};

NestRole nestRole(mlir::Operation *op);

/// Whether row r of the op's result (its only result) reads nothing but row r
/// of that operand, so that both can be computed row by row together.
bool readsOwnRow(mlir::OpOperand &operand);

/// The type whose leading axes number the rows an op works on: the operand of a
/// reduction, the rows of a cache's update, else the first result.
mlir::RankedTensorType rowType(mlir::Operation *op);

} // namespace tenon::ir
#endif // TENON_IR_TN_NESTROLE_H
