//===- Rt.td - What the host does: the dialect, its types, its program ----===//
//
// This file has what is declared: kernels, entries, variants, buffers. What
// runs is in RtOps.td.
//
//===----------------------------------------------------------------------===//

#ifndef RT
#define RT

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"

def Rt_Dialect : Dialect {
  let name = "rt";
  let cppNamespace = "::tenon::ir::rt";
  let summary = "What the host does";
  let description = [{
    The program around the kernels: which memory there is, and the launches,
    copies, branches and loops over it. A module of it holds the parameters and
    states of the model (`tn.parameter`, `tn.state`), each distinct kernel once
    (`rt.kernel`) and the entries with their variants; `codegen/host` makes it
    from functions of `tn.kernel`, and `runtime/base/Program.h` from it.

    Every op that does work takes an `!rt.event` and gives one: it starts when
    what it takes has happened. A value lies in a `!rt.buffer`; no op but
    `rt.copy` moves one from place to place.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::tenon::ir::TnDialect"];
}

class Rt_Op<string mnemonic, list<Trait> traits = []>
    : Op<Rt_Dialect, mnemonic, traits>;

//===----------------------------------------------------------------------===//
// Types and attributes
//===----------------------------------------------------------------------===//

def Rt_Event : TypeDef<Rt_Dialect, "Event"> {
  let mnemonic = "event";
  let summary = "That some work has been done";
}

def Rt_Buffer : TypeDef<Rt_Dialect, "Buffer"> {
  let mnemonic = "buffer";
  let summary = "Memory that holds a tensor or a cache";
  let description = [{
    `!rt.buffer<tensor<?x640xf32, #tn.dims<T, 640>>>`: element type and size are
    those of the content, a packed weight's of its panels.

    (C1) the content is a ranked tensor or a `!tn.cache`.
  }];
  let parameters = (ins "::mlir::Type":$content);
  let assemblyFormat = "`<` $content `>`";
  let genVerifyDecl = 1;
}

def Rt_ValueAttr : AttrDef<Rt_Dialect, "Value"> {
  let mnemonic = "value";
  let summary = "The name and type of an argument or a result of an entry";
  let description = "`#rt.value<\"tokens\", tensor<?xi32, #tn.dims<T>>>`";
  let parameters = (ins StringRefParameter<>:$name,
                        "::mlir::RankedTensorType":$type);
  let assemblyFormat = "`<` $name `,` $type `>`";
}

def Rt_Symbols : TypedArrayAttrBase<
    Attr<CPred<"::llvm::isa<::tenon::ir::SymbolAttr>($_self)">, "#tn.symbol">,
    "array of #tn.symbol">;
def Rt_Values : TypedArrayAttrBase<
    Attr<CPred<"::llvm::isa<::tenon::ir::rt::ValueAttr>($_self)">, "#rt.value">,
    "array of #rt.value">;

//===----------------------------------------------------------------------===//
// Declarations
//===----------------------------------------------------------------------===//

def Rt_KernelOp : Rt_Op<"kernel", [Symbol, IsolatedFromAbove, SingleBlock,
    NoTerminator]> {
  let summary = "One function of the code, with the tn.kernel it computes";
  let description = [{
    `symbols` are those that the kernel's types name. Emission adds what only
    the code can say: the symbols (`dims`) whose values a launch passes, how
    many tiles there are for them, the scratch bytes of a worker, the ops held,
    and the places [op, source] that a failure can name.

    ```mlir
    rt.kernel @k0_neg symbols [#tn.symbol<"T", 1 to 9>]
        dims ["T"] tiles affine_map<()[s0] -> (s0 ceildiv 4)> {
    ^bb0(%x: tensor<?x8xf32, #tn.dims<T, 8>>):
      %y = tn.kernel(%x) : ...
    }
    ```
    (C1) the block holds one tn.kernel, whose operands are the block's
    arguments. (C2) `tiles` is one number over as many symbols as `dims`.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Rt_Symbols:$symbols,
      OptionalAttr<StrArrayAttr>:$dims, OptionalAttr<AffineMapAttr>:$tiles,
      DefaultValuedAttr<I64Attr, "0">:$scratch_bytes,
      OptionalAttr<StrArrayAttr>:$ops, OptionalAttr<ArrayAttr>:$locations);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name `symbols` $symbols (`dims` $dims^ `tiles` $tiles)?
    attr-dict-with-keyword $body
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::tenon::ir::KernelOp kernel();
    /// The element type of each buffer that a launch passes: of the operands (a
    /// batch has three), then of the results but caches, which are operands.
    ::llvm::SmallVector<::mlir::Type> bufferElements();
  }];
}

def Rt_EntryOp : Rt_Op<"entry", [Symbol, IsolatedFromAbove, SingleBlock,
    NoTerminator]> {
  let summary = "What a caller can call";
  let description = [{
    The entry named `prepare` runs when a session opens: it takes and gives
    nothing, and fills prepared buffers.

    ```mlir
    rt.entry @forward symbols [#tn.symbol<"T", 1 to 512>]
        arguments [#rt.value<"x", tensor<?x8xf32, #tn.dims<T, 8>>>]
        results [#rt.value<"y", tensor<?x8xf32, #tn.dims<T, 8>>>] {
      rt.variant "decode" where [#tn.symbol<"T", 1 to 1>] { ... }
      rt.variant "any" where [] { ... }
    }
    ```
    (C1) the block holds variants only. (C2) every dynamic axis of arguments and
    results has a symbol of the entry.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Rt_Symbols:$symbols,
                       Rt_Values:$arguments, Rt_Values:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name `symbols` $symbols `arguments` $arguments `results` $results
    attr-dict-with-keyword $body
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// The number of a symbol; -1 if the entry has none of that name.
    int64_t symbolNumber(::llvm::StringRef name);
  }];
}

def Rt_VariantOp : Rt_Op<"variant", [HasParent<"EntryOp">, SingleBlock]> {
  let summary = "The body of an entry for a range of its symbols";
  let description = [{
    The first variant of an entry whose bounds hold is run. Its block takes the
    event that starts it.

    (C1) the block takes one event and ends in rt.return. (C2) bounds are of the
    entry's symbols.
  }];
  let arguments = (ins StrAttr:$name, Rt_Symbols:$bounds);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$name `where` $bounds attr-dict-with-keyword $body";
  let hasVerifier = 1;
}

def Rt_BufferKind : I32EnumAttr<"BufferKind", "whose memory a buffer is", [
    I32EnumAttrCase<"Argument", 0, "argument">,
    I32EnumAttrCase<"Result", 1, "result">,
    I32EnumAttrCase<"Parameter", 2, "parameter">,
    I32EnumAttrCase<"Prepared", 3, "prepared">,
    I32EnumAttrCase<"Constant", 4, "constant">,
    I32EnumAttrCase<"Temporary", 5, "temporary">,
    I32EnumAttrCase<"State", 6, "state">]> {
  let cppNamespace = "::tenon::ir::rt";
}

def Rt_BufferOp : Rt_Op<"buffer", [
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Memory";
  let description = [{
    Names memory that is there (the caller's, the model's, a constant's) or asks
    for some: a temporary, which holds nothing at first and lives as long as it
    is used.

    ```mlir
    %x = rt.buffer argument(0) : !rt.buffer<tensor<4xf32>>
    %w = rt.buffer parameter of @w : !rt.buffer<tensor<4xf32>>
    %k = rt.buffer constant = dense<1.0> : tensor<4xf32> : !rt.buffer<tensor<4xf32>>
    %t = rt.buffer temporary "rms_norm" : !rt.buffer<tensor<4xf32>>
    ```
    (C1) an argument or a result, and no other, has an index, which is below the
    entry's number of them. (C2) a parameter, a prepared value or a state, and
    no other, names what it is of: a `tn.parameter`, one with `tn.prepared`, a
    `tn.state`. (C3) a constant, and no other, has a value of its type. (C4) a
    dynamic axis has a symbol of the entry. (C5) a cache is a
    state.
  }];
  let arguments = (ins Rt_BufferKind:$kind, OptionalAttr<I64Attr>:$index,
      OptionalAttr<FlatSymbolRefAttr>:$global,
      OptionalAttr<ElementsAttr>:$value, OptionalAttr<StrAttr>:$label);
  let results = (outs Rt_Buffer:$buffer);
  let assemblyFormat = [{
    $kind (`(` $index^ `)`)? (`of` $global^)? (`=` $value^)? ($label^)?
    attr-dict `:` type($buffer)
  }];
  let hasVerifier = 1;
}

include "ir/rt/RtOps.td"

#endif // RT
