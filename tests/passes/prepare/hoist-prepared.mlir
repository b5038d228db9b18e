// RUN: tenon-opt %s --split-input-file --tn-hoist-prepared | FileCheck %s

// What a layer computes from a weight is computed once: each caller's weight
// gets a parameter of its own, and the layer's unused argument is gone.
// CHECK: tn.parameter @norm0.prepared : tensor<8xf32> {tn.prepared = 0 : i64}
// CHECK: tn.parameter @norm1.prepared : tensor<8xf32> {tn.prepared = 1 : i64}
// CHECK-LABEL: @entry
// CHECK: %[[N0:.*]] = tn.get_parameter @norm0.prepared
// CHECK: %[[H:.*]] = call @layer(%arg0, %[[N0]])
// CHECK: %[[N1:.*]] = tn.get_parameter @norm1.prepared
// CHECK: call @layer(%[[H]], %[[N1]])
// CHECK: func.func private @layer(%[[X:.*]]: tensor<4x8xf32>, %[[W:.*]]: tensor<8xf32>)
// CHECK-NOT: tn.add
// CHECK: tn.rms_norm %[[X]], %[[W]]
// CHECK: func.func @prepare() -> (tensor<8xf32>, tensor<8xf32>)
// CHECK: %[[RAW:.*]] = tn.get_parameter @norm0 : tensor<8xbf16>
// CHECK: %[[CAST:.*]] = tn.cast %[[RAW]]
// CHECK: %[[SUM:.*]] = tn.add %[[CAST]]
// CHECK: return %[[SUM]],
tn.parameter @norm0 : tensor<8xbf16>
tn.parameter @norm1 : tensor<8xbf16>
func.func @entry(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %n0 = tn.get_parameter @norm0 : tensor<8xbf16>
  %n1 = tn.get_parameter @norm1 : tensor<8xbf16>
  %h = call @layer(%x, %n0) : (tensor<4x8xf32>, tensor<8xbf16>)
      -> tensor<4x8xf32>
  %y = call @layer(%h, %n1) : (tensor<4x8xf32>, tensor<8xbf16>)
      -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}
func.func private @layer(%x: tensor<4x8xf32>, %n: tensor<8xbf16>)
    -> tensor<4x8xf32> {
  %one = tn.constant dense<1.0> : tensor<8xf32>
  %f = tn.cast %n : tensor<8xbf16> -> tensor<8xf32>
  %w = tn.add %f, %one : tensor<8xf32>
  %y = tn.rms_norm %x, %w eps 1.0e-6 : tensor<4x8xf32>, tensor<8xf32>
  return %y : tensor<4x8xf32>
}

// -----

// Two entries that compute the same share it, and one @prepare; a pack is
// prepared however large it is.
// CHECK: tn.parameter @w.packed : tensor<16x32xf32, #tn.panels<32>> {tn.prepared = 0 : i64}
// CHECK-LABEL: @prefill
// CHECK: tn.get_parameter @w.packed
// CHECK-LABEL: @decode
// CHECK: tn.get_parameter @w.packed
// CHECK-LABEL: @prepare
// CHECK-COUNT-1: tn.pack
// CHECK-NOT: tn.pack
tn.parameter @w : tensor<16x32xf32>
func.func @prefill(%x: tensor<4x32xf32>) -> tensor<4x16xf32> {
  %w = tn.get_parameter @w : tensor<16x32xf32>
  %p = tn.pack %w : tensor<16x32xf32> -> tensor<16x32xf32, #tn.panels<32>>
  %y = tn.matmul %x, %p {transpose_b} : tensor<4x32xf32>,
      tensor<16x32xf32, #tn.panels<32>> -> tensor<4x16xf32>
  return %y : tensor<4x16xf32>
}
func.func @decode(%x: tensor<1x32xf32>) -> tensor<1x16xf32> {
  %w = tn.get_parameter @w : tensor<16x32xf32>
  %p = tn.pack %w : tensor<16x32xf32> -> tensor<16x32xf32, #tn.panels<32>>
  %y = tn.matmul %x, %p {transpose_b} : tensor<1x32xf32>,
      tensor<16x32xf32, #tn.panels<32>> -> tensor<1x16xf32>
  return %y : tensor<1x16xf32>
}

// -----

// A value and what is computed from it are both read: @prepare computes both
// from the weight, since it has no prepared value to read.
// CHECK-LABEL: @both_are_read
// CHECK-DAG: tn.get_parameter @c.prepared
// CHECK-DAG: tn.get_parameter @c.prepared1
// CHECK-LABEL: func.func @prepare()
// CHECK-NOT: .prepared
// CHECK: tn.mul
// CHECK-NOT: .prepared
// CHECK: return
tn.parameter @c : tensor<8xf32>
func.func @both_are_read(%x: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>) {
  %c = tn.get_parameter @c : tensor<8xf32>
  %n = tn.neg %c : tensor<8xf32>
  %s = tn.mul %n, %n : tensor<8xf32>
  %0 = tn.add %x, %n : tensor<8xf32>
  %1 = tn.add %x, %s : tensor<8xf32>
  return %0, %1 : tensor<8xf32>, tensor<8xf32>
}

// -----

// Declines: a layer's argument that some call passes no weight, an unpacked
// weight (it would take more memory), and a view of one (it costs nothing).
// CHECK-NOT: prepare
tn.parameter @n : tensor<8xf32>
tn.parameter @q : tensor<256x512x!tn.block<q4_0>>
tn.parameter @t : tensor<8x4xf32>
func.func @declines(%x: tensor<4x8xf32>, %v: tensor<8xf32>)
    -> (tensor<4x8xf32>, tensor<4x8xf32>, tensor<256x512xf32>,
        tensor<4x8xf32>) {
  %n = tn.get_parameter @n : tensor<8xf32>
  %q = tn.get_parameter @q : tensor<256x512x!tn.block<q4_0>>
  %t = tn.get_parameter @t : tensor<8x4xf32>
  %0 = call @scale(%x, %n) : (tensor<4x8xf32>, tensor<8xf32>)
      -> tensor<4x8xf32>
  %1 = call @scale(%x, %v) : (tensor<4x8xf32>, tensor<8xf32>)
      -> tensor<4x8xf32>
  %2 = tn.unpack %q : tensor<256x512x!tn.block<q4_0>> -> tensor<256x512xf32>
  %3 = tn.transpose %t [1, 0] : tensor<8x4xf32> -> tensor<4x8xf32>
  %4 = tn.add %x, %3 : tensor<4x8xf32>
  return %0, %1, %2, %4 : tensor<4x8xf32>, tensor<4x8xf32>,
      tensor<256x512xf32>, tensor<4x8xf32>
}
func.func private @scale(%x: tensor<4x8xf32>, %n: tensor<8xf32>)
    -> tensor<4x8xf32> {
  %w = tn.neg %n : tensor<8xf32>
  %y = tn.rms_norm %x, %w eps 1.0e-6 : tensor<4x8xf32>, tensor<8xf32>
  return %y : tensor<4x8xf32>
}
