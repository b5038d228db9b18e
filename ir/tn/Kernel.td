//===- Kernel.td - What one fork-join computes ----------------------------===//

#ifndef TN_KERNEL
#define TN_KERNEL

include "ir/tn/TnBase.td"
include "ir/tn/TnInterfaces.td"

def Tn_KernelOp : Tn_Op<"kernel", [IsolatedFromAbove,
    SingleBlock]> {
  let dslName = "";
  let summary = "Ops that run as one fork-join over tiles";
  let description = [{
    Made by fusion. Each region is a nest: ops that share one tile space, cut by
    the schedule of the same number (absent before scheduling). Every region
    has the kernel's operands as arguments and yields the nest's results; the
    kernel's results are the nests' results in order. Nests are independent.

    A nest is of one kind, which its root op decides:
    - rows: pointwise, view, row, gather, rope, top-k, sampling and cache_append
      ops over common leading axes; a tile is `tileRows` rows.
    - matmul: products of equal m and n whose pointwise consumers are its
      epilogue; a tile is `tileRows` x `tileCols` of the result.
    - attention: one attention op; a tile is `tileRows` tokens of `tileCols`
      heads that share a head of the keys; of the gradients for keys, `tileRows`
      rows of them of one head.
    - pack: one pack op; a tile is `tileRows` panels.

    ```mlir
    %y = tn.kernel(%x, %w) : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32> {
    ^bb0(%a: tensor<4x8xf32>, %b: tensor<8xf32>):
      %n = tn.rms_norm %a, %b eps 1.0e-6 : tensor<4x8xf32>, tensor<8xf32>
      tn.yield %n : tensor<4x8xf32>
    } {label = "rms_norm"}
    ```
    (C1) every region's arguments have the operands' types. (C2) the yields'
    types, joined, are the results'. (C3) as many schedules as regions, or none.
    (C4) an operand that one nest changes is used by no other nest: nests run in any
    order.
  }];
  let arguments = (ins Variadic<AnyType>:$inputs, StrAttr:$label,
      OptionalAttr<TypedArrayAttrBase<Tn_ScheduleAttr, "schedules">>:$schedules,
      OptionalAttr<StrArrayAttr>:$not_fused);
  let results = (outs Variadic<AnyType>:$results);
  let regions = (region VariadicRegion<SizedRegion<1>>:$nests);
  let assemblyFormat = [{
    `(` $inputs `)` `:` functional-type($inputs, $results) $nests attr-dict
  }];
  let hasVerifier = 1;
}

#endif // TN_KERNEL
