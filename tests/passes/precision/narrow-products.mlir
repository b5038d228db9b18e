// RUN: tenon-opt %s --tn-narrow-products --split-input-file --verify-diagnostics | FileCheck %s

!x = tensor<?x8xf32, #tn.dims<T, 8>>
!t = tensor<8x?xf32, #tn.dims<8, T>>
!w = tensor<8x8xf32>

module attributes {tn.compute = "bf16"} {
// Sums, results and what is added to them stay f32; a factor of bf16 is left.
// CHECK-LABEL: @product
// CHECK-SAME: (%[[X:.*]]: tensor<4x32xf32>, %[[W:.*]]: tensor<8x32xf32>, %[[V:.*]]: tensor<8x32xbf16>)
// CHECK: %[[X16:.*]] = tn.cast %[[X]] : tensor<4x32xf32> -> tensor<4x32xbf16>
// CHECK: %[[W16:.*]] = tn.cast %[[W]] : tensor<8x32xf32> -> tensor<8x32xbf16>
// CHECK: tn.matmul %[[X16]], %[[W16]] {transpose_b} : {{.*}} -> tensor<4x8xf32>
// CHECK: %[[AGAIN:.*]] = tn.cast %[[X]]
// CHECK: tn.matmul %[[AGAIN]], %[[V]] {transpose_b}
func.func @product(%x: tensor<4x32xf32>, %w: tensor<8x32xf32>,
    %v: tensor<8x32xbf16>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %y = tn.matmul %x, %w {transpose_b} : tensor<4x32xf32>, tensor<8x32xf32>
      -> tensor<4x8xf32>
  %z = tn.matmul %x, %v {transpose_b} : tensor<4x32xf32>, tensor<8x32xbf16>
      -> tensor<4x8xf32>
  return %y, %z : tensor<4x8xf32>, tensor<4x8xf32>
}

// Other factors stay: blocks, f16, integers.
// CHECK-LABEL: @others
// CHECK-NOT: tn.cast
// CHECK: return
func.func @others(%x: tensor<4x32xf32>, %q: tensor<8x32x!tn.block<q4_0>>,
    %h: tensor<8x32xf16>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %y = tn.matmul %x, %q {transpose_b} : tensor<4x32xf32>,
      tensor<8x32x!tn.block<q4_0>> -> tensor<4x8xf32>
  %z = tn.matmul %x, %h {transpose_b} : tensor<4x32xf32>, tensor<8x32xf16>
      -> tensor<4x8xf32>
  return %y, %z : tensor<4x8xf32>, tensor<4x8xf32>
}

// What products alone read of a result is returned rounded, views are moved
// behind that. A weight, of static shape, is passed as it is.
// CHECK-LABEL: func.func private @layer
// CHECK-SAME: (%[[X:.*]]: tensor<?x8xf32, {{.*}}>, %[[W:.*]]: tensor<8x8xf32>) -> (tensor<?x8xf32, {{.*}}>, tensor<?x8xbf16, {{.*}}>, tensor<?x8xf32, {{.*}}>)
// CHECK: %[[H:.*]] = tn.neg %[[X]]
// CHECK: %[[H16:.*]] = tn.cast %[[H]]
// CHECK: %[[W16:.*]] = tn.cast %[[W]]
// CHECK: %[[Y:.*]] = tn.matmul %[[H16]], %[[W16]] {transpose_b}
// CHECK: %[[R16:.*]] = tn.cast %[[H]]
// CHECK: return %[[Y]], %[[R16]], %[[H]]
func.func private @layer(%x: !x, %w: !w) -> (!x, !x, !x)
    attributes {tn.symbols = [#tn.symbol<"T", 1 to 9>]} {
  %h = tn.neg %x : !x
  %y = tn.matmul %h, %w {transpose_b} : !x, !w -> !x
  return %y, %h, %h : !x, !x, !x
}
// CHECK-LABEL: func.func private @back
// CHECK-SAME: (%[[H:.*]]: tensor<?x8xbf16, {{.*}}>, %[[F:.*]]: tensor<?x8xf32, {{.*}}>) -> tensor<8x8xf32>
// CHECK-NOT: tn.cast %[[H]]
// CHECK: %[[R:.*]] = tn.transpose %[[H]]
// CHECK: %[[F16:.*]] = tn.cast %[[F]]
// CHECK: tn.matmul %[[R]], %[[F16]] {{.*}} -> tensor<8x8xf32>
func.func private @back(%h: !x, %f: !x) -> !w
    attributes {tn.symbols = [#tn.symbol<"T", 1 to 9>]} {
  %r = tn.transpose %h [1, 0] : !x -> !t
  %e = tn.exp %f : !x
  %d = tn.matmul %r, %f : !t, !x -> !w
  %g = tn.matmul %r, %e : !t, !x -> !w
  %s = tn.add %d, %g : !w
  return %s : !w
}
// CHECK-LABEL: @step
// CHECK-SAME: (%[[X:.*]]: tensor<?x8xf32, {{.*}}>, %[[W:.*]]: tensor<8x8xf32>)
// CHECK: %[[Y:.*]]:3 = call @layer(%[[X]], %[[W]])
// CHECK: call @back(%[[Y]]#1, %[[Y]]#2)
func.func @step(%x: !x, %w: !w) -> (!x, !w, !x)
    attributes {tn.symbols = [#tn.symbol<"T", 1 to 9>]} {
  %y, %h, %f = call @layer(%x, %w) : (!x, !w) -> (!x, !x, !x)
  %g = call @back(%h, %f) : (!x, !x) -> !w
  return %y, %g, %f : !x, !w, !x
}
}

// -----

// CHECK-LABEL: module attributes {tn.compute = "f32"}
module attributes {tn.compute = "f32"} {
// CHECK-NOT: tn.cast
func.func @product(%x: tensor<4x32xf32>, %w: tensor<8x32xf32>)
    -> tensor<4x8xf32> {
  %y = tn.matmul %x, %w {transpose_b} : tensor<4x32xf32>, tensor<8x32xf32>
      -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}
}

// -----

// expected-error @below {{expects tn.compute of f32 or bf16, got "f16"}}
module attributes {tn.compute = "f16"} {}
