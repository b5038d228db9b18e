//===- Sampling.td - Choosing elements of a row ---------------------------===//

#ifndef TN_SAMPLING
#define TN_SAMPLING

include "ir/tn/TnBase.td"
include "ir/tn/TnInterfaces.td"

def Tn_TopKOp : Tn_Op<"top_k", [Pure, DeclareOpInterfaceMethods<Tn_ReferenceOp>,
    DeclareOpInterfaceMethods<Tn_DifferentiableOp>]> {
  let summary = "The k largest elements of each row, largest first";
  let description = [{
    Equal elements are ordered by index. NaN is a failure of the step.
    (C1) rank(x) >= 1, 1 <= k <= dim(x, -1), static. (C2) values has x's type but
    for the last axis, which is k; indices is i32 of its shape.
  }];
  let arguments = (ins Tn_FloatTensor:$x, I64Attr:$k);
  let results = (outs Tn_FloatTensor:$values, Tn_IndexTensor:$indices);
  let assemblyFormat = "$x `k` $k attr-dict `:` type($x) `->` type($values) `,` type($indices)";
  let hasVerifier = 1;
}

def Tn_ArgmaxOp : Tn_Op<"argmax", [Pure, DeclareOpInterfaceMethods<Tn_ReferenceOp>]> {
  let summary = "The index of each row's largest element";
  let description = [{
    The lowest index of equal elements. NaN is a failure of the step.
    (C1) rank(x) >= 1. (C2) y is i32 and drops the last axis.
  }];
  let arguments = (ins Tn_FloatTensor:$x);
  let results = (outs Tn_IndexTensor:$y);
  let assemblyFormat = "$x attr-dict `:` type($x) `->` type($y)";
  let hasVerifier = 1;
}

def Tn_RandomOp : Tn_Op<"random", [Pure, DeclareOpInterfaceMethods<Tn_ReferenceOp>]> {
  let summary = "A uniform number in [0, 1) for each row";
  let description = [{
    Philox-4x32-10 with key (low and high word of seed[r]) and counter
    (position[r], 0, 0, 0); the first word w gives f32(w >> 8) * 2^-24.
    (C1) seed is i64 [R], position i32 [R], y f32 [R].
    Source: Salmon et al. 2011.
  }];
  let arguments = (ins RankedTensorOf<[I64]>:$seed, Tn_IndexTensor:$position);
  let results = (outs Tn_FloatTensor:$y);
  let assemblyFormat = "$seed `,` $position attr-dict `:` type($seed) `,` type($position) `->` type($y)";
  let hasVerifier = 1;
}

def Tn_SampleOp : Tn_Op<"sample", [Pure, DeclareOpInterfaceMethods<Tn_ReferenceOp>]> {
  let summary = "Draws one token from each row of logits";
  let description = [{
    For row r with temperature τ, k, p, m and the uniform number u of
    `tn.random`:
    τ <= 0: the argmax. Otherwise z = logits / τ, w_i = exp(z_i - max z).
    Candidates are ordered by logit, largest first, equal ones by index.
    top-k: the first k (k <= 0 or > V: all, but at most 1024 in every case).
    min-p: those with w_i >= m (m <= 0: all; never empty). top-p: the shortest prefix
    whose ascending running sum of w reaches p times the candidates' sum
    (p >= 1: all; never empty). The token is the first of the remaining whose
    running sum exceeds u times their sum; the last if none does.
    NaN logits are a failure of the step.

    (C1) logits f32 [R, V]; temperature, top_p, min_p f32 [R]; top_k, position
    i32 [R]; seed i64 [R]. (C2) y is i32 [R].
  }];
  let arguments = (ins Tn_FloatTensor:$logits, Tn_FloatTensor:$temperature,
                       Tn_IndexTensor:$top_k, Tn_FloatTensor:$top_p,
                       Tn_FloatTensor:$min_p, RankedTensorOf<[I64]>:$seed,
                       Tn_IndexTensor:$position);
  let results = (outs Tn_IndexTensor:$y);
  let assemblyFormat = [{
    $logits `,` $temperature `,` $top_k `,` $top_p `,` $min_p `,` $seed `,` $position
    attr-dict `:` type($logits) `,` type($temperature) `,` type($top_k) `,`
    type($top_p) `,` type($min_p) `,` type($seed) `,` type($position) `->` type($y)
  }];
  let hasVerifier = 1;
}

#endif // TN_SAMPLING
