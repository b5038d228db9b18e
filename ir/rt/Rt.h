//===- Rt.h - The rt dialect ------------------------------------*- C++ -*-===//
//
// Types, attributes and ops of the dialect; `Rt.td` and `RtOps.td` are their
// documentation.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IR_RT_RT_H
#define TENON_IR_RT_RT_H

#include "ir/tn/Tn.h"

#include "ir/rt/RtEnums.h.inc"

#include "ir/rt/RtDialect.h.inc"

#define GET_TYPEDEF_CLASSES
#include "ir/rt/RtTypes.h.inc"

#define GET_ATTRDEF_CLASSES
#include "ir/rt/RtAttrs.h.inc"

namespace tenon::ir::rt {

/// The element type of a buffer.
mlir::Type elementOf(mlir::Type buffer);

} // namespace tenon::ir::rt

#define GET_OP_CLASSES
#include "ir/rt/RtOps.h.inc"

#endif // TENON_IR_RT_RT_H
