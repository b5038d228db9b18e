//===- Ops.h - A function for each op of the dialect ------------*- C++ -*-===//
//
// The functions are generated: `ir/tn/*.td` is their source. They are exact:
// shapes and element types must fit. `Sugar.h` adds what broadcasts.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_FRONTEND_DSL_OPS_H
#define TENON_FRONTEND_DSL_OPS_H

#include "frontend/dsl/Tensor.h"

namespace tenon {
#include "frontend/dsl/Ops.h.inc"
} // namespace tenon
#endif // TENON_FRONTEND_DSL_OPS_H
