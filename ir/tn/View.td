//===- View.td - Elements of other indices --------------------------------===//

#ifndef TN_VIEW
#define TN_VIEW

include "ir/tn/TnBase.td"
include "ir/tn/TnInterfaces.td"

class Tn_View<string m>
    : Tn_Op<m, [Pure, DeclareOpInterfaceMethods<Tn_ReferenceOp>,
                DeclareOpInterfaceMethods<Tn_ViewOp>,
                DeclareOpInterfaceMethods<Tn_DifferentiableOp>]> {
  let results = (outs Tn_ValueTensor:$y);
  let hasVerifier = 1;
}

def Tn_BroadcastOp : Tn_View<"broadcast"> {
  let dslResult = "shape";
  let summary = "Repeats along new or unit axes";
  let description = [{
    The shape of x is aligned at the right end of y's; an axis of extent 1, or
    absent, is repeated.

        broadcast [3, 1] -> [2, 3, 4]: y[i, j, k] = x[j, 0]

    (C1) equal element types. (C2) every axis of x is 1 or equals y's (the same
    extent or the same symbol).
  }];
  let arguments = (ins Tn_ValueTensor:$x);
  let assemblyFormat = "$x attr-dict `:` type($x) `->` type($y)";
}

def Tn_ReshapeOp : Tn_View<"reshape"> {
  let dslResult = "shape";
  let summary = "The same elements in row-major order under another shape";
  let description = [{
    (C1) equal element types. (C2) equal element counts: the static extents'
    products are equal, and the symbols are the same, in order.
  }];
  let arguments = (ins Tn_ValueTensor:$x);
  let assemblyFormat = "$x attr-dict `:` type($x) `->` type($y)";
  let hasFolder = 1;
}

def Tn_TransposeOp : Tn_View<"transpose"> {
  let summary = "Axes in another order";
  let description = [{
        y[i_0, ..] = x[j_0, ..] with j_{permutation[a]} = i_a

    so axis a of y is axis permutation[a] of x.
    (C1) `permutation` is one of the axes of x. (C2) y's type follows.
  }];
  let arguments = (ins Tn_ValueTensor:$x, DenseI64ArrayAttr:$permutation);
  let assemblyFormat = "$x $permutation attr-dict `:` type($x) `->` type($y)";
}

def Tn_SliceOp : Tn_View<"slice"> {
  let summary = "A range of one axis";
  let description = [{
        slice axis 1 from 2 size 3 step 1: y[i, j] = x[i, 2 + j]

    (C1) axis < rank. (C2) the axis is static, offset >= 0, size >= 1, step >= 1,
    and offset + (size - 1) * step is below its extent. (C3) y's type follows.
  }];
  let arguments = (ins Tn_ValueTensor:$x, I64Attr:$axis, I64Attr:$offset,
                       I64Attr:$size, DefaultValuedAttr<I64Attr, "1">:$step);
  let assemblyFormat = [{
    $x `axis` $axis `from` $offset `size` $size (`step` $step^)?
    attr-dict `:` type($x) `->` type($y)
  }];
}

def Tn_ConcatOp : Tn_Op<"concat", [Pure, DeclareOpInterfaceMethods<Tn_ReferenceOp>,
    DeclareOpInterfaceMethods<Tn_DifferentiableOp>]> {
  let summary = "Joins tensors along an axis";
  let description = [{
    (C1) at least one operand; axis < rank. (C2) the operands agree but for the
    axis, which is static in each. (C3) y's extent there is their sum.
  }];
  let arguments = (ins Variadic<Tn_ValueTensor>:$xs, I64Attr:$axis);
  let results = (outs Tn_ValueTensor:$y);
  let assemblyFormat = "$xs `axis` $axis attr-dict `:` type($xs) `->` type($y)";
  let hasVerifier = 1;
}

def Tn_IotaOp : Tn_Op<"iota", [Pure, DeclareOpInterfaceMethods<Tn_ReferenceOp>]> {
  let dslName = ""; // Its function takes a tensor for the shape: `iotaLike`.
  let summary = "The index along an axis";
  let description = [{
        y[i_0, ..] = i_axis

    A dynamic axis takes its extent from its symbol.
    (C1) axis < rank. (C2) y is i32 or i64.
  }];
  let arguments = (ins I64Attr:$axis);
  let results = (outs Tn_ValueTensor:$y);
  let assemblyFormat = "`axis` $axis attr-dict `:` type($y)";
  let hasVerifier = 1;
}

#endif // TN_VIEW
