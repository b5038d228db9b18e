//===- Elementwise.td - One element from the elements at its index --------===//

#ifndef TN_ELEMENTWISE
#define TN_ELEMENTWISE

include "ir/tn/TnBase.td"
include "ir/tn/TnInterfaces.td"

// Float elements are computed in f32 and rounded to the result's type at every
// op. Each op's mathematics is one template in `ir/tn/ElementMath.h`, shared by
// both oracles and by code generation.
class Tn_Pointwise<string m, list<Trait> traits = []>
    : Tn_Op<m, !listconcat([Pure, DeclareOpInterfaceMethods<Tn_ReferenceOp>,
                            DeclareOpInterfaceMethods<Tn_PointwiseOp>], traits)>;

class Tn_Unary<string m, string formula>
    : Tn_Pointwise<m, [AllTypesMatch<["x", "y"]>,
                       DeclareOpInterfaceMethods<Tn_DifferentiableOp>]> {
  let summary = formula;
  let description = "    y = " # formula # "\n\n(C1) x is a float tensor.";
  let arguments = (ins Tn_FloatTensor:$x);
  let results = (outs Tn_FloatTensor:$y);
  let assemblyFormat = "$x attr-dict `:` type($x)";
}

def Tn_NegOp : Tn_Unary<"neg", "-x"> { let hasFolder = 0; }
def Tn_AbsOp : Tn_Unary<"abs", "|x|">;
def Tn_RoundEvenOp : Tn_Unary<"round_even",
    "x to the nearest integer, of two the even one">;
def Tn_ExpOp : Tn_Unary<"exp", "e^x">;
def Tn_LogOp : Tn_Unary<"log", "ln x">;
def Tn_SinOp : Tn_Unary<"sin", "sin x">;
def Tn_CosOp : Tn_Unary<"cos", "cos x">;
def Tn_TanhOp : Tn_Unary<"tanh", "tanh x">;
def Tn_SqrtOp : Tn_Unary<"sqrt", "sqrt x (IEEE)">;
def Tn_RsqrtOp : Tn_Unary<"rsqrt", "1 / sqrt x">;
def Tn_SigmoidOp : Tn_Unary<"sigmoid", "1 / (1 + e^-x)">;
def Tn_SiluOp : Tn_Unary<"silu", "x / (1 + e^-x)">;
def Tn_ReluOp : Tn_Unary<"relu", "max(x, 0)">;
def Tn_GeluTanhOp : Tn_Unary<"gelu_tanh",
    "x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))">;

def Tn_StopGradientOp : Tn_Unary<"stop_gradient",
    "x, which no gradient passes through">;

class Tn_Binary<string m, string formula>
    : Tn_Pointwise<m, [AllTypesMatch<["a", "b", "y"]>,
                       DeclareOpInterfaceMethods<Tn_DifferentiableOp>]> {
  let summary = formula;
  let description = "    y = " # formula # "\n\n(C1) a and b have one type: float, i32 or i64.";
  let arguments = (ins Tn_NumberTensor:$a, Tn_NumberTensor:$b);
  let results = (outs Tn_NumberTensor:$y);
  let assemblyFormat = "$a `,` $b attr-dict `:` type($a)";
}

def Tn_AddOp : Tn_Binary<"add", "a + b (integers wrap)">;
def Tn_SubOp : Tn_Binary<"sub", "a - b (integers wrap)">;
def Tn_MulOp : Tn_Binary<"mul", "a * b (integers wrap)">;
def Tn_DivOp : Tn_Binary<"div", "a / b (integers towards zero; a / 0 is 0)">;
def Tn_MaxOp : Tn_Binary<"max", "a > b or b is NaN ? a : b">;
def Tn_MinOp : Tn_Binary<"min", "a < b or b is NaN ? a : b">;

def Tn_Predicate : I32EnumAttr<"Predicate", "a comparison",
    [I32EnumAttrCase<"EQ", 0, "eq">, I32EnumAttrCase<"NE", 1, "ne">,
     I32EnumAttrCase<"LT", 2, "lt">, I32EnumAttrCase<"LE", 3, "le">,
     I32EnumAttrCase<"GT", 4, "gt">, I32EnumAttrCase<"GE", 5, "ge">]> {
  let cppNamespace = "::tenon::ir";
}

def Tn_CompareOp : Tn_Pointwise<"compare", [AllTypesMatch<["a", "b"]>]> {
  let summary = "a < b and its kin";
  let description = [{
    Ordered: false where either is NaN, but for `ne`, which is true.

    (C1) a and b have one type. (C2) y is i1 of their shape and encoding.
  }];
  let arguments = (ins Tn_Predicate:$predicate, Tn_NumberTensor:$a,
                       Tn_NumberTensor:$b);
  let results = (outs Tn_BoolTensor:$y);
  let assemblyFormat = "$predicate $a `,` $b attr-dict `:` type($a) `->` type($y)";
  let hasVerifier = 1;
}

def Tn_SelectOp : Tn_Pointwise<"select", [AllTypesMatch<["a", "b", "y"]>,
    DeclareOpInterfaceMethods<Tn_DifferentiableOp>]> {
  let summary = "condition ? a : b";
  let description = "(C1) condition is i1 of the shape of a.";
  let arguments = (ins Tn_BoolTensor:$condition, Tn_ValueTensor:$a,
                       Tn_ValueTensor:$b);
  let results = (outs Tn_ValueTensor:$y);
  let assemblyFormat = "$condition `,` $a `,` $b attr-dict `:` type($condition) `,` type($a)";
  let hasVerifier = 1;
}

def Tn_OverwriteOp : Tn_Pointwise<"overwrite", [AllTypesMatch<["old", "x", "y"]>]> {
  let dslName = "";
  let summary = "x, in the memory of old";
  let description = [{
        y = x

    Nothing reads `old` afterwards, so that its memory can become y's: how a
    step changes weights in place.

    (C1) linear use of old, checked by the verifier of the function
    (`ir/tn/Linear.h`).
  }];
  let arguments = (ins Tn_ValueTensor:$old, Tn_ValueTensor:$x);
  let results = (outs Tn_ValueTensor:$y);
  let assemblyFormat = "$old `,` $x attr-dict `:` type($x)";
  let hasVerifier = 1;
}

class Tn_Logical<string m, string formula>
    : Tn_Pointwise<m, [AllTypesMatch<["a", "b", "y"]>]> {
  let summary = formula;
  let arguments = (ins Tn_BoolTensor:$a, Tn_BoolTensor:$b);
  let results = (outs Tn_BoolTensor:$y);
  let assemblyFormat = "$a `,` $b attr-dict `:` type($a)";
}
def Tn_AndOp : Tn_Logical<"and", "a and b"> { let dslName = "logicalAnd"; }
def Tn_OrOp : Tn_Logical<"or", "a or b"> { let dslName = "logicalOr"; }

def Tn_CastOp : Tn_Pointwise<"cast", [
    DeclareOpInterfaceMethods<Tn_DifferentiableOp>]> {
  let dslResult = "dtype";
  let summary = "The value in another element type";
  let description = [{
    Float to float rounds to nearest even; float to integer truncates, with NaN
    to 0 and saturation; integer to float rounds to nearest even; i1 is 0 or 1;
    to i1 is x != 0; integers wrap.

    (C1) equal shapes and encodings.
  }];
  let arguments = (ins Tn_PlainTensor:$x);
  let results = (outs Tn_PlainTensor:$y);
  let assemblyFormat = "$x attr-dict `:` type($x) `->` type($y)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

#endif // TN_ELEMENTWISE
