//===- SelfAttention.td - Attention of a training step ---------------------===//

#ifndef TN_SELF_ATTENTION
#define TN_SELF_ATTENTION

include "ir/tn/TnBase.td"
include "ir/tn/TnInterfaces.td"

def Tn_SelfAttentionOp : Tn_Op<"self_attention", [Pure,
    DeclareOpInterfaceMethods<Tn_ReferenceOp>,
    DeclareOpInterfaceMethods<Tn_DifferentiableOp>]> {
  let summary = "Causal attention of each token over the rows of its own step";
  let description = [{
    What `tn.attention` gives, bit for bit, over caches into which this step's
    rows of k and v were appended and nothing else; and the logarithm of the
    weights' sum, from which the gradients recompute them.

    The tokens of a sequence are consecutive rows, positions ascending from 0: the
    key at position j of a token t at position p is row t - p + j. A token whose
    position is neither 0 nor one more than that of the token before it, of the same
    sequence, is a failure of the step. NaN scores are another.

        lse[t, h] = M + log(L)      of that op's last M and L: a sum of two

    In exact numbers lse = log(sum_j exp(score_j)). With `latent V` there is no v: it
    is the first V elements of the rows of k.

    (C1) q is [T, H, W], k is [T, G, W] and v [T, G, V], H a multiple of G. (C2) lse is
    f32 [T, H]. (C3) window >= 0; 0 means none. globals >= 0, and 0 without a window.
    (C4) scale > 0. (C5) either v is given or `latent`, which is in [1, W]. (C6) y is
    [T, H, V] of q's element type.
    Source: Dao et al. 2022, algorithm 1; of latents: DeepSeek-AI 2024, section 2.1.

    ```mlir
    %y, %lse = tn.self_attention %q, %k, %v, %batch scale 0.125
        : tensor<4x2x64xf32>, tensor<4x1x64xf32>, tensor<4x1x32xf32>
        -> tensor<4x2x32xf32>, tensor<4x2xf32>
    ```
  }];
  let arguments = (ins Tn_FloatTensor:$q, Tn_FloatTensor:$k,
                       Optional<Tn_FloatTensor>:$v, Tn_BatchType:$batch,
                       F64Attr:$scale,
                       DefaultValuedAttr<I64Attr, "0">:$window,
                       DefaultValuedAttr<I64Attr, "0">:$globals,
                       DefaultValuedAttr<I64Attr, "0">:$latent);
  let results = (outs Tn_FloatTensor:$y, Tn_FloatTensor:$lse);
  let assemblyFormat = [{
    $q `,` $k (`latent` $latent^):(`,` $v)? `,` $batch `scale` $scale
    (`window` $window^)? (`globals` $globals^)? attr-dict
    `:` type($q) `,` type($k) (`,` type($v)^)? `->` type($y) `,` type($lse)
  }];
  let extraClassDeclaration = [{
    bool isLatent() { return getLatent() != 0; }
  }];
  let hasVerifier = 1;
}

class Tn_SelfAttentionGradOp<string mnemonic, list<Trait> traits,
                             string resultTypes = "">
    : Tn_Op<mnemonic, !listconcat(
          [Pure, AllTypesMatch<["lse", "delta"]>,
           DeclareOpInterfaceMethods<Tn_ReferenceOp>], traits)> {
  let dslName = ""; // Differentiation makes it.
  let arguments = (ins Tn_FloatTensor:$q, Tn_FloatTensor:$k,
                       Optional<Tn_FloatTensor>:$v, Tn_FloatTensor:$dy,
                       Tn_FloatTensor:$lse, Tn_FloatTensor:$delta,
                       Tn_BatchType:$batch, F64Attr:$scale,
                       DefaultValuedAttr<I64Attr, "0">:$window,
                       DefaultValuedAttr<I64Attr, "0">:$globals,
                       DefaultValuedAttr<I64Attr, "0">:$latent);
  let assemblyFormat = [{
    $q `,` $k (`latent` $latent^):(`,` $v)? `,` $dy `,` $lse `,` $delta `,` $batch
    `scale` $scale (`window` $window^)? (`globals` $globals^)? attr-dict
    `:` type($q) `,` type($k) `,` type($dy) `,` type($lse) (`,` type($v)^)?
  }] # resultTypes;
  let extraClassDeclaration = [{
    bool isLatent() { return getLatent() != 0; }
  }];
  let hasVerifier = 1;
}

def Tn_SelfAttentionGradQueryOp : Tn_SelfAttentionGradOp<"self_attention_grad_query",
    [AllTypesMatch<["q", "dq"]>]> {
  let summary = "The gradient of self_attention for its queries";
  let description = [{
    For a cotangent dy of y, and delta[t, h] = sum_d dy[t, h, d] * y[t, h, d]; over
    the keys j in range of token t, with score_j as `tn.attention` computes it:

        p_j  = exp(score_j - lse)
        dp_j = sum_d dy[t, h, d] * v_j[g, d]       the product rule
        ds_j = p_j * (dp_j - delta)
        dq[t, h, d] = scale * sum_j ds_j * k_j[g, d]

    Each difference and product is rounded once. The sum over keys: in segments
    of 512 positions counted from 0; in a segment one accumulator from +0, one
    fused multiply-add for each key in range, j ascending. Segments with any key
    in range are added in ascending order, the first is copied. Then one
    product with scale, rounded to the type of dq.

    The batch is that of `tn.self_attention`, and what is a failure there is one
    here, but for NaN, which passes through. The keys are what they are for that op:
    where they hold the values as well, dq is still of the scores alone.

    (C1) to (C5) as of `tn.self_attention`. (C6) dy is [T, H, V] of q's element type.
    Source: Dao et al. 2022, algorithm 4.

    ```mlir
    %dq = tn.self_attention_grad_query %q, %k, %v, %dy, %lse, %delta, %batch
        scale 0.125 : tensor<4x2x64xf32>, tensor<4x1x64xf32>, tensor<4x2x32xf32>,
        tensor<4x2xf32>, tensor<4x1x32xf32>
    ```
  }];
  let results = (outs Tn_FloatTensor:$dq);
}

def Tn_SelfAttentionGradKeysOp : Tn_SelfAttentionGradOp<"self_attention_grad_keys",
    [], "`->` type($dk) (`,` type($dv)^)?"> {
  let summary = "The gradients of self_attention for its keys and values";
  let description = [{
    With p and ds of `tn.self_attention_grad_query`, over the tokens t that have the
    key at position j of their sequence in range, and the heads h of its group:

        dk_j[g, d] = scale * sum_t sum_h ds_j[t, h] * q[t, h, d]
        dv_j[g, d] = sum_t sum_h p_j[t, h] * dy[t, h, d]

    The sum over tokens: in segments of 512 token positions counted from 0; in a
    segment one accumulator from +0, tokens ascending, for each the heads of the
    group ascending, one fused multiply-add each. Segments with any token are
    added in ascending order, the first is copied. Then dk has one product
    with scale; each is rounded to its type. With `latent V` there is no dv: it is
    added, unrounded, to the first V elements of dk before dk is rounded.

    (C1) to (C5) as of `tn.self_attention`. (C6) dy is [T, H, V] of q's element type.
    (C7) dk has the type of k; dv that of v, if there is one.
    Source: Dao et al. 2022, algorithm 4.

    ```mlir
    %dk, %dv = tn.self_attention_grad_keys %q, %k, %v, %dy, %lse, %delta, %batch
        scale 0.125 : tensor<4x2x64xf32>, tensor<4x1x64xf32>, tensor<4x2x32xf32>,
        tensor<4x2xf32>, tensor<4x1x32xf32>
        -> tensor<4x1x64xf32>, tensor<4x1x32xf32>
    ```
  }];
  let results = (outs Tn_FloatTensor:$dk, Optional<Tn_FloatTensor>:$dv);
}

#endif // TN_SELF_ATTENTION
