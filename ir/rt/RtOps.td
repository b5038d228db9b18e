//===- RtOps.td - What the host does: launches, copies, control -----------===//

#ifndef RT_OPS
#define RT_OPS

include "ir/rt/Rt.td"

class Rt_ScalarBuffer<string what, string test> : Type<And<[Rt_Buffer.predicate,
    CPred<"::tenon::ir::rt::elementOf($_self)." # test>]>, what>;
def Rt_IntBuffer : Rt_ScalarBuffer<"buffer of i1, i32 or i64",
    "isSignlessInteger()">;
def Rt_TokenBuffer : Rt_ScalarBuffer<"buffer of i32", "isInteger(32)">;
def Rt_Scalar : AnyTypeOf<[I1, I32, I64]>;

def Rt_LaunchOp : Rt_Op<"launch", [
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Runs a kernel over its tiles";
  let description = [{
    Passes the buffers of the kernel's operands and results, and the values of
    its `dims`. `layer` is whose work it is, for traces.

    ```mlir
    %e1 = rt.launch @k0_neg(%x, %y) after %e0 at "layers.0"
        : !rt.buffer<tensor<4xf32>>, !rt.buffer<tensor<4xf32>>
    ```
    (C1) the kernel is an rt.kernel of the module. (C2) there are as many
    buffers as it has, of the same element types. (C3) its symbols are among the
    entry's.
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<Rt_Buffer>:$buffers,
                       Rt_Event:$after, OptionalAttr<StrAttr>:$layer);
  let results = (outs Rt_Event:$done);
  let assemblyFormat = [{
    $kernel `(` $buffers `)` `after` $after (`at` $layer^)? attr-dict `:`
    type($buffers)
  }];
}

def Rt_CopyOp : Rt_Op<"copy"> {
  let summary = "Fills one buffer with another's bytes";
  let description = [{
    (C1) equal element types. (C2) the target is a result, a temporary, a state
    or, in the entry `prepare`, a prepared value.
  }];
  let arguments = (ins Rt_Buffer:$from, Rt_Buffer:$to, Rt_Event:$after);
  let results = (outs Rt_Event:$done);
  let assemblyFormat = [{
    $from `to` $to `after` $after attr-dict `:` type($from) `,` type($to)
  }];
  let hasVerifier = 1;
}

def Rt_LoadOp : Rt_Op<"load"> {
  let summary = "Reads an element on the host";
  let description = "(C1) the value has the buffer's element type.";
  let arguments = (ins Rt_IntBuffer:$from, I64Attr:$index, Rt_Event:$after);
  let results = (outs Rt_Scalar:$value, Rt_Event:$done);
  let assemblyFormat = [{
    $from `[` $index `]` `after` $after attr-dict `:` type($from) `->`
    type($value)
  }];
  let hasVerifier = 1;
}

def Rt_StoreOp : Rt_Op<"store"> {
  let summary = "Writes an element on the host";
  let description = [{
    (C1) the value has the buffer's element type. (C2) the buffer is a result or
    a temporary.
  }];
  let arguments = (ins Rt_Scalar:$value, Rt_IntBuffer:$to, I64Attr:$index,
                       Rt_Event:$after);
  let results = (outs Rt_Event:$done);
  let assemblyFormat = [{
    $value `to` $to `[` $index `]` `after` $after attr-dict `:` type($value)
    `,` type($to)
  }];
  let hasVerifier = 1;
}

def Rt_EmitOp : Rt_Op<"emit"> {
  let summary = "Gives tokens to the caller's sink";
  let description = "`stop` is whether the sink asks to stop.";
  let arguments = (ins Rt_TokenBuffer:$tokens, Rt_Event:$after);
  let results = (outs I1:$stop, Rt_Event:$done);
  let assemblyFormat = "$tokens `after` $after attr-dict `:` type($tokens)";
}

def Rt_IfOp : Rt_Op<"if", [NoRegionArguments, SingleBlock]> {
  let summary = "One of two regions, by a condition";
  let description = [{
    What the regions compute they leave in buffers declared outside.

    ```mlir
    %e3 = rt.if %flag after %e0 {
      %e1 = rt.copy %a to %c after %e0 : ...
      rt.yield %e1
    } else {
      %e2 = rt.copy %b to %c after %e0 : ...
      rt.yield %e2
    }
    ```
    (C1) both regions end in rt.yield.
  }];
  let arguments = (ins I1:$condition, Rt_Event:$after);
  let results = (outs Rt_Event:$done);
  let regions = (region SizedRegion<1>:$then_region,
                        SizedRegion<1>:$else_region);
  let assemblyFormat = [{
    $condition `after` $after attr-dict-with-keyword $then_region `else`
    $else_region
  }];
  let hasVerifier = 1;
}

def Rt_WhileOp : Rt_Op<"while", [SingleBlock]> {
  let summary = "A loop of a bounded trip count";
  let description = [{
    While the condition's region gives true, and fewer than `limit` trips were
    made, runs the body. Each region takes the event it starts after. What trips
    carry lies in buffers declared outside.

    (C1) limit >= 0. (C2) each region takes one event; the condition's ends in
    rt.condition, the body in rt.yield.
  }];
  let arguments = (ins I64Attr:$limit, Rt_Event:$after);
  let results = (outs Rt_Event:$done);
  let regions = (region SizedRegion<1>:$condition, SizedRegion<1>:$body);
  let assemblyFormat = [{
    `limit` $limit `after` $after attr-dict-with-keyword $condition `do` $body
  }];
  let hasVerifier = 1;
}

class Rt_End<string mnemonic, Trait parent>
    : Rt_Op<mnemonic, [Terminator, parent]> {
  let arguments = (ins Rt_Event:$after);
  let assemblyFormat = "$after attr-dict";
}
def Rt_YieldOp : Rt_End<"yield", ParentOneOf<["IfOp", "WhileOp"]>> {
  let summary = "The end of a branch or of a loop's body";
}
def Rt_ReturnOp : Rt_End<"return", HasParent<"VariantOp">> {
  let summary = "The end of a variant";
}
def Rt_ConditionOp
    : Rt_Op<"condition", [Terminator, HasParent<"WhileOp">]> {
  let summary = "The end of a loop's condition: whether to make a trip";
  let arguments = (ins I1:$holds, Rt_Event:$after);
  let assemblyFormat = "$holds `after` $after attr-dict";
}

#endif // RT_OPS
