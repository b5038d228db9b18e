//===- Interpreter.h - Runs tn functions by their definitions ---*- C++ -*-===//
//
// The oracle: what any pass or back end makes of a function must compute what
// this does, bit for bit over `Contract` and closely over `Real`.
//
//   ref::Context context;
//   ref::Parameters<ref::Contract> weights; // name -> tensor
//   auto results = ref::interpret<ref::Contract>(func, args, weights, context);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IR_REFERENCE_INTERPRETER_H
#define TENON_IR_REFERENCE_INTERPRETER_H

#include "ir/reference/Value.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/Error.h"

namespace tenon::ir::ref {

/// The model's weights, by the names of their `tn.parameter` ops.
template <typename A> using Parameters = llvm::StringMap<Tensor<A>>;

/// Runs `func`, whose module holds the functions it calls, on `args`: tn ops,
/// calls, branches, loops and kernels (by running their nests in order).
/// Symbols take their values from the arguments' shapes; `context.symbols` may
/// give those no argument has.
///
/// Failures of the step are noted in `context`, as compiled code notes them,
/// and the run goes on. Errors: arguments that do not fit the function's type
/// and symbols; a missing
///         parameter; an op without a definition; a cache not used linearly;
///         calls nested deeper than 64.
template <typename A>
llvm::Expected<llvm::SmallVector<Value<A>>>
interpret(mlir::func::FuncOp func, llvm::ArrayRef<Value<A>> args,
          const Parameters<A> &parameters, Context &context);

extern template llvm::Expected<llvm::SmallVector<Value<Real>>>
interpret(mlir::func::FuncOp, llvm::ArrayRef<Value<Real>>,
          const Parameters<Real> &, Context &);
extern template llvm::Expected<llvm::SmallVector<Value<Contract>>>
interpret(mlir::func::FuncOp, llvm::ArrayRef<Value<Contract>>,
          const Parameters<Contract> &, Context &);

} // namespace tenon::ir::ref
#endif // TENON_IR_REFERENCE_INTERPRETER_H
