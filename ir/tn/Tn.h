//===- Tn.h - The tn dialect ------------------------------------*- C++ -*-===//
//
// Types, attributes, interfaces and ops of the dialect; `TnBase.td` and the
// families' .td files are their documentation.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IR_TN_TN_H
#define TENON_IR_TN_TN_H

#include "ir/reference/Value.h"
#include "runtime/base/Blocks.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/IR/TensorEncoding.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/Support/Error.h"

namespace tenon::ir {
class Adjoint;
} // namespace tenon::ir

#include "ir/tn/TnEnums.h.inc"

#include "ir/tn/TnDialect.h.inc"

#include "ir/tn/TnInterfaces.h.inc"

#define GET_TYPEDEF_CLASSES
#include "ir/tn/TnTypes.h.inc"

#define GET_ATTRDEF_CLASSES
#include "ir/tn/TnAttrs.h.inc"

#define GET_OP_CLASSES
#include "ir/tn/TnOps.h.inc"

namespace tenon::ir {

/// The attribute of a function that declares its symbols: an array of
/// #tn.symbol, in the order of the kernel's and the entry's dims.
inline constexpr llvm::StringLiteral kSymbolsAttr = "tn.symbols";

/// The attribute of a parameter that @prepare computes: the number of its
/// result, an i64.
inline constexpr llvm::StringLiteral kPreparedAttr = "tn.prepared";

/// The attribute of a function that names its adjoint; see `tn-differentiate`.
inline constexpr llvm::StringLiteral kAdjointAttr = "tn.adjoint";
/// And one that names what is called in its place where that adjoint is.
inline constexpr llvm::StringLiteral kForwardAttr = "tn.forward";

/// The attribute of a module that names the type in which products of floats
/// are computed, "f32" or "bf16"; see `tn-narrow-products`.
inline constexpr llvm::StringLiteral kComputeAttr = "tn.compute";

/// The attribute of an entry's argument or result that is a tensor which lives
/// across calls: the symbol of its `tn.state`.
inline constexpr llvm::StringLiteral kStateAttr = "tn.state";

/// The symbol of a dynamic axis; empty for a static one or where absent.
llvm::StringRef symbolOf(mlir::RankedTensorType type, int64_t axis);

/// A tensor type of `shape` with the symbols that `dims` names for its dynamic
/// axes: the encoding is dropped where all axes are static.
mlir::RankedTensorType tensorOf(llvm::ArrayRef<int64_t> shape,
                                llvm::ArrayRef<llvm::StringRef> symbols,
                                mlir::Type element);

/// `type` with another shape's axes: axis a of the result is axis `axes[a]` of
/// `type`, extents and symbols.
mlir::RankedTensorType takeAxes(mlir::RankedTensorType type,
                                llvm::ArrayRef<int64_t> axes);

/// `type` with another element type.
mlir::RankedTensorType withElement(mlir::RankedTensorType type,
                                   mlir::Type element);

/// Whether two axes have provably equal extents.
bool sameExtent(mlir::RankedTensorType a, int64_t axisA,
                mlir::RankedTensorType b, int64_t axisB);

/// The storage format of an element type (i1 is stored as a byte).
base::ElementType storageOf(mlir::Type element);

/// The bytes of a tensor of static shape, by its element type and layout.
int64_t storedBytes(mlir::RankedTensorType type);

/// Defines `evaluateReal` and `evaluateContract` of an op by its template
/// `template <typename A> llvm::Error evaluate<Op>(Op, ref::Context &,
/// llvm::ArrayRef<ref::Value<A>>, llvm::SmallVectorImpl<ref::Value<A>> &)`.
#define TN_EVALUATE(Op, function)                                              \
  llvm::Error Op::evaluateReal(                                                \
      ref::Context &context, llvm::ArrayRef<ref::Value<ref::Real>> in,         \
      llvm::SmallVectorImpl<ref::Value<ref::Real>> &out) {                     \
    return function<ref::Real>(*this, context, in, out);                       \
  }                                                                            \
  llvm::Error Op::evaluateContract(                                            \
      ref::Context &context, llvm::ArrayRef<ref::Value<ref::Contract>> in,     \
      llvm::SmallVectorImpl<ref::Value<ref::Contract>> &out) {                 \
    return function<ref::Contract>(*this, context, in, out);                   \
  }

} // namespace tenon::ir
#endif // TENON_IR_TN_TN_H
