//===- Attention.td - Rotary positions, caches, attention -----------------===//

#ifndef TN_ATTENTION
#define TN_ATTENTION

include "ir/tn/TnBase.td"
include "ir/tn/TnInterfaces.td"

def Tn_RopeLayout : I32EnumAttr<"RopeLayout", "which elements form a pair",
    [I32EnumAttrCase<"Half", 0, "half">, I32EnumAttrCase<"Interleaved", 1, "interleaved">]> {
  let cppNamespace = "::tenon::ir";
}

def Tn_RopeOp : Tn_Op<"rope", [Pure, AllTypesMatch<["x", "y"]>,
    DeclareOpInterfaceMethods<Tn_ReferenceOp>,
    DeclareOpInterfaceMethods<Tn_DifferentiableOp>]> {
  let summary = "Rotary position embedding";
  let description = [{
    For token t at position p, head h and pair i of width/2:

        angle = f32(p) * frequency[i]   (one f32 product)
        (u, v) -> (u * cos(angle) - v * sin(angle), v * cos(angle) + u * sin(angle))

    each product rounded, then the sum; `amplitude` multiplies cos and sin first.
    Pairs are (i, i + width/2) for `half`, (2i, 2i + 1) for `interleaved`.
    `frequency` is a constant of the model (linear and YaRN scaling are in it;
    see `ropeFrequencies` in `ir/tn/Attention.h`).

    (C1) x is [T, H, W] with even W. (C2) frequency is f32 [W/2]. (C3) amplitude
    is positive.
    Source: Su et al. 2021, eq. 34; YaRN: Peng et al. 2023, section 3.
  }];
  let arguments = (ins Tn_FloatTensor:$x, Tn_BatchType:$batch,
                       Tn_FloatTensor:$frequency, Tn_RopeLayout:$layout,
                       DefaultValuedAttr<F64Attr, "1.0">:$amplitude);
  let results = (outs Tn_FloatTensor:$y);
  let assemblyFormat = [{
    $layout $x `,` $batch `,` $frequency (`amplitude` $amplitude^)? attr-dict
    `:` type($x) `,` type($frequency)
  }];
  let hasVerifier = 1;
}

def Tn_CacheAppendOp : Tn_Op<"cache_append", [Pure, AllTypesMatch<["cache", "updated"]>,
    DeclareOpInterfaceMethods<Tn_ReferenceOp>]> {
  let summary = "Writes each token's row at its position";
  let description = [{
    Row t of x, [heads, width], becomes the row of position[t] in the pages of
    sequence[t]. A position without a page is a failure of the step. Rows become
    q8_0 in a cache of it, as `tn.quantize` defines that; what reads the cache
    sees their unpacked values.

    (C1) x is [T, heads, width] of the cache's element type (the model casts),
    of f32 where that is q8_0.
    (C2) linear use of the cache, checked by the verifier of the function
    (`ir/tn/Linear.h`).
  }];
  let arguments = (ins Tn_CacheType:$cache, Tn_FloatTensor:$x, Tn_BatchType:$batch);
  let results = (outs Tn_CacheType:$updated);
  let assemblyFormat = "$cache `,` $x `,` $batch attr-dict `:` type($cache) `,` type($x)";
  let hasVerifier = 1;
}

def Tn_AttentionOp : Tn_Op<"attention", [Pure,
    DeclareOpInterfaceMethods<Tn_ReferenceOp>]> {
  let dslName = "attentionOverCaches"; // Sugar.h has `attention`.
  let summary = "Causal attention of each token over its sequence's cache";
  let description = [{
    For token t at position p of sequence s, query head h, and the head
    g = h / (H / heads) of the caches, over the keys in range: those at j <= p, where
    there is a window only those with p - j < window or j < globals:

        score_j = scale * sum_d q[t, h, d] * k_j[g, d]
        y[t, h, :] = sum_j softmax(score)_j * v_j[g, :]

    Values may be of another width V than the keys' W. With `latent V` there is no
    cache of values: v_j[g, :] is the first V elements of k_j[g, :], as latent
    attention has it, where a row is what keys and values are made of.

    Numerics (order is part of the meaning): keys in blocks of 64 from position 0
    of the sequence. A score is one f32 chain over d (segments of 512) by fused
    multiply-adds, then one product with `scale`. Inside a segment of 512 keys,
    per block with any key in range: m' = max(m, block maximum); c = exp(m - m');
    p_j = exp(score_j - m') (0 outside the range); l = l * c + S, S the 64 p_j
    summed by the tree of halves (32, 16, 8, 4, 2, 1); acc_d = acc_d * c, then one
    fused multiply-add for each key in range, j ascending. A segment starts with m = -inf, l = 0,
    acc = 0, and the first block's c is 0. Segments with any key in range merge
    in order: M' = max(M, m); a = exp(M - M'), b = exp(m - M'); L = L * a + l * b;
    O_d = O_d * a + acc_d * b (two products, one sum; the first segment is copied).
    y = O_d / L, rounded to the type of y. NaN scores are a failure of the step,
    and so is a key in range whose position has no page.

    (C1) q is [T, H, W], H a multiple of the heads; y is [T, H, V] of q's element
    type. (C2) keys has layout keys and width W, values layout values and the same
    heads. (C3) window >= 0; 0 means none. globals >= 0, and 0 without a window.
    (C4) scale > 0. (C5) either values are given or `latent`, which is in [1, W].
    Source: Dao et al. 2022, algorithm 1; of latents: DeepSeek-AI 2024, section 2.1;
    of windows beside global keys: Beltagy et al. 2020, section 3.1.

    ```mlir
    %y = tn.attention %q, %keys latent 512, %batch scale 0.1
        : tensor<1x16x576xf32>, !tn.cache<keys, 1 x 576 x bf16>
        -> tensor<1x16x512xf32>
    ```
  }];
  let arguments = (ins Tn_FloatTensor:$q, Tn_CacheType:$keys,
                       Optional<Tn_CacheType>:$values, Tn_BatchType:$batch,
                       F64Attr:$scale,
                       DefaultValuedAttr<I64Attr, "0">:$window,
                       DefaultValuedAttr<I64Attr, "0">:$globals,
                       DefaultValuedAttr<I64Attr, "0">:$latent);
  let results = (outs Tn_FloatTensor:$y);
  let assemblyFormat = [{
    $q `,` $keys (`latent` $latent^):(`,` $values)? `,` $batch `scale` $scale
    (`window` $window^)? (`globals` $globals^)? attr-dict
    `:` type($q) `,` type($keys) (`,` type($values)^)? `->` type($y)
  }];
  let extraClassDeclaration = [{
    /// Whether values are the first elements of the keys.
    bool isLatent() { return getLatent() != 0; }
  }];
  let hasVerifier = 1;
}

def Tn_PositionsOp : Tn_Op<"positions", [Pure,
    DeclareOpInterfaceMethods<Tn_ReferenceOp>]> {
  let dslName = ""; // Sugar.h has `positions`, which knows the batch's symbol.
  let summary = "The position of each token";
  let description = [{
    y[t] is the position of token t in its sequence: for models that learn a
    vector for each. No memory moves. As of `tn.reposition`, that there are as many
    as tokens is checked where the program is lowered, or interpreted.

    (C1) y is i32 [T].
  }];
  let arguments = (ins Tn_BatchType:$batch);
  let results = (outs Tn_IndexTensor:$y);
  let assemblyFormat = "$batch attr-dict `:` type($y)";
  let hasVerifier = 1;
}

def Tn_RepositionOp : Tn_Op<"reposition", [Pure, AllTypesMatch<["batch", "y"]>,
    DeclareOpInterfaceMethods<Tn_ReferenceOp>]> {
  let summary = "A batch's tokens at other positions";
  let description = [{
    y has the sequences and pages of batch; its token t is at position[t]. A
    loop makes the batch of each step so. No memory moves. The extents of a batch
    are not in its type: that there are as many positions as tokens is checked
    where the program is lowered, or interpreted.

    (C1) position is i32 [T].

    ```mlir
    %y = tn.reposition %batch, %position : tensor<1xi32>
    ```
  }];
  let arguments = (ins Tn_BatchType:$batch, Tn_IndexTensor:$position);
  let results = (outs Tn_BatchType:$y);
  let assemblyFormat = "$batch `,` $position attr-dict `:` type($position)";
  let hasVerifier = 1;
}

#endif // TN_ATTENTION
