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

// -----

// A weight is rounded by the products that it is the right factor of, and is
// changed after them.
// CHECK-LABEL: @rounded
// CHECK: tn.kernel(%arg0, %arg1)
// CHECK: tn.cast %{{.*}} : tensor<8x8xf32> -> tensor<8x8xbf16>
// CHECK: tn.matmul
// CHECK: {label = "cast+matmul"
// CHECK: tn.kernel(%arg1)
// CHECK: {label = "neg+overwrite"
func.func @rounded(%x: tensor<8x8xbf16>, %w: tensor<8x8xf32>)
    -> (tensor<8x8xf32>, tensor<8x8xf32>) {
  %r = tn.cast %w : tensor<8x8xf32> -> tensor<8x8xbf16>
  %y = tn.matmul %x, %r {transpose_b}
      : tensor<8x8xbf16>, tensor<8x8xbf16> -> tensor<8x8xf32>
  %n = tn.neg %w : tensor<8x8xf32>
  %o = tn.overwrite %w, %n : tensor<8x8xf32>
  return %y, %o : tensor<8x8xf32>, tensor<8x8xf32>
}

// -----

// Its own product does not change it meanwhile.
// CHECK-LABEL: @rounded_and_changed
// CHECK: {label = "cast+matmul+add"
// CHECK: {label = "overwrite"
func.func @rounded_and_changed(%x: tensor<8x8xbf16>, %w: tensor<8x8xf32>)
    -> tensor<8x8xf32> {
  %r = tn.cast %w : tensor<8x8xf32> -> tensor<8x8xbf16>
  %y = tn.matmul %x, %r {transpose_b}
      : tensor<8x8xbf16>, tensor<8x8xbf16> -> tensor<8x8xf32>
  %s = tn.add %y, %w : tensor<8x8xf32>
  %o = tn.overwrite %w, %s : tensor<8x8xf32>
  return %o : tensor<8x8xf32>
}

// -----

// Declines: a left factor, and what something else reads.
// CHECK-LABEL: @not_rounded
// CHECK: label = "cast | cast"
// CHECK: label = "matmul | matmul"
func.func @not_rounded(%x: tensor<8x8xf32>, %w: tensor<8x8xf32>)
    -> (tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xbf16>) {
  %a = tn.cast %x : tensor<8x8xf32> -> tensor<8x8xbf16>
  %b = tn.cast %w : tensor<8x8xf32> -> tensor<8x8xbf16>
  %y = tn.matmul %a, %a {transpose_b}
      : tensor<8x8xbf16>, tensor<8x8xbf16> -> tensor<8x8xf32>
  %z = tn.matmul %a, %b
      : tensor<8x8xbf16>, tensor<8x8xbf16> -> tensor<8x8xf32>
  return %y, %z, %b : tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xbf16>
}
