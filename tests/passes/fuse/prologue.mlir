// RUN: tenon-opt %s --split-input-file --tn-fuse | FileCheck %s

// Decoding's norm of one row joins the row load of each matmul that reads it,
// since they have few columns.
// CHECK-LABEL: @prologue
// CHECK: tn.kernel(%arg0, %arg1, %arg2, %arg3)
// CHECK: tn.rms_norm
// CHECK: tn.matmul
// CHECK: tn.rms_norm
// CHECK: tn.matmul
// CHECK: {label = "rms_norm+matmul | rms_norm+matmul"}
// CHECK-NOT: tn.kernel
func.func @prologue(%x: tensor<1x8xf32>, %n: tensor<8xf32>,
    %wq: tensor<16x8xf32>, %wk: tensor<4x8xf32>)
    -> (tensor<1x16xf32>, tensor<1x4xf32>) {
  %h = tn.rms_norm %x, %n eps 1.0e-6 : tensor<1x8xf32>, tensor<8xf32>
  %q = tn.matmul %h, %wq {transpose_b}
      : tensor<1x8xf32>, tensor<16x8xf32> -> tensor<1x16xf32>
  %k = tn.matmul %h, %wk {transpose_b}
      : tensor<1x8xf32>, tensor<4x8xf32> -> tensor<1x4xf32>
  return %q, %k : tensor<1x16xf32>, tensor<1x4xf32>
}

// -----

// Declines: a norm that something else reads, and matmuls of many columns.
// CHECK-LABEL: @no_prologue
// CHECK: label = "rms_norm | rms_norm+silu"
// CHECK: label = "matmul | matmul"
func.func @no_prologue(%x: tensor<1x8xf32>, %n: tensor<8xf32>,
    %wide: tensor<4096x8xf32>, %w: tensor<4x8xf32>)
    -> (tensor<1x4096xf32>, tensor<1x4xf32>, tensor<1x8xf32>) {
  %g = tn.rms_norm %x, %n eps 1.0e-6 : tensor<1x8xf32>, tensor<8xf32>
  %h = tn.rms_norm %x, %n eps 1.0e-5 : tensor<1x8xf32>, tensor<8xf32>
  %0 = tn.matmul %g, %wide {transpose_b}
      : tensor<1x8xf32>, tensor<4096x8xf32> -> tensor<1x4096xf32>
  %1 = tn.matmul %h, %w {transpose_b}
      : tensor<1x8xf32>, tensor<4x8xf32> -> tensor<1x4xf32>
  %2 = tn.silu %h : tensor<1x8xf32>
  return %0, %1, %2 : tensor<1x4096xf32>, tensor<1x4xf32>, tensor<1x8xf32>
}
