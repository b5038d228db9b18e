//===- TnInterfaces.td - What passes and back ends ask of an op -----------===//

#ifndef TN_INTERFACES
#define TN_INTERFACES

include "mlir/IR/OpBase.td"

def Tn_ReferenceOp : OpInterface<"ReferenceOp"> {
  let cppNamespace = "::tenon::ir";
  let description = [{
    The executable definition. Implemented by a template over the arithmetic
    (`ir/reference/Arithmetic.h`), instantiated by TN_EVALUATE (`ir/tn/Tn.h`).
    `context` binds symbols and notes failures of the step.
  }];
  let methods = [
    InterfaceMethod<"Evaluates in double: judges mathematics.",
      "::llvm::Error", "evaluateReal",
      (ins "::tenon::ir::ref::Context &":$context,
           "::llvm::ArrayRef<::tenon::ir::ref::Value<::tenon::ir::ref::Real>>":$in,
           "::llvm::SmallVectorImpl<::tenon::ir::ref::Value<::tenon::ir::ref::Real>> &":$out)>,
    InterfaceMethod<"Evaluates by the numerics contract: judges compiled code.",
      "::llvm::Error", "evaluateContract",
      (ins "::tenon::ir::ref::Context &":$context,
           "::llvm::ArrayRef<::tenon::ir::ref::Value<::tenon::ir::ref::Contract>>":$in,
           "::llvm::SmallVectorImpl<::tenon::ir::ref::Value<::tenon::ir::ref::Contract>> &":$out)>,
  ];
}

def Tn_PointwiseOp : OpInterface<"PointwiseOp"> {
  let cppNamespace = "::tenon::ir";
  let description = [{
    Every operand and the result have one shape; an element of the result
    depends on the operands' elements at the same index. Any such ops fuse.
  }];
  let methods = [
    InterfaceMethod<[{
      Builds the element of the result from the operands' elements. Elements are
      scalars or equal-length vectors: f32 for every float type (the caller
      extends loads and rounds the result to its type), i1, i32 or i64.
    }], "::mlir::Value", "emitElement",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::ValueRange":$elements)>,
  ];
}

def Tn_ViewOp : OpInterface<"ViewOp"> {
  let cppNamespace = "::tenon::ir";
  let description = [{
    The element of the result at an index is the element of the first operand at
    another index. Views are free: they become addressing.
  }];
  let methods = [
    InterfaceMethod<[{
      The operand's index (one `index` value for each axis) for the result's.
      `extents` gives the result's extents, as `index` values.
    }], "::llvm::SmallVector<::mlir::Value>", "emitSourceIndex",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::ValueRange":$index,
           "::mlir::ValueRange":$extents)>,
    InterfaceMethod<[{
      How many consecutive elements of the result's last axis, starting at a
      multiple of that number, are consecutive in the operand: 1 for a
      transposition of the last axis, 0 for all of the axis (a splat counts).
    }], "int64_t", "contiguousElements", (ins)>,
  ];
}

def Tn_RowOp : OpInterface<"RowOp"> {
  let cppNamespace = "::tenon::ir";
  let description = [{
    An op over the last axis that needs statistics of a whole row before it can
    give an element: norms, softmax, reductions. Statistic number i is
    finish_i(reduce_d term_i(d)), reduced by the row rule of the numerics
    contract for sums and exactly for maxima and minima.
  }];
  let methods = [
    InterfaceMethod<"The number of statistics, in the order they are computed.",
      "int64_t", "statisticCount", (ins)>,
    InterfaceMethod<"How statistic i is reduced.",
      "::tenon::ir::Reduction", "statisticKind", (ins "int64_t":$i)>,
    InterfaceMethod<"The operands whose elements `emitTerm` needs (row operands).",
      "::llvm::SmallVector<unsigned>", "rowOperands", (ins)>,
    InterfaceMethod<[{
      The term of statistic i at one column, from the operands' elements (all
      operands; those that are vectors over the last axis broadcast by row) and
      the earlier statistics. f32 scalars or vectors throughout.
    }], "::mlir::Value", "emitTerm",
      (ins "::mlir::OpBuilder &":$builder, "int64_t":$i,
           "::mlir::ValueRange":$elements, "::mlir::ValueRange":$statistics)>,
    InterfaceMethod<"The statistic from its reduced terms (scalar f32); `columns` is an f32.",
      "::mlir::Value", "emitFinish",
      (ins "::mlir::OpBuilder &":$builder, "int64_t":$i, "::mlir::Value":$reduced,
           "::mlir::Value":$columns)>,
    InterfaceMethod<[{
      The element of the result at one column. An op that drops the last axis
      (a reduction) is asked for it once a row, without elements.
    }], "::mlir::Value", "emitElement",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::ValueRange":$elements,
           "::mlir::ValueRange":$statistics)>,
    InterfaceMethod<"Whether the result has the last axis.",
      "bool", "keepsColumns", (ins)>,
  ];
}

def Tn_DifferentiableOp : OpInterface<"DifferentiableOp"> {
  let cppNamespace = "::tenon::ir";
  let description = [{
    The adjoint: from the gradients of the results, those of the operands.
    Integers, booleans and what is computed from them alone have no gradient, by
    rule: indices of top_k, argmax, comparisons. `round_even` has one of zero.
  }];
  let methods = [
    InterfaceMethod<[{
      Builds ops for the gradients of the operands that are wanted and gives
      them to `adjoint` (`ir/tn/Adjoint.h`); one that is not given is zero.
      Fails, with a diagnostic at the op, where there is no adjoint.
    }], "::mlir::LogicalResult", "buildAdjoint",
      (ins "::tenon::ir::Adjoint &":$adjoint)>,
  ];
}

def Tn_ProductOp : OpInterface<"ProductOp"> {
  let cppNamespace = "::tenon::ir";
  let description = [{
    A sum of products of a left operand a and a right operand b, which roots a
    matmul nest: rows of the result are rows of a, columns those of b. Whoever
    cuts, stages, packs or narrows products asks this.

    `offsets` [E + 1], where there are some, cut rows into the groups of E
    matrices: those of a and of the result, each group being multiplied by its
    own matrix of b; or, `isCutAlongK`, those that are summed, each group giving
    a matrix of the result.
  }];
  let methods = [
    InterfaceMethod<"The left operand.",
      "::mlir::TypedValue<::mlir::RankedTensorType>", "getA">,
    InterfaceMethod<"The right operand.",
      "::mlir::TypedValue<::mlir::RankedTensorType>", "getB">,
    InterfaceMethod<"What is added to each row; null: nothing.",
      "::mlir::Value", "getBias">,
    InterfaceMethod<"Where groups of rows begin; null: there are none.",
      "::mlir::Value", "getOffsets">,
    InterfaceMethod<"The result.",
      "::mlir::TypedValue<::mlir::RankedTensorType>", "getY">,
    InterfaceMethod<"Whether a has its rows along the last axis.",
      "bool", "getTransposeA">,
    InterfaceMethod<"Whether b has its columns along the axis before the last.",
      "bool", "getTransposeB">,
    InterfaceMethod<"Whether the offsets cut the rows that are summed.",
      "bool", "isCutAlongK">,
    InterfaceMethod<"The left operand, to be changed.",
      "::mlir::OpOperand &", "getAMutable">,
    InterfaceMethod<"The right operand, to be changed.",
      "::mlir::OpOperand &", "getBMutable">,
  ];
}

#endif // TN_INTERFACES
