//===- Reduce.td - Reductions ---------------------------------------------===//

#ifndef TN_REDUCE
#define TN_REDUCE

include "ir/tn/TnBase.td"
include "ir/tn/TnInterfaces.td"

def Tn_Reduction : I32EnumAttr<"Reduction", "what reduces an axis",
    [I32EnumAttrCase<"Sum", 0, "sum">, I32EnumAttrCase<"Max", 1, "max">,
     I32EnumAttrCase<"Min", 2, "min">]> {
  let cppNamespace = "::tenon::ir";
}

def Tn_ReduceOp : Tn_Op<"reduce", [Pure, DeclareOpInterfaceMethods<Tn_ReferenceOp>,
    DeclareOpInterfaceMethods<Tn_RowOp>,
    DeclareOpInterfaceMethods<Tn_DifferentiableOp>]> {
  let dslName = "";
  let summary = "Reduces the last axis";
  let description = [{
        reduce sum: y[...] = sum_d x[..., d]

    Sums accumulate in f32 by the row rule of the numerics contract. A maximum
    ignores NaN unless all are; the maximum of an all-NaN row is NaN.

    (C1) rank(x) >= 1. (C2) y drops the last axis; equal element types.
  }];
  let arguments = (ins Tn_Reduction:$kind, Tn_FloatTensor:$x);
  let results = (outs Tn_FloatTensor:$y);
  let assemblyFormat = "$kind $x attr-dict `:` type($x) `->` type($y)";
  let hasVerifier = 1;
}

def Tn_SumRowsOp : Tn_Op<"sum_rows", [Pure, DeclareOpInterfaceMethods<Tn_ReferenceOp>,
    DeclareOpInterfaceMethods<Tn_DifferentiableOp>]> {
  let summary = "Sums over the first axis";
  let description = [{
        y[d] = sum_t x[t, d]

    Ascends by row in segments of 512 rows, segment results added in order.
    (C1) x is [T, D], y [D], equal element types.
  }];
  let arguments = (ins Tn_FloatTensor:$x);
  let results = (outs Tn_FloatTensor:$y);
  let assemblyFormat = "$x attr-dict `:` type($x) `->` type($y)";
  let hasVerifier = 1;
}

#endif // TN_REDUCE
