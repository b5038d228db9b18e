//===- Matmul.td - Products -----------------------------------------------===//

#ifndef TN_MATMUL
#define TN_MATMUL

include "ir/tn/TnBase.td"
include "ir/tn/TnInterfaces.td"

def Tn_MatmulOp : Tn_Op<"matmul", [Pure, Tn_ProductOp,
    DeclareOpInterfaceMethods<Tn_ReferenceOp>,
    DeclareOpInterfaceMethods<Tn_DifferentiableOp>]> {
  let summary = "A matrix product, with an optional bias";
  let description = [{
        y[..., m, n] = sum_k a[..., m, k] * b[..., k, n] (+ bias[n])

    with `transpose_a`, a is [..., k, m]; with `transpose_b`, b is [..., n, k]
    (how weights are stored). b is [k, n] for all of a's leading axes, or has the
    same leading axes. b may be blocked along its last axis, k with `transpose_b`
    and else n: it then means its unpacked values.

    Numerics: the matmul rule of the contract. Segments of 512 along k, in each
    one f32 accumulator from +0, k ascending, one fused multiply-add a product;
    segment results added in ascending order; then the bias; then one rounding
    to the type of y.

    A blocked a is q8_0 or q8_k and makes the product one of integers, which the
    contract's rule of integer products defines: per sub-block of b (with q8_k:
    per super-block) an exact integer sum of products of quants, then f32
    multiply-adds with the scales.

    Operands of i8 make y i32: the sum of the products, modulo 2^32.

    (C1) rank(a) >= 2, rank(b) is 2 or rank(a). (C2) k agrees. (C3) leading axes
    agree. (C4) bias is [n] of a float type. (C5) a blocked b has whole
    blocks along its last axis, and is not q8_k. (C6) y's shape follows. (C7) a
    blocked a is q8_0 in whole blocks along k, without transpose_a, and has a
    blocked b with transpose_b; or q8_k, and b is q4_k, q5_k or q6_k. (C8) a, b are
    i8 and y i32, with transpose_b alone and no bias, or none of them is.
  }];
  let arguments = (ins Tn_FactorTensor:$a, Tn_FactorTensor:$b,
                       Optional<Tn_FloatTensor>:$bias, UnitAttr:$transpose_a,
                       UnitAttr:$transpose_b);
  let results = (outs Tn_ProductTensor:$y);
  let assemblyFormat = [{
    $a `,` $b (`bias` $bias^)? attr-dict `:` type($a) `,` type($b)
    (`,` type($bias)^)? `->` type($y)
  }];
  let extraClassDeclaration = [{
    ::mlir::Value getOffsets() { return {}; }
    bool isCutAlongK() { return false; }
  }];
  let hasVerifier = 1;
}

def Tn_GroupedMatmulOp : Tn_Op<"grouped_matmul", [Pure, Tn_ProductOp,
    DeclareOpInterfaceMethods<Tn_ReferenceOp>,
    DeclareOpInterfaceMethods<Tn_DifferentiableOp>]> {
  let summary = "Products of groups of rows, each with a matrix of its own";
  let description = [{
        y[r, n] = sum_k a[r, k] * b[e, k, n]   for offsets[e] <= r < offsets[e + 1]

    a is [..., k], its leading axes flattened to rows r; y has the same leading
    axes. b is [e, k, n], with `transpose_b` [e, n, k] (how weights are stored).
    b may be blocked along its last axis, and so may a, as those of `tn.matmul`.
    A row has the bits that `tn.matmul` gives it, whatever its group has beside
    it.

    Offsets ascend from 0 to the number of rows. Others are a failure of the
    step, which names the first that does not.

    (C1) rank(a) >= 2, rank(b) is 3. (C2) k agrees. (C3) offsets is [e + 1].
    (C4) a blocked b has whole blocks along its last axis, and is not q8_k.
    (C5) y's shape follows. (C6) a blocked a is q8_0 in whole blocks along k, and
    has a blocked b with transpose_b; or q8_k, and b is q4_k, q5_k or q6_k.
  }];
  let arguments = (ins Tn_WeightTensor:$a, Tn_WeightTensor:$b,
                       Tn_IndexTensor:$offsets, UnitAttr:$transpose_b);
  let results = (outs Tn_FloatTensor:$y);
  let assemblyFormat = [{
    $a `,` $b `,` $offsets attr-dict `:` type($a) `,` type($b) `,` type($offsets)
    `->` type($y)
  }];
  let extraClassDeclaration = [{
    ::mlir::Value getBias() { return {}; }
    bool getTransposeA() { return false; }
    bool isCutAlongK() { return false; }
  }];
  let hasVerifier = 1;
}

def Tn_GroupedOuterOp : Tn_Op<"grouped_outer", [Pure, Tn_ProductOp,
    DeclareOpInterfaceMethods<Tn_ReferenceOp>,
    DeclareOpInterfaceMethods<Tn_DifferentiableOp>]> {
  let summary = "A product for each group of rows, summed over its rows";
  let description = [{
        y[e, n, k] = sum_r a[r, n] * b[r, k]   over offsets[e] <= r < offsets[e + 1]

    The gradient of a `tn.grouped_matmul`'s matrices. a is [..., n], b [..., k],
    their leading axes flattened to rows r. Rows ascend, in segments of 512
    counted from the group's first one, as k does in `tn.matmul`; a group
    without rows gives +0.

    Offsets ascend from 0 to the number of rows. Others are a failure of the
    step, which names the first that does not.

    (C1) a and b have one rank >= 2 and agree but for the last axis. (C2) offsets
    is [e + 1] for y's e. (C3) y is [e, n, k].
  }];
  let arguments = (ins Tn_FloatTensor:$a, Tn_FloatTensor:$b,
                       Tn_IndexTensor:$offsets);
  let results = (outs Tn_FloatTensor:$y);
  let assemblyFormat = [{
    $a `,` $b `,` $offsets attr-dict `:` type($a) `,` type($b) `,` type($offsets)
    `->` type($y)
  }];
  let extraClassDeclaration = [{
    ::mlir::Value getBias() { return {}; }
    bool getTransposeA() { return true; }
    bool getTransposeB() { return false; }
    bool isCutAlongK() { return true; }
  }];
  let hasVerifier = 1;
}

#endif // TN_MATMUL
