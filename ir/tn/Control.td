//===- Control.td - Branches, loops, streaming ----------------------------===//

#ifndef TN_CONTROL
#define TN_CONTROL

include "ir/tn/TnBase.td"
include "ir/tn/TnInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"

def Tn_YieldOp : Tn_Op<"yield", [Pure, Terminator, ReturnLike]> {
  let dslName = "";
  let summary = "The results of a region";
  let arguments = (ins Variadic<AnyType>:$operands);
  let assemblyFormat = "attr-dict ($operands^ `:` type($operands))?";
}

def Tn_IfOp : Tn_Op<"if", [NoRegionArguments,
    SingleBlock, RecursiveMemoryEffects]> {
  let dslName = "";
  let summary = "One of two regions, by a condition";
  let description = [{
    (C1) condition is a scalar i1. (C2) both regions yield the result types.
  }];
  let arguments = (ins Tn_BoolTensor:$condition);
  let results = (outs Variadic<AnyType>:$results);
  let regions = (region SizedRegion<1>:$then_region, SizedRegion<1>:$else_region);
  let assemblyFormat = [{
    $condition `:` type($condition) (`->` `(` type($results)^ `)`)? $then_region
    `else` $else_region attr-dict
  }];
  let hasVerifier = 1;
}

def Tn_WhileOp : Tn_Op<"while", [RecursiveMemoryEffects,
    SingleBlock]> {
  let dslName = "";
  let summary = "A loop with carried values and a bounded trip count";
  let description = [{
    `condition` receives the carried values and yields a scalar i1; while it is
    true, and fewer than `limit` trips were made, `body` receives and yields the
    carried values.

    (C1) operands, results, both regions' arguments and the body's yield have
    the same types. (C2) the condition yields one scalar i1. (C3) limit >= 0.
  }];
  let arguments = (ins Variadic<AnyType>:$init, I64Attr:$limit);
  let results = (outs Variadic<AnyType>:$results);
  let regions = (region SizedRegion<1>:$condition, SizedRegion<1>:$body);
  let assemblyFormat = [{
    `limit` $limit (`(` $init^ `:` type($init) `)`)? $condition `do` $body
    attr-dict (`->` type($results)^)?
  }];
  let hasVerifier = 1;
}

def Tn_EmitOp : Tn_Op<"emit", [DeclareOpInterfaceMethods<Tn_ReferenceOp>]> {
  let dslName = "emit";
  let summary = "Streams tokens to the caller, who may ask to stop";
  let description = [{
    Gives `tokens` to the caller's sink; `stop` is true if the sink asks to stop.
    (C1) tokens is i32 [R]. (C2) stop is a scalar i1.
  }];
  let arguments = (ins Tn_IndexTensor:$tokens);
  let results = (outs Tn_BoolTensor:$stop);
  let assemblyFormat = "$tokens attr-dict `:` type($tokens) `->` type($stop)";
  let hasVerifier = 1;
  let hasVerifier = 1;
}

#endif // TN_CONTROL
