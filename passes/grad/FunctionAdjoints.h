//===- FunctionAdjoints.h - A forward and a backward function ---*- C++ -*-===//
//
// Private to passes/grad. Of a function @f, for the gradients of some arguments
// from those of some results:
//
//   @f.fwd(arguments) -> (results, residuals)
//   @f.bwd(some arguments, residuals, gradients of results)
//       -> gradients of arguments
//
// Both are built as one function, whose second half is then cut off: what it
// reads of the first becomes a residual, or is computed again.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_PASSES_GRAD_FUNCTIONADJOINTS_H
#define TENON_PASSES_GRAD_FUNCTIONADJOINTS_H

#include "ir/tn/Tn.h"

#include <map>
#include <memory>

namespace tenon::passes {

/// What the backward half computes again instead of keeping it.
enum class Checkpoint {
  None,      // views and constants
  Selective, // pointwise ops, norms and rotations too
  Layer,     // views, constants, and all that a called function keeps
};

/// A differentiated function.
struct FunctionAdjoint {
  mlir::func::FuncOp forward, backward;
  llvm::SmallVector<unsigned> arguments; ///< those that backward reads
  llvm::SmallVector<unsigned> residuals; ///< results of forward
  llvm::SmallVector<bool> seeded;        ///< results whose gradients it takes
  llvm::SmallVector<bool> given;         ///< arguments whose gradients it gives
};

class FunctionAdjoints {
public:
  FunctionAdjoints(mlir::ModuleOp module, Checkpoint checkpoint)
      : module(module), symbols(module), checkpoint(checkpoint) {}

  /// Differentiates a function, once for each request. Fails with a diagnostic.
  mlir::FailureOr<const FunctionAdjoint *> of(mlir::func::FuncOp function,
                                              llvm::ArrayRef<bool> wanted,
                                              llvm::ArrayRef<bool> seeded);

  /// The adjoint of a call at the builder's insertion point: `found` gets a
  /// gradient for each operand, or null. The call may be replaced by one that
  /// gives residuals.
  mlir::LogicalResult reverseCall(mlir::func::CallOp call,
                                  llvm::ArrayRef<mlir::Value> gradients,
                                  llvm::ArrayRef<bool> wanted,
                                  mlir::OpBuilder &builder,
                                  llvm::SmallVectorImpl<mlir::Value> &found);

private:
  using Key = std::tuple<void *, std::vector<bool>, std::vector<bool>>;

  mlir::LogicalResult build(mlir::func::FuncOp function,
                            llvm::ArrayRef<bool> wanted,
                            llvm::ArrayRef<bool> seeded,
                            FunctionAdjoint &adjoint);
  /// Calls what the function's `tn.forward`, in place of `call`, and its
  /// `tn.adjoint` name.
  mlir::func::CallOp callUsersForward(mlir::func::CallOp call,
                                      mlir::func::FuncOp callee);
  mlir::LogicalResult
  callUsersAdjoint(mlir::func::CallOp call, mlir::func::FuncOp callee,
                   llvm::ArrayRef<mlir::Value> gradients,
                   llvm::ArrayRef<bool> wanted, mlir::OpBuilder &builder,
                   llvm::SmallVectorImpl<mlir::Value> &found);

  mlir::ModuleOp module;
  mlir::SymbolTable symbols;
  Checkpoint checkpoint;
  std::map<Key, std::unique_ptr<FunctionAdjoint>> built;
};

/// Cuts a function in two at `firstOfSecond`, an op of its block; fills in what
/// `adjoint` says of the cut. Arguments from `seeds` on belong to the second
/// half, whose results are `gradients`.
void cutInTwo(mlir::func::FuncOp joint, mlir::Operation *firstOfSecond,
              unsigned seeds, llvm::ArrayRef<mlir::Value> gradients,
              Checkpoint checkpoint, FunctionAdjoint &adjoint);

} // namespace tenon::passes
#endif // TENON_PASSES_GRAD_FUNCTIONADJOINTS_H
