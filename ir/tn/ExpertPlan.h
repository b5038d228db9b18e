//===- ExpertPlan.h - How rows of experts are taken together ----*- C++ -*-===//

#ifndef TENON_IR_TN_EXPERTPLAN_H
#define TENON_IR_TN_EXPERTPLAN_H

#include "llvm/ADT/StringRef.h"

namespace tenon::ir {

/// The attribute of a tn.grouped_matmul that plans it, an i64: the rows of one
/// group to hold in registers beside each other; 1 multiplies each row alone.
/// See `tn-plan-expert-dispatch`.
inline constexpr llvm::StringLiteral kRowsTogetherAttr = "tn.rows_together";

/// The attribute of a module whose kernels count: the address of an i64 of this
/// process, to which every product adds the multiply-adds that it executes,
/// rows and columns that only fill a register tile included. For tests.
inline constexpr llvm::StringLiteral kCountProductsAttr = "tn.count_products";

} // namespace tenon::ir
#endif // TENON_IR_TN_EXPERTPLAN_H
