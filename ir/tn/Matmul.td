//===- Matmul.td - Products -----------------------------------------------===//

#ifndef TN_MATMUL
#define TN_MATMUL

include "ir/tn/TnBase.td"
include "ir/tn/TnInterfaces.td"

def Tn_MatmulOp : Tn_Op<"matmul", [Pure,
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
  let hasVerifier = 1;
}

#endif // TN_MATMUL
