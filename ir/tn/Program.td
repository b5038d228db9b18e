//===- Program.td - Parameters, constants, casts of blocks ----------------===//

#ifndef TN_PROGRAM
#define TN_PROGRAM

include "ir/tn/TnBase.td"
include "ir/tn/TnInterfaces.td"
include "mlir/IR/SymbolInterfaces.td"

def Tn_ParameterOp : Tn_Op<"parameter", [Symbol]> {
  let dslName = "";
  let summary = "A weight of the model";
  let description = [{
    Declares a weight by name and type, in a module. `source` is its name in
    the weights file, where it has one.

    (C1) the type is a tensor of a float, integer or blocked element type with a
    static shape. (C2) a blocked last axis is whole blocks.

    ```mlir
    tn.parameter @"layers.0.gate" : tensor<64x32x!tn.block<q8_0>> from "blk.0.ffn_gate.weight"
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttr:$type,
                       OptionalAttr<StrAttr>:$source);
  let assemblyFormat = "$sym_name `:` $type (`from` $source^)? attr-dict";
  let hasVerifier = 1;
}

def Tn_StateOp : Tn_Op<"state", [Symbol]> {
  let dslName = "";
  let summary = "A value that lives across calls";
  let description = [{
    ```mlir
    tn.state @"layers.0.keys" : !tn.cache<keys, 1 x 256 x f32>
    tn.state @"layers.0.gate" : tensor<64x32xf32> from "blk.0.ffn_gate.weight" drawn [0.0, 0.02]
    ```
    An entry receives the module's caches as its last arguments, in order, and
    returns them as its last results. It receives a tensor as an argument with
    the attribute `tn.state = @name`, and replaces it by a result with that
    attribute; one that it does not return stays as it was. A tensor is first the
    weight `source`, or zeros where it has none. Where a model is trained from
    scratch, whoever runs it draws normal numbers of the mean and deviation given.

    (C1) the type is a cache, or a tensor of a float or integer element type with a
    static shape. (C2) a cache has no source. (C3) `drawn` is a mean and a
    deviation, which is not negative, of a tensor with a source.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttr:$type,
                       OptionalAttr<StrAttr>:$source,
                       OptionalAttr<DenseF64ArrayAttr>:$drawn);
  let assemblyFormat = [{
    $sym_name `:` $type (`from` $source^)? (`drawn` $drawn^)? attr-dict
  }];
  let hasVerifier = 1;
}

def Tn_GetParameterOp : Tn_Op<"get_parameter", [Pure,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let dslName = "";
  let summary = "The value of a weight";
  let description = [{
    (C1) the name is a `tn.parameter` of the module with the result's type
    (encodings aside).
  }];
  let arguments = (ins FlatSymbolRefAttr:$parameter);
  let results = (outs Tn_Tensor:$value);
  let assemblyFormat = "$parameter attr-dict `:` type($value)";
}

def Tn_ConstantOp : Tn_Op<"constant", [Pure, ConstantLike,
    AllTypesMatch<["value", "result"]>, DeclareOpInterfaceMethods<Tn_ReferenceOp>]> {
  let dslName = "";
  let summary = "A tensor known while compiling";
  let arguments = (ins ElementsAttr:$value);
  let results = (outs Tn_ValueTensor:$result);
  let assemblyFormat = "$value attr-dict";
  let hasFolder = 1;
}

def Tn_UnpackOp : Tn_Op<"unpack", [Pure, DeclareOpInterfaceMethods<Tn_ReferenceOp>]> {
  let summary = "The values of a blocked tensor";
  let description = [{
    y[i] is the value of element i of x, as `base::unpack` defines it: exact in
    f32, then rounded to the type of y. An op that takes a blocked operand means
    the same op on its f32 unpacked values.

    (C1) x has a blocked element type. (C2) equal shapes. (C3) the last axis is
    whole blocks.
  }];
  let arguments = (ins Tn_Tensor:$x);
  let results = (outs Tn_FloatTensor:$y);
  let assemblyFormat = "$x attr-dict `:` type($x) `->` type($y)";
  let hasVerifier = 1;
}

def Tn_QuantizeOp : Tn_Op<"quantize", [Pure,
    DeclareOpInterfaceMethods<Tn_ReferenceOp>,
    DeclareOpInterfaceMethods<Tn_DifferentiableOp>]> {
  let summary = "Activations in blocks of 8-bit integers";
  let description = [{
    y is x in q8_0 or q8_k. For q8_0, for each block of 32 elements along the
    last axis, in f32:

        amax = max_i |x[i]|
        d    = f16(min(amax / 127, 65504))
        q[i] = round_even(clamp(x[i] / f32(d), -127, 127)), 0 where d is 0

    For q8_k, for each block of 256 elements, in f32:

        d    = max_i |x[i]| / 127, 0 where that is below 2^-100
        q[i] = as above

    and beside them the sums of 16 q each. Each division is rounded once: bit for
    bit what `base::pack` makes. A block with a NaN or an infinity has d = NaN
    (0x7e00, 0x7fc00000) and q = 0, so that it means NaN alone.

    Over Real, too, y is quantised, of x rounded to f32: the steps are the op's
    meaning, not an error of its arithmetic.

    (C1) y has the element type q8_0 or q8_k. (C2) equal shapes. (C3) the last axis is
    whole blocks.
  }];
  let arguments = (ins Tn_FloatTensor:$x);
  let results = (outs RankedTensorOf<[Tn_BlockElement]>:$y);
  let assemblyFormat = "$x attr-dict `:` type($x) `->` type($y)";
  let hasVerifier = 1;
}

def Tn_PackOp : Tn_Op<"pack", [Pure, DeclareOpInterfaceMethods<Tn_ReferenceOp>]> {
  let dslName = "";
  let summary = "Lays a weight out in panels";
  let description = [{
    Logically the identity. Hoisted into the entry `@prepare`, which runs once.

    (C1) x is [N, K] without, y with the encoding #tn.panels. (C2) otherwise
    their types are equal. (C3) x is not q8_k.
  }];
  let arguments = (ins Tn_FactorTensor:$x);
  let results = (outs Tn_FactorTensor:$y);
  let assemblyFormat = "$x attr-dict `:` type($x) `->` type($y)";
  let hasVerifier = 1;
}

#endif // TN_PROGRAM
