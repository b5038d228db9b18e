// RUN: tenon-opt %s --tn-fuse | FileCheck %s

// Attention reads the cache before it is changed, though its queries are a view
// of what another kernel makes.
// CHECK-LABEL: @reads_then_changes
// CHECK: label = "silu"
// CHECK: tn.reshape
// CHECK: tn.kernel
// CHECK: tn.attention
// CHECK: tn.kernel
// CHECK: tn.cache_append
!keys = !tn.cache<keys, 1 x 8 x f32>
!values = !tn.cache<values, 1 x 8 x f32>
func.func @reads_then_changes(%x: tensor<4x8xf32>, %k: !keys, %v: !values,
    %b: !tn.batch, %n: tensor<4x1x8xf32>) -> (tensor<4x1x8xf32>, !keys) {
  %s = tn.silu %x : tensor<4x8xf32>
  %q = tn.reshape %s : tensor<4x8xf32> -> tensor<4x1x8xf32>
  %y = tn.attention %q, %k, %v, %b scale 0.5
      : tensor<4x1x8xf32>, <keys, 1 x 8 x f32>, !values -> tensor<4x1x8xf32>
  %c = tn.cache_append %k, %n, %b : <keys, 1 x 8 x f32>, tensor<4x1x8xf32>
  return %y, %c : tensor<4x1x8xf32>, !keys
}
