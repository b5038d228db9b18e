//===- Passes.td - The contract of every pass -----------------------------===//

#ifndef TENON_PASSES
#define TENON_PASSES

include "mlir/Pass/PassBase.td"

def OutlineLayers : Pass<"tn-outline-layers", "::mlir::ModuleOp"> {
  let summary = "Keeps one function for equal layers";
  let description = [{
    Before:  call @layer.0(%x, %w0)        After:  call @layer.0(%x, %w0)
             call @layer.1(%y, %w1)                call @layer.0(%y, %w1)

    Two private functions are equal if they differ in names and locations only.
    Needs: layers traced as private functions.  Ensures: no two private functions
    are equal; none is unused.
  }];
  let dependentDialects = ["::mlir::func::FuncDialect"];
}

def PackWeights : Pass<"tn-pack-weights", "::mlir::ModuleOp"> {
  let summary = "Gives weights that matmuls read the panel layout, once";
  let description = [{
    Before:  %w = tn.get_parameter @w        After:  %p = tn.get_parameter @w.packed
             %y = tn.matmul %x, %w                   %y = tn.matmul %x, %p

    and `@prepare` computes `@w.packed` by `tn.pack`. Other uses of the weight
    (an embedding's gather) read the packed form too, so that one layout serves
    all entries and the file's pages can be released.

    Needs: weights reach matmuls through calls' arguments only.
    Ensures: a 2-D parameter that is a matmul's transposed right operand is
    packed, in every function, unless something that reads no panels reads it or
    shares a function's argument with it; `@prepare` exists if anything is.
  }];
  let dependentDialects = ["::tenon::ir::TnDialect", "::mlir::func::FuncDialect"];
}

def Specialize : Pass<"tn-specialize", "::mlir::ModuleOp"> {
  let summary = "Narrows the symbols of a function and its callees";
  let description = [{
    Before:  symbol T in 1..512, tensor<?x8xf32, #tn.dims<T, 8>>
    After (bounds T = 1..1):  tensor<1x8xf32>

    A symbol of one value disappears from types; another has its bounds narrowed.
    Needs: a module made for one variant.  Ensures: every function declares the
    narrowed symbols.
  }];
  let options = [
    ListOption<"bounds", "bounds", "std::string",
               "symbol=min..max, for each symbol to narrow">,
  ];
  let dependentDialects = ["::tenon::ir::TnDialect"];
}

def Fuse : Pass<"tn-fuse", "::mlir::func::FuncOp"> {
  let summary = "Groups ops into kernels";
  let description = [{
    Before:  %h = tn.rms_norm %x, %w       After:  %y = tn.kernel(%x, %w, %r) {
             %y = tn.add %h, %r                      %h = tn.rms_norm ...
                                                     %s = tn.add %h, ...
                                                     tn.yield %s }

    Vertical: pointwise ops join the matmul or the rows that make their operands;
    row ops join rows over the same leading axes; views and constants are copied
    into each user. Horizontal: independent nests of one kind become one kernel,
    one fork-join. `label` and `not_fused` of each kernel state the decisions.

    Needs: calls are allowed and stay.  Ensures: every op that computes lies in a
    kernel; kernels are in an order of their dependences.
  }];
  let dependentDialects = ["::tenon::ir::TnDialect"];
}

def AttachSchedules : Pass<"tn-attach-schedules", "::mlir::func::FuncOp"> {
  let summary = "Asks the target for each kernel's schedules";
  let description = [{
    Needs: kernels.  Ensures: every nest has a #tn.schedule; later passes and
    emitters read it and decide nothing.
  }];
  let constructor = "::tenon::passes::createAttachSchedules({})";
  let dependentDialects = ["::tenon::ir::TnDialect"];
}

#endif // TENON_PASSES
