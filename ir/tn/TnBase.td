//===- TnBase.td - The dialect, its types, attributes and base classes ----===//

#ifndef TN_BASE
#define TN_BASE

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/TensorEncoding.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Tn_Dialect : Dialect {
  let name = "tn";
  let cppNamespace = "::tenon::ir";
  let summary = "What a model means";
  let description = [{
    Tensors with symbolic dimensions, blocked element types, caches and
    batches as values, and one op for each idea of a model. `ir/README.md` is
    the specification; every op has an executable definition (`evaluate`).
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let hasConstantMaterializer = 1;
  let hasOperationAttrVerify = 1;
  let dependentDialects = ["::mlir::func::FuncDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect"];
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

class Tn_Type<string name, string typeMnemonic>
    : TypeDef<Tn_Dialect, name> {
  let mnemonic = typeMnemonic;
}

def Tn_BlockType : Tn_Type<"Block", "block"> {
  let summary = "An element type stored in blocks along the last axis";
  let description = [{
    `!tn.block<q8_0>`: the layouts of `runtime/base/Blocks.h`, which defines
    them. A tensor of them has logical shapes; its last axis is a multiple of
    the elements of a block.
  }];
  let parameters = (ins "::tenon::base::ElementType":$format);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def Tn_BatchType : Tn_Type<"Batch", "batch"> {
  let summary = "Which sequence and position each token of a ragged batch has";
  let description = [{
    For tokens [T] of S sequences: `sequence` i32[T], `position` i32[T] and the
    block table `pages` i32[S, P], the cache page of each run of page-many
    positions. Only rope, attention, caches and sampling look at it.
  }];
}

def Tn_CacheLayout : I32EnumAttr<"CacheLayout", "which axis lies in the lanes",
    [I32EnumAttrCase<"Keys", 0, "keys">, I32EnumAttrCase<"Values", 1, "values">]> {
  let cppNamespace = "::tenon::ir";
  let genSpecializedAttr = 0;
}

def Tn_CacheType : Tn_Type<"Cache", "cache"> {
  let summary = "A paged cache of rows [heads, width], one for each position";
  let description = [{
    `!tn.cache<keys, 4 x 256 x f16>`. Memory is pages of `pageBlocks` blocks of
    64 positions. A block of layout `keys` is [heads][width][64], of layout
    `values` [heads][64][width]. A cache is used linearly: a value has at most
    one use that changes it, and no use after that one (verified).

    Of element type `!tn.block<q8_0>`, 32 elements of a row have one scale; the
    width is a multiple of 32. Each head of a block is its quants, i8 laid out
    as above, and then its scales, f16: [width/32][64] of keys, [64][width/32]
    of values.
  }];
  let parameters = (ins EnumParameter<Tn_CacheLayout>:$layout, "int64_t":$heads,
                        "int64_t":$width, "::mlir::Type":$elementType);
  let assemblyFormat = "`<` $layout `,` $heads `x` $width `x` $elementType `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Whether elements are 8-bit integers with a scale for each block of them.
    bool isQuantized() const;
    /// The element type of the rows that are appended.
    ::mlir::Type getRowElement() const;
    /// The bytes of one head of a block of 64 positions.
    int64_t headBytes() const;
    /// Where the scales of a head of a block of q8_0 start, in bytes.
    int64_t scalesOffset() const;
  }];
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

class Tn_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<Tn_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

def Tn_DimsAttr : Tn_Attr<"Dims", "dims",
    [DeclareAttrInterfaceMethods<VerifiableTensorEncoding>]> {
  let summary = "The symbols of a tensor's dynamic axes";
  let description = [{
    The encoding of `tensor<?x640xf32, #tn.dims<T, 640>>`: a symbol for every
    dynamic axis, the extent itself for a static one. Equal symbols are equal
    extents within a function. A tensor without dynamic axes has no encoding.

    (C1) one entry for each axis. (C2) a symbol where the axis is dynamic, its
    extent where it is static. (C3) at least one symbol.
  }];
  let parameters = (ins ArrayRefParameter<"::mlir::Attribute">:$dims);
  let hasCustomAssemblyFormat = 1;
}

def Tn_PanelsAttr : Tn_Attr<"Panels", "panels",
    [DeclareAttrInterfaceMethods<VerifiableTensorEncoding>]> {
  let summary = "The packed layout of weights [N, K]: rows in the lanes";
  let description = [{
    The encoding of a packed weight. `lanes` rows of the weight form a panel, so
    that a matmul over k reads one contiguous stream. The byte layout is defined
    in `ir/tn/Panels.h`; logically the tensor is unchanged. Of weights [E, N, K]
    each matrix is packed as if it were alone, one after the other.

    (C1) lanes >= 1. (C2) the tensor is of rank 2 or 3 and static.
  }];
  let parameters = (ins "int64_t":$lanes);
  let assemblyFormat = "`<` $lanes `>`";
}

def Tn_SymbolAttr : Tn_Attr<"Symbol", "symbol"> {
  let summary = "A symbol of a function: bounds of a dynamic extent";
  let description = [{
    `#tn.symbol<"T", 1 to 512 by 16>`, an element of a function's `tn.symbols`.
    The verifier of that attribute checks the function as a whole:

    (C1) names are unique. (C2) 0 <= min <= max. (C3) divisor >= 1. (C4) every
    dynamic axis of a tensor in the function has a symbol, and it is declared.
    (C5) caches are used linearly (`ir/tn/Linear.h`). (C6) a blocked tensor has
    whole blocks along its last axis.
  }];
  let parameters = (ins "::mlir::StringAttr":$name, "int64_t":$min,
                        "int64_t":$max, DefaultValuedParameter<"int64_t", "1">:$divisor);
  let assemblyFormat = "`<` $name `,` $min `to` $max (`by` $divisor^)? `>`";
}

def Tn_NestKind : I32EnumAttr<"NestKind", "what a nest of a kernel iterates over",
    [I32EnumAttrCase<"Rows", 0, "rows">, I32EnumAttrCase<"Matmul", 1, "matmul">,
     I32EnumAttrCase<"Attention", 2, "attention">,
     I32EnumAttrCase<"Pack", 3, "pack">]> {
  let cppNamespace = "::tenon::ir";
  let genSpecializedAttr = 0;
}

def Tn_ScheduleAttr : Tn_Attr<"Schedule", "schedule"> {
  let summary = "How one nest of a kernel is cut into tiles and registers";
  let description = [{
    `#tn.schedule<matmul, tile = 16 x 512, registers = [3, 12, 12]>`

    A tile is what one call of the kernel computes: `tileRows` rows (tokens)
    by `tileCols` columns (0: all of them). `registerRows` is, for each feature
    set (v3, v4, v4-vnni), the rows held in registers. A result of at least
    `streamBytes` bytes (0, and not printed: none) is stored past the caches,
    `stream = 33554432`: whoever reads it would not find it there, and its lines
    are not read before they are overwritten. Schedules never change a result.

    (C1) streamBytes >= 0. (C2) only nests of rows have streamBytes > 0.
  }];
  let parameters = (ins EnumParameter<Tn_NestKind>:$kind, "int64_t":$tileRows,
                        "int64_t":$tileCols,
                        ArrayRefParameter<"int64_t">:$registerRows,
                        DefaultValuedParameter<"int64_t", "0">:$streamBytes);
  let builders = [AttrBuilder<(ins "NestKind":$kind, "int64_t":$tileRows,
      "int64_t":$tileCols, "::llvm::ArrayRef<int64_t>":$registerRows), [{
    return $_get($_ctxt, kind, tileRows, tileCols, registerRows, int64_t(0));
  }]>];
  let assemblyFormat = [{
    `<` $kind `,` `tile` `=` $tileRows `x` $tileCols `,`
        `registers` `=` custom<Registers>($registerRows)
        (`,` `stream` `=` $streamBytes^)? `>`
  }];
  let genVerifyDecl = 1;
}

//===----------------------------------------------------------------------===//
// Constraints and base classes
//===----------------------------------------------------------------------===//

def Tn_IsBlock : CPred<"::llvm::isa<::tenon::ir::BlockType>($_self)">;
def Tn_BlockElement : Type<Tn_IsBlock, "blocked element">;
def Tn_FloatElement : AnyTypeOf<[F32, F16, BF16]>;
def Tn_IntElement : AnyTypeOf<[I32, I64]>;

def Tn_Tensor : RankedTensorOf<[Tn_FloatElement, Tn_IntElement, I1, I8,
                                Tn_BlockElement]>;
def Tn_ValueTensor : RankedTensorOf<[Tn_FloatElement, Tn_IntElement, I1]>;
def Tn_PlainTensor : RankedTensorOf<[Tn_FloatElement, Tn_IntElement, I1, I8]>;
def Tn_FloatTensor : RankedTensorOf<[Tn_FloatElement]>;
def Tn_WeightTensor : RankedTensorOf<[Tn_FloatElement, Tn_BlockElement]>;
def Tn_FactorTensor : RankedTensorOf<[Tn_FloatElement, Tn_BlockElement, I8]>;
def Tn_ProductTensor : RankedTensorOf<[Tn_FloatElement, I32]>;
def Tn_IndexTensor : RankedTensorOf<[I32]>;
def Tn_BoolTensor : RankedTensorOf<[I1]>;
def Tn_NumberTensor : RankedTensorOf<[Tn_FloatElement, Tn_IntElement]>;

class Tn_Op<string opMnemonic, list<Trait> traits = []>
    : Op<Tn_Dialect, opMnemonic, traits> {
  // The C++ name of the DSL's function; empty where the DSL has none.
  string dslName = opMnemonic;
  // What that function must be told of the result: "shape", "dtype" or nothing.
  string dslResult = "";
}

#endif // TN_BASE
