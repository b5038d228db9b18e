//===- Norm.td - Norms and softmax over the last axis ---------------------===//

#ifndef TN_NORM
#define TN_NORM

include "ir/tn/TnBase.td"
include "ir/tn/TnInterfaces.td"

class Tn_RowWise<string m, list<Trait> traits = []>
    : Tn_Op<m, !listconcat([Pure, DeclareOpInterfaceMethods<Tn_ReferenceOp>,
                            DeclareOpInterfaceMethods<Tn_RowOp>,
                            DeclareOpInterfaceMethods<Tn_DifferentiableOp>], traits)> {
  let results = (outs Tn_FloatTensor:$y);
}

def Tn_RmsNormOp : Tn_RowWise<"rms_norm", [AllTypesMatch<["x", "y"]>]> {
  let summary = "Root-mean-square normalisation over the last axis";
  let description = [{
        y[..., d] = x[..., d] * (1 / sqrt(mean_d(x[..., d]^2) + eps)) * w[d]

    Accumulates in f32, whatever the element type of x; products left to right.
    (C1) rank(x) >= 1. (C2) shape(w) = [dim(x, -1)]. (C3) eps > 0.
    Source: Zhang and Sennrich 2019, eq. 4.
  }];
  let arguments = (ins Tn_FloatTensor:$x, Tn_FloatTensor:$w, F64Attr:$eps);
  let assemblyFormat = "$x `,` $w `eps` $eps attr-dict `:` type($x) `,` type($w)";
  let hasVerifier = 1;
}

def Tn_LayerNormOp : Tn_RowWise<"layer_norm", [AllTypesMatch<["x", "y"]>]> {
  let summary = "Layer normalisation over the last axis";
  let description = [{
        m = mean_d(x[..., d]), v = mean_d((x[..., d] - m)^2)
        y[..., d] = (x[..., d] - m) * (1 / sqrt(v + eps)) * w[d] + b[d]

    (C1) rank(x) >= 1. (C2) w and b are [dim(x, -1)]. (C3) eps > 0.
    Source: Ba, Kiros and Hinton 2016.
  }];
  let arguments = (ins Tn_FloatTensor:$x, Tn_FloatTensor:$w, Tn_FloatTensor:$b,
                       F64Attr:$eps);
  let assemblyFormat = [{
    $x `,` $w `,` $b `eps` $eps attr-dict `:` type($x) `,` type($w) `,` type($b)
  }];
  let hasVerifier = 1;
}

def Tn_SoftmaxOp : Tn_RowWise<"softmax", [AllTypesMatch<["x", "y"]>]> {
  let summary = "e^x over its sum, along the last axis";
  let description = [{
        m = max_d x[..., d];  y[..., d] = e^(x[..., d] - m) / sum_d e^(x[..., d] - m)

    A row of -inf only gives zeros.
    (C1) rank(x) >= 1.
  }];
  let arguments = (ins Tn_FloatTensor:$x);
  let assemblyFormat = "$x attr-dict `:` type($x)";
  let hasVerifier = 1;
}

def Tn_LogSoftmaxOp : Tn_RowWise<"log_softmax", [AllTypesMatch<["x", "y"]>]> {
  let summary = "The logarithm of softmax";
  let description = [{
        m = max_d x[..., d];  y[..., d] = (x[..., d] - m) - ln sum_d e^(x[..., d] - m)

    (C1) rank(x) >= 1.
  }];
  let arguments = (ins Tn_FloatTensor:$x);
  let assemblyFormat = "$x attr-dict `:` type($x)";
  let hasVerifier = 1;
}

#endif // TN_NORM
