//===- TestInputs.h - Reference values from attributes ----------*- C++ -*-===//
//
// How a test writes a value, by the type it is for:
//
//   tensor    dense<...>, of the element type; of i8 for the bytes of a blocked
//             one
//   batch     {sequence = dense<..>, position = dense<..>, pages = dense<..>,
//             page_blocks = 1}, pages being [S, P]
//   cache     {slots = 64}, all zeros, or {rows = dense<..>}, [slots, heads, W]
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TOOLS_TENONOPT_TESTINPUTS_H
#define TENON_TOOLS_TENONOPT_TESTINPUTS_H

#include "ir/reference/Interpreter.h"

#include "mlir/IR/BuiltinAttributes.h"

namespace tenon::tools {

/// Reads the value of `type` that `attr` writes.
/// Errors: an attribute of another form.
template <typename A>
llvm::Expected<ir::ref::Value<A>> valueFromAttr(mlir::Type type,
                                                mlir::Attribute attr);

} // namespace tenon::tools
#endif // TENON_TOOLS_TENONOPT_TESTINPUTS_H
