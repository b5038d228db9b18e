//===- Gather.td - Rows by number -----------------------------------------===//

#ifndef TN_GATHER
#define TN_GATHER

include "ir/tn/TnBase.td"
include "ir/tn/TnInterfaces.td"

def Tn_GatherOp : Tn_Op<"gather", [Pure, DeclareOpInterfaceMethods<Tn_ReferenceOp>,
    DeclareOpInterfaceMethods<Tn_DifferentiableOp>]> {
  let summary = "Rows of a table by their numbers";
  let description = [{
        y[i..., d...] = table[index[i...], d...]

    An index outside the table is a failure of the step and reads row 0. A
    blocked table [V, D] means its unpacked values; y is then f32, f16 or bf16.

    (C1) rank(table) >= 1. (C2) y is index's shape then the table's but for its
    first axis. (C3) equal element types; a float type if the
    table is blocked. (C4) a blocked table has rank 2 and whole blocks.
  }];
  let arguments = (ins Tn_Tensor:$table, Tn_IndexTensor:$index);
  let results = (outs Tn_ValueTensor:$y);
  let assemblyFormat = "$table `,` $index attr-dict `:` type($table) `,` type($index) `->` type($y)";
  let hasVerifier = 1;
}

def Tn_TakeAlongOp : Tn_Op<"take_along", [Pure, DeclareOpInterfaceMethods<Tn_ReferenceOp>,
    DeclareOpInterfaceMethods<Tn_DifferentiableOp>]> {
  let summary = "Elements of each row by their numbers";
  let description = [{
        y[..., k] = x[..., index[..., k]]

    An index outside the row is a failure of the step and reads element 0.
    (C1) x and index agree but for the last axis. (C2) y has index's shape and
    x's element type.
  }];
  let arguments = (ins Tn_ValueTensor:$x, Tn_IndexTensor:$index);
  let results = (outs Tn_ValueTensor:$y);
  let assemblyFormat = "$x `,` $index attr-dict `:` type($x) `,` type($index) `->` type($y)";
  let hasVerifier = 1;
}

def Tn_ScatterOp : Tn_Op<"scatter", [Pure, DeclareOpInterfaceMethods<Tn_ReferenceOp>,
    DeclareOpInterfaceMethods<Tn_DifferentiableOp>]> {
  let summary = "Writes rows at their numbers";
  let description = [{
        y = base;  y[index[i], d] = rows[i, d]   (add: y[index[i], d] += rows[i, d])

    Without `add` the last of equal indices wins. With it rows are added to the
    base in ascending i. An index outside is a failure of the step and writes
    nothing.

    (C1) base is [N, D], index [I]. (C2) rows is [I, D] of base's element type.
    (C3) y has base's type.
  }];
  let arguments = (ins Tn_NumberTensor:$base, Tn_IndexTensor:$index,
                       Tn_NumberTensor:$rows, UnitAttr:$add);
  let results = (outs Tn_NumberTensor:$y);
  let assemblyFormat = [{
    $base `,` $index `,` $rows attr-dict `:` type($base) `,` type($index) `,`
    type($rows) `->` type($y)
  }];
  let hasVerifier = 1;
}

#endif // TN_GATHER
