//===- Moe.td - Mixture of experts: routing, dispatch, combination --------===//

#ifndef TN_MOE
#define TN_MOE

include "ir/tn/TnBase.td"
include "ir/tn/TnInterfaces.td"

// T tokens, D width, E experts, K experts of each token. An assignment is a
// token and one of its experts: number t * K + k. Tensors of assignments are
// [T, K], whatever their order: row-major position p is of number p, or of the
// p-th assignment sorted by expert.

def Tn_Scoring : I32EnumAttr<"Scoring", "how logits of experts become scores",
    [I32EnumAttrCase<"Softmax", 0, "softmax">,
     I32EnumAttrCase<"Sigmoid", 1, "sigmoid">]> {
  let cppNamespace = "::tenon::ir";
}

def Tn_MoeRouteOp : Tn_Op<"moe_route", [Pure, DeclareOpInterfaceMethods<Tn_ReferenceOp>,
    DeclareOpInterfaceMethods<Tn_DifferentiableOp>]> {
  let summary = "Chooses the experts of each token";
  let description = [{
        s = softmax(logits) or sigmoid(logits)      choice = s (+ bias)
        experts[t, :] = the k largest of choice[t, :], largest first
        weights[t, i] = s[t, experts[t, i]]

    The bias steers the choice and nothing else. Of `groups` of equally many
    experts each, which follow one another, only the `kept_groups` best take
    part: a group's score is the largest choice in it or, with `top2`, the sum
    of its two largest. Equal scores, of groups or of experts, are ordered by index.
    With `normalize`, weights are divided by their sum + 1e-20, a running sum in
    the order of experts; then they are multiplied by `scale`.

    NaN logits are a failure of the step. A choice that is NaN, and a sum of two
    that is, counts as -infinity: k experts that differ are chosen in any case.

    (C1) logits is f32 [T, E], 1 <= E <= 4096, static. (C2) bias is f32 [E].
    (C3) groups divides E; 1 <= kept_groups <= groups. (C4) top2 has groups of
    at least 2. (C5) 1 <= k <= the experts of the kept groups. (C6) weights is
    f32 [T, k], experts i32 [T, k].
    Source: DeepSeek-V2, arXiv 2405.04434, 2.1.2; V3, 2412.19437, 2.1.2.

    ```mlir
    %w, %e = tn.moe_route sigmoid %logits bias %b
        {k = 8, groups = 8, kept_groups = 4, top2, normalize, scale = 2.5} : tensor<4x256xf32>, tensor<256xf32>
        -> tensor<4x8xf32>, tensor<4x8xi32>
    ```
  }];
  let arguments = (ins Tn_Scoring:$scoring, Tn_FloatTensor:$logits,
      Optional<Tn_FloatTensor>:$bias, I64Attr:$k,
      DefaultValuedAttr<I64Attr, "1">:$groups,
      DefaultValuedAttr<I64Attr, "1">:$kept_groups,
      UnitAttr:$top2, UnitAttr:$normalize,
      DefaultValuedAttr<F64Attr, "1.0">:$scale);
  let results = (outs Tn_FloatTensor:$weights, Tn_IndexTensor:$experts);
  let assemblyFormat = [{
    $scoring $logits (`bias` $bias^)? attr-dict `:` type($logits)
    (`,` type($bias)^)? `->` type($weights) `,` type($experts)
  }];
  let hasVerifier = 1;
}

def Tn_MoeWeighOp : Tn_Op<"moe_weigh", [Pure, DeclareOpInterfaceMethods<Tn_ReferenceOp>,
    DeclareOpInterfaceMethods<Tn_DifferentiableOp>]> {
  let summary = "What experts that are given count for each token";
  let description = [{
        s = softmax(logits) or sigmoid(logits)
        weights[t, i] = s[t, experts[t, i]]

    then `normalize` and `scale`, all as tn.moe_route has it: of the experts that
    it chooses the weights are its own, bit for bit, and so are the gradients.

    NaN logits are a failure of the step. So is an expert outside [0, E), which
    counts as expert 0.

    (C1) logits is f32 [T, E], 1 <= E <= 4096, static. (C2) experts is [T, K]
    with a static K >= 1. (C3) weights is f32 [T, K].

    ```mlir
    %w = tn.moe_weigh sigmoid %logits, %e {normalize, scale = 2.5} : tensor<4x256xf32>, tensor<4x8xi32>
        -> tensor<4x8xf32>
    ```
  }];
  let arguments = (ins Tn_Scoring:$scoring, Tn_FloatTensor:$logits,
      Tn_IndexTensor:$experts, UnitAttr:$normalize,
      DefaultValuedAttr<F64Attr, "1.0">:$scale);
  let results = (outs Tn_FloatTensor:$weights);
  let assemblyFormat = [{
    $scoring $logits `,` $experts attr-dict `:` type($logits) `,`
    type($experts) `->` type($weights)
  }];
  let hasVerifier = 1;
}

def Tn_MoeDispatchOp : Tn_Op<"moe_dispatch", [Pure,
    DeclareOpInterfaceMethods<Tn_ReferenceOp>]> {
  let summary = "Sorts assignments by expert";
  let description = [{
        order   the numbers of the assignments, sorted by experts[number], equal
                ones by number
        places  its inverse: order[places[p]] = p
        offsets[e] = how many assignments have an expert below e

    so that the rows of expert e are those from offsets[e] to offsets[e + 1]. An
    expert outside [0, E) is a failure of the step and counts as expert 0.

    (C1) experts is [T, K]. (C2) order and places are like experts. (C3) offsets
    is [E + 1], E >= 1.
  }];
  let arguments = (ins Tn_IndexTensor:$experts, I64Attr:$count);
  let results = (outs Tn_IndexTensor:$order, Tn_IndexTensor:$places,
                      Tn_IndexTensor:$offsets);
  let assemblyFormat = [{
    $experts `of` $count attr-dict `:` type($experts) `->` type($order) `,`
    type($places) `,` type($offsets)
  }];
  let hasVerifier = 1;
}

def Tn_MoeGatherOp : Tn_Op<"moe_gather", [Pure,
    AllTypesMatch<["index", "inverse"]>,
    DeclareOpInterfaceMethods<Tn_ReferenceOp>,
    DeclareOpInterfaceMethods<Tn_DifferentiableOp>]> {
  let summary = "A row for each assignment";
  let description = [{
        y[p] = x[index[p] / K]     of x [T, D]: the token's row
        y[p] = x[index[p]]         of x [T, K, D]: the assignment's

    over row-major positions p of [T, K]: with index = order, rows sorted by
    expert. `inverse` is index's inverse (places), by which a gradient goes back;
    values do not depend on it. An index outside [0, T * K) is a failure of the
    step and reads row 0.

    (C1) index and inverse are [T, K]. (C2) x is [T, D] or [T, K, D]. (C3) y is
    [T, K, D] of x's element type.
  }];
  let arguments = (ins Tn_FloatTensor:$x, Tn_IndexTensor:$index,
                       Tn_IndexTensor:$inverse);
  let results = (outs Tn_FloatTensor:$y);
  let assemblyFormat = [{
    $x `,` $index `inverse` $inverse attr-dict `:` type($x) `,` type($index)
    `->` type($y)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Whether x has a row for each token, which its assignments share.
    bool readsTokens();
  }];
}

def Tn_MoeCombineOp : Tn_Op<"moe_combine", [Pure,
    AllTypesMatch<["places", "order"]>,
    DeclareOpInterfaceMethods<Tn_ReferenceOp>,
    DeclareOpInterfaceMethods<Tn_DifferentiableOp>]> {
  let summary = "The weighted sum of each token's assignments";
  let description = [{
        y[t] = sum_k weights[t, k] * rows[places[t, k]]

    rows [T, K, D] by row-major position of [T, K]: sorted by expert. `order` is
    the inverse of places, by which a gradient goes back; values do not depend on
    it. The product rule over k: one f32 accumulator from +0, ascending, fused
    multiply-adds, in segments of 512; then one rounding to the type of y. A
    place outside [0, T * K) is a failure of the step and reads row 0.

    (C1) rows is [T, K, D]. (C2) places and order are i32 [T, K]. (C3) weights
    is f32 [T, K]. (C4) y is [T, D] of rows' element type.
  }];
  let arguments = (ins Tn_FloatTensor:$rows, Tn_IndexTensor:$places,
                       Tn_FloatTensor:$weights, Tn_IndexTensor:$order);
  let results = (outs Tn_FloatTensor:$y);
  let assemblyFormat = [{
    $rows `,` $places `,` $weights `inverse` $order attr-dict `:` type($rows) `,`
    type($places) `,` type($weights) `->` type($y)
  }];
  let hasVerifier = 1;
}

#endif // TN_MOE
