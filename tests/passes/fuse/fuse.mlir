// RUN: tenon-opt %s --split-input-file --tn-fuse | FileCheck %s

// Vertical. Pointwise and row ops over the same rows are one nest, whose
// intermediate values are not results; inputs are the kernel's operands.
// CHECK-LABEL: @norm_chain
// CHECK: %[[K:.*]] = tn.kernel(%arg0, %arg1, %arg2) : (tensor<4x8xf32>, tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
// CHECK: ^bb0(%[[X:.*]]: tensor<4x8xf32>, %[[R:.*]]: tensor<4x8xf32>, %[[W:.*]]: tensor<8xf32>):
// CHECK: %[[S:.*]] = tn.add %[[X]], %[[R]]
// CHECK: %[[N:.*]] = tn.rms_norm %[[S]], %[[W]]
// CHECK: %[[Y:.*]] = tn.silu %[[N]]
// CHECK: tn.yield %[[Y]] : tensor<4x8xf32>
// CHECK: {label = "add+rms_norm+silu"}
// CHECK: return %[[K]]
func.func @norm_chain(%x: tensor<4x8xf32>, %r: tensor<4x8xf32>,
    %w: tensor<8xf32>) -> tensor<4x8xf32> {
  %s = tn.add %x, %r : tensor<4x8xf32>
  %n = tn.rms_norm %s, %w eps 1.0e-6 : tensor<4x8xf32>, tensor<8xf32>
  %y = tn.silu %n : tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

// A nest has a result for each of its values that is read after it: the
// residual and its norm.
// CHECK-LABEL: @several_results
// CHECK: %[[K:.*]]:2 = tn.kernel(%arg0, %arg1, %arg2)
// CHECK: %[[S:.*]] = tn.add
// CHECK: %[[N:.*]] = tn.rms_norm %[[S]]
// CHECK: tn.yield %[[S]], %[[N]] : tensor<4x8xf32>, tensor<4x8xf32>
// CHECK: return %[[K]]#1, %[[K]]#0
func.func @several_results(%x: tensor<4x8xf32>, %r: tensor<4x8xf32>,
    %w: tensor<8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %s = tn.add %x, %r : tensor<4x8xf32>
  %n = tn.rms_norm %s, %w eps 1.0e-6 : tensor<4x8xf32>, tensor<8xf32>
  return %n, %s : tensor<4x8xf32>, tensor<4x8xf32>
}

// -----

// The epilogue of a gated matmul: both products, of one tile, are one nest.
// CHECK-LABEL: @gate_up
// CHECK: tn.kernel(%arg0, %arg1, %arg2)
// CHECK-NEXT: ^bb0
// CHECK-NEXT: %[[G:.*]] = tn.matmul
// CHECK-NEXT: %[[U:.*]] = tn.matmul
// CHECK-NEXT: %[[A:.*]] = tn.silu %[[G]]
// CHECK-NEXT: %[[Y:.*]] = tn.mul %[[A]], %[[U]]
// CHECK-NEXT: tn.yield %[[Y]]
// CHECK-NEXT: {label = "matmul+matmul+silu+mul"}
// CHECK-NOT: tn.kernel
func.func @gate_up(%x: tensor<4x8xf32>, %g: tensor<16x8xf32>,
    %u: tensor<16x8xf32>) -> tensor<4x16xf32> {
  %0 = tn.matmul %x, %g {transpose_b}
      : tensor<4x8xf32>, tensor<16x8xf32> -> tensor<4x16xf32>
  %1 = tn.silu %0 : tensor<4x16xf32>
  %2 = tn.matmul %x, %u {transpose_b}
      : tensor<4x8xf32>, tensor<16x8xf32> -> tensor<4x16xf32>
  %3 = tn.mul %1, %2 : tensor<4x16xf32>
  return %3 : tensor<4x16xf32>
}

// -----

// Products of different left operands are two tiles: the consumer joins one.
// CHECK-LABEL: @other_tile
// CHECK: label = "matmul"
// CHECK: label = "matmul+mul"
// CHECK-SAME: not_fused = ["mul: joins one of its producers only"]
// CHECK-NOT: tn.kernel
func.func @other_tile(%x: tensor<4x8xf32>, %z: tensor<4x8xf32>,
    %g: tensor<16x8xf32>) -> tensor<4x16xf32> {
  %0 = tn.matmul %x, %g {transpose_b}
      : tensor<4x8xf32>, tensor<16x8xf32> -> tensor<4x16xf32>
  %1 = tn.matmul %z, %g {transpose_b}
      : tensor<4x8xf32>, tensor<16x8xf32> -> tensor<4x16xf32>
  %2 = tn.mul %0, %1 : tensor<4x16xf32>
  return %2 : tensor<4x16xf32>
}

// -----

// A bias (a matmul's own operand, or one that is broadcast) and a residual are
// added in the epilogue. A splat is copied into the nest.
// CHECK-LABEL: @bias_residual
// CHECK: tn.kernel(%arg0, %arg1, %arg2, %arg3)
// CHECK: ^bb0(%[[X:.*]]: tensor<4x8xf32>, %[[W:.*]]: tensor<16x8xf32>, %[[B:.*]]: tensor<16xf32>, %[[R:.*]]: tensor<4x16xf32>)
// CHECK-DAG: tn.matmul %[[X]], %[[W]] bias %[[B]]
// CHECK-DAG: tn.broadcast %[[B]]
// CHECK-DAG: tn.constant dense<2.0
// CHECK: tn.yield
// CHECK: {label = "matmul+add+mul+add"}
// CHECK-NOT: tn.kernel
func.func @bias_residual(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>,
    %b: tensor<16xf32>, %r: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %two = tn.constant dense<2.0> : tensor<4x16xf32>
  %0 = tn.matmul %x, %w bias %b {transpose_b} : tensor<4x8xf32>,
      tensor<16x8xf32>, tensor<16xf32> -> tensor<4x16xf32>
  %1 = tn.broadcast %b : tensor<16xf32> -> tensor<4x16xf32>
  %2 = tn.add %0, %1 : tensor<4x16xf32>
  %3 = tn.mul %2, %two : tensor<4x16xf32>
  %4 = tn.add %3, %r : tensor<4x16xf32>
  return %4 : tensor<4x16xf32>
}

// -----

// Horizontal. Independent nests of one kind are one kernel with a region each;
// the norm they read is computed once, before.
// CHECK-LABEL: @qkv
// CHECK: %[[N:.*]] = tn.kernel(%arg0, %arg1)
// CHECK: label = "rms_norm"
// CHECK: %[[K:.*]]:3 = tn.kernel(%[[N]], %arg2, %arg3, %arg4)
// CHECK: tn.matmul
// CHECK: }, {
// CHECK: tn.matmul
// CHECK: }, {
// CHECK: tn.matmul
// CHECK: {label = "matmul | matmul | matmul", not_fused = ["matmul: reads the rows of rms_norm once for each tile, so they are computed before"]}
// CHECK: return %[[K]]#0, %[[K]]#1, %[[K]]#2
func.func @qkv(%x: tensor<4x8xf32>, %n: tensor<8xf32>, %wq: tensor<16x8xf32>,
    %wk: tensor<4x8xf32>, %wv: tensor<4x8xf32>)
    -> (tensor<4x16xf32>, tensor<4x4xf32>, tensor<4x4xf32>) {
  %h = tn.rms_norm %x, %n eps 1.0e-6 : tensor<4x8xf32>, tensor<8xf32>
  %q = tn.matmul %h, %wq {transpose_b}
      : tensor<4x8xf32>, tensor<16x8xf32> -> tensor<4x16xf32>
  %k = tn.matmul %h, %wk {transpose_b}
      : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<4x4xf32>
  %v = tn.matmul %h, %wv {transpose_b}
      : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<4x4xf32>
  return %q, %k, %v : tensor<4x16xf32>, tensor<4x4xf32>, tensor<4x4xf32>
}

// -----

// Nests of two kinds are two kernels; those of one kind are one.
// CHECK-LABEL: @kinds
// CHECK: label = "matmul"
// CHECK: label = "neg"
// CHECK: label = "pack | pack"
// CHECK-NOT: tn.kernel
func.func @kinds(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>)
    -> (tensor<4x16xf32>, tensor<4x8xf32>, tensor<16x8xf32, #tn.panels<32>>,
        tensor<4x8xf32, #tn.panels<32>>) {
  %0 = tn.matmul %x, %w {transpose_b}
      : tensor<4x8xf32>, tensor<16x8xf32> -> tensor<4x16xf32>
  %1 = tn.neg %x : tensor<4x8xf32>
  %2 = tn.pack %w : tensor<16x8xf32> -> tensor<16x8xf32, #tn.panels<32>>
  %3 = tn.pack %x : tensor<4x8xf32> -> tensor<4x8xf32, #tn.panels<32>>
  return %0, %1, %2, %3 : tensor<4x16xf32>, tensor<4x8xf32>,
      tensor<16x8xf32, #tn.panels<32>>, tensor<4x8xf32, #tn.panels<32>>
}

// -----

// Declines: a norm needs whole rows, of which a matmul's tile has a part.
// CHECK-LABEL: @norm_after_matmul
// CHECK: label = "matmul"
// CHECK: label = "rms_norm"
// CHECK-SAME: not_fused = ["rms_norm after matmul: needs whole rows, a matmul tile has a part"]
func.func @norm_after_matmul(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>,
    %n: tensor<16xf32>) -> tensor<4x16xf32> {
  %0 = tn.matmul %x, %w {transpose_b}
      : tensor<4x8xf32>, tensor<16x8xf32> -> tensor<4x16xf32>
  %1 = tn.rms_norm %0, %n eps 1.0e-6 : tensor<4x16xf32>, tensor<16xf32>
  return %1 : tensor<4x16xf32>
}

// -----

// Declines: rows of other numbers (transposed), rows as another op's weights,
// and an op that sorts.
// CHECK-LABEL: @other_rows
// CHECK: label = "neg"
// CHECK: label = "mul", not_fused = ["mul after neg: works on other rows"]
// CHECK: label = "top_k", not_fused = ["top_k: reads whole rows of memory"]
// CHECK: label = "exp", not_fused = ["exp after top_k: the producer is a kernel of its own"]
func.func @other_rows(%x: tensor<4x4xf32>)
    -> (tensor<4x2xf32>, tensor<4x2xi32>) {
  %0 = tn.neg %x : tensor<4x4xf32>
  %1 = tn.transpose %0 [1, 0] : tensor<4x4xf32> -> tensor<4x4xf32>
  %2 = tn.mul %1, %x : tensor<4x4xf32>
  %3, %4 = tn.top_k %2 k 2
      : tensor<4x4xf32> -> tensor<4x2xf32>, tensor<4x2xi32>
  %5 = tn.exp %3 : tensor<4x2xf32>
  return %5, %4 : tensor<4x2xf32>, tensor<4x2xi32>
}

// -----

// Declines a cycle: the sum could be in the norm's nest, but its other operand
// comes from that nest by way of a matmul. It is the matmul's epilogue instead.
// CHECK-LABEL: @epilogue_instead
// CHECK: %[[N:.*]] = tn.kernel(%arg0, %arg2)
// CHECK: label = "rms_norm"
// CHECK: tn.kernel(%[[N]], %arg1)
// CHECK: label = "matmul+add"
// CHECK-NOT: tn.kernel
func.func @epilogue_instead(%x: tensor<8x8xf32>, %w: tensor<8x8xf32>,
    %n: tensor<8xf32>) -> tensor<8x8xf32> {
  %0 = tn.rms_norm %x, %n eps 1.0e-6 : tensor<8x8xf32>, tensor<8xf32>
  %1 = tn.matmul %0, %w {transpose_b}
      : tensor<8x8xf32>, tensor<8x8xf32> -> tensor<8x8xf32>
  %2 = tn.add %0, %1 : tensor<8x8xf32>
  return %2 : tensor<8x8xf32>
}

// -----

// The same where no epilogue is possible: a nest of its own.
// CHECK-LABEL: @waits_for_itself
// CHECK: label = "rms_norm"
// CHECK: label = "top_k"
// CHECK: label = "add"
// CHECK-SAME: not_fused = ["add after top_k: the producer is a kernel of its own", "add: would wait for itself"]
// CHECK-NOT: tn.kernel
func.func @waits_for_itself(%x: tensor<4x8xf32>, %n: tensor<8xf32>)
    -> tensor<4x8xf32> {
  %0 = tn.rms_norm %x, %n eps 1.0e-6 : tensor<4x8xf32>, tensor<8xf32>
  %1, %2 = tn.top_k %0 k 8
      : tensor<4x8xf32> -> tensor<4x8xf32>, tensor<4x8xi32>
  %3 = tn.add %0, %1 : tensor<4x8xf32>
  return %3 : tensor<4x8xf32>
}

// -----

// Views are copied into each nest that reads them, and a splat into each; the
// kernel reads the memory behind them. Nothing is left of them outside.
// CHECK-LABEL: @views
// CHECK-NEXT: tn.kernel(%arg0)
// CHECK-NEXT: ^bb0(%[[X:.*]]: tensor<4x16xf32>)
// CHECK-DAG: %[[A:.*]] = tn.slice %[[X]] axis 1 from 0 size 8
// CHECK-DAG: %[[B:.*]] = tn.slice %[[X]] axis 1 from 8 size 8
// CHECK: tn.mul %[[A]], %[[B]]
// CHECK: tn.constant dense<3.0
// CHECK: label = "mul+add"
// CHECK: tn.kernel(%arg0, %arg1)
// CHECK: tn.slice %{{.*}} axis 1 from 0 size 8
// CHECK: tn.matmul
// CHECK: tn.constant
// CHECK: label = "matmul+mul"
// CHECK: return
func.func @views(%x: tensor<4x16xf32>, %w: tensor<8x8xf32>)
    -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %c = tn.constant dense<3.0> : tensor<4x8xf32>
  %a = tn.slice %x axis 1 from 0 size 8 : tensor<4x16xf32> -> tensor<4x8xf32>
  %b = tn.slice %x axis 1 from 8 size 8 : tensor<4x16xf32> -> tensor<4x8xf32>
  %0 = tn.mul %a, %b : tensor<4x8xf32>
  %1 = tn.add %0, %c : tensor<4x8xf32>
  %2 = tn.matmul %a, %w {transpose_b}
      : tensor<4x8xf32>, tensor<8x8xf32> -> tensor<4x8xf32>
  %3 = tn.mul %2, %c : tensor<4x8xf32>
  return %1, %3 : tensor<4x8xf32>, tensor<4x8xf32>
}

// -----

// A reshape of memory is the same memory: it stays outside, and the kernel
// takes the reshaped value. Constants that are no splat, and parameters, are
// operands too.
// CHECK-LABEL: @reshaped
// CHECK-DAG: %[[R:.*]] = tn.reshape %arg0
// CHECK-DAG: %[[P:.*]] = tn.get_parameter @p
// CHECK-DAG: %[[C:.*]] = tn.constant dense<[1.0
// CHECK: %[[K:.*]] = tn.kernel(
// CHECK-DAG: %[[R]]
// CHECK: label = "rms_norm+rms_norm"
// CHECK: %[[Y:.*]] = tn.reshape %[[K]]
// CHECK: return %[[Y]]
tn.parameter @p : tensor<4xf32>
func.func @reshaped(%x: tensor<2x8xf32>) -> tensor<2x8xf32> {
  %c = tn.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %p = tn.get_parameter @p : tensor<4xf32>
  %0 = tn.reshape %x : tensor<2x8xf32> -> tensor<4x4xf32>
  %1 = tn.rms_norm %0, %c eps 1.0e-6 : tensor<4x4xf32>, tensor<4xf32>
  %2 = tn.rms_norm %1, %p eps 1.0e-6 : tensor<4x4xf32>, tensor<4xf32>
  %3 = tn.reshape %2 : tensor<4x4xf32> -> tensor<2x8xf32>
  return %3 : tensor<2x8xf32>
}

// -----

// A view that a function returns, or that an op without a kernel reads, is made
// by a nest of its own; a view of it is copied there. A returned reshape is
// none: it is memory.
// CHECK-LABEL: @returned_view
// CHECK: %[[K:.*]] = tn.kernel(%arg0)
// CHECK: %[[S:.*]] = tn.slice
// CHECK: %[[T:.*]] = tn.transpose %[[S]]
// CHECK: tn.yield %[[T]] : tensor<2x4xf32>
// CHECK: label = "transpose"
// CHECK: %[[R:.*]] = tn.reshape %arg0
// CHECK: return %[[K]], %[[R]]
func.func @returned_view(%x: tensor<4x8xf32>)
    -> (tensor<2x4xf32>, tensor<32xf32>) {
  %s = tn.slice %x axis 1 from 2 size 2 : tensor<4x8xf32> -> tensor<4x2xf32>
  %t = tn.transpose %s [1, 0] : tensor<4x2xf32> -> tensor<2x4xf32>
  %r = tn.reshape %x : tensor<4x8xf32> -> tensor<32xf32>
  return %t, %r : tensor<2x4xf32>, tensor<32xf32>
}

// -----

// Calls, branches, loops and streaming are no kernels and keep their order,
// though nothing makes them depend on each other. Their blocks are fused.
// CHECK-LABEL: @host_ops
// CHECK: tn.emit
// CHECK: call @helper
// CHECK: tn.if
// CHECK: tn.kernel
// CHECK: label = "neg"
// CHECK: } else {
// CHECK: tn.while
// CHECK: tn.kernel
// CHECK: label = "compare"
// CHECK: } do {
// CHECK: tn.kernel
// CHECK: label = "add"
// CHECK: tn.emit
// CHECK: return
func.func @host_ops(%m: tensor<1xi32>, %t: tensor<i32>, %c: tensor<i1>,
    %x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<i32>) {
  %e0 = tn.emit %m : tensor<1xi32> -> tensor<i1>
  %0 = call @helper(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = tn.if %c : tensor<i1> -> (tensor<4xf32>) {
    %n = tn.neg %x : tensor<4xf32>
    tn.yield %n : tensor<4xf32>
  } else {
    tn.yield %x : tensor<4xf32>
  }
  %one = tn.constant dense<1> : tensor<i32>
  %2 = tn.while limit 9 (%t : tensor<i32>) {
  ^bb0(%j: tensor<i32>):
    %p = tn.compare lt %j, %t : tensor<i32> -> tensor<i1>
    tn.yield %p : tensor<i1>
  } do {
  ^bb0(%j: tensor<i32>):
    %k = tn.add %j, %one : tensor<i32>
    tn.yield %k : tensor<i32>
  } -> tensor<i32>
  %e1 = tn.emit %m : tensor<1xi32> -> tensor<i1>
  return %0, %1, %2 : tensor<4xf32>, tensor<4xf32>, tensor<i32>
}
func.func private @helper(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}

// -----

// Declines: an operand that is in its place in the nest, and one that views it
// in another order. The first alone would let the op join.
// CHECK-LABEL: @transposed_sum
// CHECK: label = "neg"
// CHECK: label = "add", not_fused = ["add after neg: works on other rows"]
func.func @transposed_sum(%x: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %a = tn.neg %x : tensor<4x4xf32>
  %t = tn.transpose %a [1, 0] : tensor<4x4xf32> -> tensor<4x4xf32>
  %c = tn.add %a, %t : tensor<4x4xf32>
  return %c : tensor<4x4xf32>
}

// -----

// The same in the epilogue of a matmul: a tile has no other tile's elements.
// CHECK-LABEL: @transposed_epilogue
// CHECK: label = "matmul"
// CHECK: label = "add", not_fused = ["add after matmul: needs whole rows, a matmul tile has a part"]
func.func @transposed_epilogue(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>)
    -> tensor<4x4xf32> {
  %a = tn.matmul %x, %w : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  %t = tn.transpose %a [1, 0] : tensor<4x4xf32> -> tensor<4x4xf32>
  %c = tn.add %a, %t : tensor<4x4xf32>
  return %c : tensor<4x4xf32>
}

// -----

// What could not join its producer does not share its nest later either: one
// product is the other's weight, one nest is read in another order.
// CHECK-LABEL: @not_merged
// CHECK: label = "matmul+silu"
// CHECK: label = "matmul+add"
// CHECK-SAME: "add: joins one of its producers only"
// CHECK-LABEL: @rows_not_merged
// CHECK: label = "neg"
// CHECK: label = "mul+add"
// CHECK-SAME: "add: joins one of its producers only"
func.func @not_merged(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>)
    -> tensor<4x4xf32> {
  %a = tn.matmul %x, %w : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  %s = tn.silu %a : tensor<4x4xf32>
  %b = tn.matmul %x, %s : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  %c = tn.add %a, %b : tensor<4x4xf32>
  return %c : tensor<4x4xf32>
}
func.func @rows_not_merged(%x: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %a = tn.neg %x : tensor<4x4xf32>
  %t = tn.transpose %a [1, 0] : tensor<4x4xf32> -> tensor<4x4xf32>
  %b = tn.mul %t, %x : tensor<4x4xf32>
  %c = tn.add %a, %b : tensor<4x4xf32>
  return %c : tensor<4x4xf32>
}

// -----

// A row's mean, given back to the row by views, keeps the row's nest.
// CHECK-LABEL: @centred
// CHECK: label = "neg+reduce+sub"
// CHECK-NOT: tn.kernel
func.func @centred(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %a = tn.neg %x : tensor<4x8xf32>
  %m = tn.reduce max %a : tensor<4x8xf32> -> tensor<4xf32>
  %r = tn.reshape %m : tensor<4xf32> -> tensor<4x1xf32>
  %b = tn.broadcast %r : tensor<4x1xf32> -> tensor<4x8xf32>
  %y = tn.sub %a, %b : tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

// A view that is returned, of a nest that also reads it: the nest copies it,
// and another makes it, so neither waits for itself.
// CHECK-LABEL: @view_of_own_nest
// CHECK: %[[A:.*]]:2 = tn.kernel(%arg0)
// CHECK: label = "neg+exp"
// CHECK: %[[V:.*]] = tn.kernel(%[[A]]#0)
// CHECK: label = "slice"
// CHECK: return %[[V]], %[[A]]#1
func.func @view_of_own_nest(%x: tensor<4x4xf32>)
    -> (tensor<4x2xf32>, tensor<4x2xf32>) {
  %a = tn.neg %x : tensor<4x4xf32>
  %v = tn.slice %a axis 1 from 0 size 2 : tensor<4x4xf32> -> tensor<4x2xf32>
  %e = tn.exp %v : tensor<4x2xf32>
  return %v, %e : tensor<4x2xf32>, tensor<4x2xf32>
}

// -----

// @prepare runs once: its kernels are not joined, and equal ones are compiled
// once.
// CHECK-LABEL: @prepare
// CHECK: label = "pack"}
// CHECK: label = "pack"}
func.func @prepare() -> (tensor<16x8xf32, #tn.panels<32>>,
    tensor<16x8xf32, #tn.panels<32>>) {
  %v = tn.get_parameter @v : tensor<16x8xf32>
  %w = tn.get_parameter @w : tensor<16x8xf32>
  %0 = tn.pack %v : tensor<16x8xf32> -> tensor<16x8xf32, #tn.panels<32>>
  %1 = tn.pack %w : tensor<16x8xf32> -> tensor<16x8xf32, #tn.panels<32>>
  return %0, %1 : tensor<16x8xf32, #tn.panels<32>>,
      tensor<16x8xf32, #tn.panels<32>>
}
tn.parameter @v : tensor<16x8xf32>
tn.parameter @w : tensor<16x8xf32>

// -----

// Caches are changed in place: who reads one does so before it changes, though
// no value leads from the reader to the change.
// CHECK-LABEL: @reads_before_the_change
// CHECK: tn.attention
// CHECK: tn.kernel
// CHECK: tn.cache_append
// CHECK: return
func.func @reads_before_the_change(%q: tensor<2x1x8xf32>,
    %k: !tn.cache<keys, 1 x 8 x f32>, %v: !tn.cache<values, 1 x 8 x f32>,
    %b: !tn.batch) -> (tensor<2x8xf32>, !tn.cache<keys, 1 x 8 x f32>,
    !tn.cache<values, 1 x 8 x f32>) attributes {tn.symbols = []} {
  %x = tn.neg %q : tensor<2x1x8xf32>
  %y = tn.attention %x, %k, %v, %b scale 1.0 : tensor<2x1x8xf32>,
      !tn.cache<keys, 1 x 8 x f32>, !tn.cache<values, 1 x 8 x f32> -> tensor<2x1x8xf32>
  %k1 = tn.cache_append %k, %x, %b
      : !tn.cache<keys, 1 x 8 x f32>, tensor<2x1x8xf32>
  %r = tn.reshape %y : tensor<2x1x8xf32> -> tensor<2x8xf32>
  return %r, %k1, %v : tensor<2x8xf32>, !tn.cache<keys, 1 x 8 x f32>,
      !tn.cache<values, 1 x 8 x f32>
}

// -----

// A product by a matrix for each leading axis and one by a matrix for all of
// them read theirs differently: two tiles.
// CHECK-LABEL: @batched_beside_shared
// CHECK: label = "matmul"
// CHECK: label = "matmul+add"
// CHECK-SAME: "add: joins one of its producers only"
func.func @batched_beside_shared(%x: tensor<2x4x8xf32>, %w: tensor<8x16xf32>,
    %u: tensor<2x8x16xf32>) -> tensor<2x4x16xf32> {
  %0 = tn.matmul %x, %w
      : tensor<2x4x8xf32>, tensor<8x16xf32> -> tensor<2x4x16xf32>
  %1 = tn.matmul %x, %u
      : tensor<2x4x8xf32>, tensor<2x8x16xf32> -> tensor<2x4x16xf32>
  %2 = tn.add %0, %1 : tensor<2x4x16xf32>
  return %2 : tensor<2x4x16xf32>
}
