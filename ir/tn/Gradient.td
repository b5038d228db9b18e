//===- Gradient.td - Derivatives of a function ----------------------------===//

#ifndef TN_GRADIENT
#define TN_GRADIENT

include "ir/tn/TnBase.td"
include "mlir/IR/SymbolInterfaces.td"

def Tn_GradientOp : Tn_Op<"gradient",
    [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let dslName = "";
  let summary = "A function's results, and the gradients of its first";
  let description = [{
        y..., g... = gradient @f(x...) wrt [i...]
        y... = f(x...),  g_i = d y_0 / d x_i

    Real defines it by differences of fourth order. Its bits are those of the
    adjoint that `tn-differentiate` puts in its place, which the contract's
    interpreter runs.

    ```mlir
    %loss, %dw = tn.gradient @loss(%x, %w) wrt [1]
        : (tensor<8x4xf32>, tensor<4xf32>) -> (tensor<f32>, tensor<4xf32>)
    ```
    (C1) callee is a function of the module that takes the operands. (C2) its
    first result is an f32 of rank 0. (C3) wrt are numbers of operands, ascending,
    each a float tensor. (C4) results are the callee's, then one of each of these
    operands' types.
  }];
  let arguments = (ins FlatSymbolRefAttr:$callee, DenseI64ArrayAttr:$wrt,
                       Variadic<AnyType>:$operands);
  let results = (outs Variadic<AnyType>:$results);
  let assemblyFormat = [{
    $callee `(` $operands `)` `wrt` $wrt attr-dict `:`
    functional-type($operands, $results)
  }];
}

#endif // TN_GRADIENT
