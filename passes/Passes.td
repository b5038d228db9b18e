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

def Differentiate : Pass<"tn-differentiate", "::mlir::ModuleOp"> {
  let summary = "Makes gradients functions of their own";
  let description = [{
    Before:  %l, %g = tn.gradient     After:  %l, %r = call @loss.fwd(%x, %w)
             @loss(%x, %w) wrt [1]            %g = call @loss.bwd(%x, %r, %one)

    Reverse mode: each op builds its adjoint (`DifferentiableOp`), a function that
    is called has a forward half, which returns what its backward half reads of it
    (residuals), and a branch is run again on the way back. A function with
    `tn.adjoint = @g` has the adjoint
    @g(arguments, results, gradients of float results) -> gradients of float
    arguments. With `tn.forward = @h`, too, @h is called in its place where its
    gradients are asked, and what it returns beyond the function's results is
    handed to the adjoint after them. tn.stop_gradient is left out.

    Gradients of a value with several uses are added from the last use to the
    first. Nothing that the forward half computes changes by a bit.

    Needs: no caches in what is differentiated.  Ensures: no tn.gradient and no
    tn.stop_gradient; a function called with equal requests has one adjoint.
  }];
  let options = [Option<"checkpoint", "checkpoint", "std::string", "\"none\"",
                        "what is computed again on the way back: none (views), "
                        "selective (pointwise ops, norms and rotations too), or "
                        "layer (all that a called function keeps)">];
  let dependentDialects = ["::tenon::ir::TnDialect", "::mlir::func::FuncDialect"];
}

def ChooseComputeTypes : Pass<"tn-choose-compute-types", "::mlir::ModuleOp"> {
  let summary = "Rounds or quantises the activations that meet weights";
  let description = [{
    Before:  %y = tn.matmul %x, %w        After:  %q = tn.quantize %x
                                                  %y = tn.matmul %q, %w

    with activations=q8, where %w is blocked; with activations=bf16 a tn.cast,
    where %w is bf16; with f32 nothing changes. The only pass that changes
    results: each change is a remark.

    Needs: nothing.  Ensures: with q8, no matmul of a blocked weight has a plain
    left operand, but those with transpose_a; with bf16, none of a bf16 weight
    has one of another type.
  }];
  let options = [Option<"activations", "activations", "std::string", "\"f32\"",
                        "f32: as the model computes them; bf16; q8: q8_0, or q8_k "
                        "where they meet q4_k, q5_k or q6_k">];
  let dependentDialects = ["::tenon::ir::TnDialect"];
}

def NarrowProducts : Pass<"tn-narrow-products", "::mlir::ModuleOp"> {
  let summary = "Multiplies in bf16 what is kept in f32";
  let description = [{
    Before:  %y = tn.matmul %x, %w        After:  %x16 = tn.cast %x
                                                  %w16 = tn.cast %w
                                                  %y = tn.matmul %x16, %w16

    in a module with tn.compute = "bf16", for f32 factors: of a model's products
    and of their gradients. Sums and results stay f32, as does everything else:
    weights that are trained, norms, softmax, losses, gradients, optimisers.
    Tensors of tokens that cross a call and are then only rounded cross it in bf16:
    what is kept for the way back takes half the memory. Weights cross as they are;
    `tn-fuse` gives their casts to the products. Changes results, by these roundings
    alone: each product is a remark.

    Needs: no tn.gradient.  Ensures: no matmul has an f32 factor beside one of f32
    or bf16; a function has the same casts whichever entry calls it.
  }];
  let dependentDialects = ["::tenon::ir::TnDialect", "::mlir::func::FuncDialect"];
}

def PackWeights : Pass<"tn-pack-weights", "::mlir::ModuleOp"> {
  let summary = "Gives weights that matmuls read the panel layout, once";
  let description = [{
    Before:  %w = tn.get_parameter @w        After:  %w = tn.get_parameter @w
                                                     %p = tn.pack %w
             %y = tn.matmul %x, %w                   %y = tn.matmul %x, %p

    Other uses of the weight (an embedding's gather, a gradient's product over the
    rows of a blocked weight) read the packed form too, so that one layout serves all entries and the file's pages can be released.

    Needs: weights reach matmuls through calls' arguments only.
    Ensures: a 2-D parameter that is a matmul's transposed right operand is
    packed where it is read, unless something that reads no panels reads it or
    shares a function's argument with it.
  }];
  let dependentDialects = ["::tenon::ir::TnDialect", "::mlir::func::FuncDialect"];
}

def HoistPrepared : Pass<"tn-hoist-prepared", "::mlir::ModuleOp"> {
  let summary = "Computes what depends on weights alone once, in @prepare";
  let description = [{
    Before:  %w = tn.get_parameter @w        After:  %v = tn.get_parameter
             %v = tn.add %w, %one                        @w.prepared
             call @layer(%x, %v)                     call @layer(%x, %v)

    and `@prepare`, run when a session opens, returns `@w.prepared`. What a layer
    computes from its arguments is first moved to its callers, if all of them
    pass it weights. Not moved: views, which cost nothing, and what takes more
    than 64 KiB more memory than it is computed from (an unpacked weight); packed
    weights always are.

    Needs: no @prepare.  Ensures: the result of @prepare with number
    `tn.prepared` is the parameter of that attribute; @prepare exists if any does.
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

def PlanExpertDispatch : Pass<"tn-plan-expert-dispatch", "::mlir::func::FuncOp"> {
  let summary = "Chooses how many rows of an expert are multiplied together";
  let description = [{
    Before:  %y = tn.grouped_matmul    After:  %y = tn.grouped_matmul %x, %w, %o
             %x, %w, %o                        {tn.rows_together = 4 : i64}

    1 multiplies each row alone, which reads an expert's weight for each of its
    rows and multiplies nothing in vain; more take tiles of a group's rows, which
    read it once and fill up its last tile. The cheaper by bytes and multiply-adds,
    for the most rows that the variant has and experts of one probability.

    Needs: symbols narrowed to the variant.  Ensures: every tn.grouped_matmul has
    tn.rows_together.
  }];
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
    into each user, as is a norm of one row that only matmuls of few columns
    read, and a weight's rounding to bf16 that only matmuls read, on the right. Horizontal: independent nests of one kind become one kernel,
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
