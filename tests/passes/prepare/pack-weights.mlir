// RUN: tenon-opt %s --split-input-file --tn-pack-weights | FileCheck %s

// A weight that a matmul reads transposed, through calls, is packed where it is
// read: every argument it reaches and an embedding's gather have the packed
// form. A blocked weight is packed as it is stored.
// CHECK-LABEL: @entry
// CHECK: %[[E:.*]] = tn.get_parameter @embedding : tensor<16x32xf32>
// CHECK: %[[EP:.*]] = tn.pack %[[E]] : tensor<16x32xf32> -> tensor<16x32xf32, #tn.panels<[[LANES:[0-9]+]]>>
// CHECK: %[[N:.*]] = tn.get_parameter @norm : tensor<32xf32>
// CHECK: %[[G:.*]] = tn.get_parameter @gate
// CHECK: %[[GP:.*]] = tn.pack %[[G]]
// CHECK: tn.gather %[[EP]]
// CHECK: call @layer(%{{.*}}, %[[N]], %[[GP]])
// CHECK-SAME: tensor<16x32x!tn.block<q8_0>, #tn.panels<[[LANES]]>>
// CHECK: tn.matmul %{{.*}}, %[[EP]] {transpose_b}
// CHECK: func.func private @layer(
// CHECK-SAME: %arg2: tensor<16x32x!tn.block<q8_0>, #tn.panels<[[LANES]]>>
// CHECK: tn.matmul %{{.*}}, %arg2 {transpose_b}
tn.parameter @embedding : tensor<16x32xf32>
tn.parameter @norm : tensor<32xf32>
tn.parameter @gate : tensor<16x32x!tn.block<q8_0>> from "blk.0.gate"
func.func @entry(%i: tensor<4xi32>) -> (tensor<4x16xf32>, tensor<4x16xf32>) {
  %e = tn.get_parameter @embedding : tensor<16x32xf32>
  %n = tn.get_parameter @norm : tensor<32xf32>
  %g = tn.get_parameter @gate : tensor<16x32x!tn.block<q8_0>>
  %x = tn.gather %e, %i : tensor<16x32xf32>, tensor<4xi32> -> tensor<4x32xf32>
  %h = call @layer(%x, %n, %g) : (tensor<4x32xf32>, tensor<32xf32>,
      tensor<16x32x!tn.block<q8_0>>) -> tensor<4x16xf32>
  %y = tn.matmul %x, %e {transpose_b}
      : tensor<4x32xf32>, tensor<16x32xf32> -> tensor<4x16xf32>
  return %h, %y : tensor<4x16xf32>, tensor<4x16xf32>
}
func.func private @layer(%x: tensor<4x32xf32>, %n: tensor<32xf32>,
    %g: tensor<16x32x!tn.block<q8_0>>) -> tensor<4x16xf32> {
  %h = tn.rms_norm %x, %n eps 1.0e-6 : tensor<4x32xf32>, tensor<32xf32>
  %y = tn.matmul %h, %g {transpose_b}
      : tensor<4x32xf32>, tensor<16x32x!tn.block<q8_0>> -> tensor<4x16xf32>
  return %y : tensor<4x16xf32>
}

// -----

// A gradient's product over the rows of a blocked weight reads the panels that
// the forward product has; one over those of a plain weight reads none.
// CHECK-LABEL: @gradient
// CHECK: %[[W:.*]] = tn.get_parameter @frozen
// CHECK: %[[WP:.*]] = tn.pack %[[W]]
// CHECK-NOT: tn.pack
// CHECK: %[[Y:.*]] = tn.matmul %{{.*}}, %[[WP]] {transpose_b}
// CHECK: tn.matmul %[[Y]], %[[WP]] :
tn.parameter @frozen : tensor<16x32x!tn.block<q8_0>>
tn.parameter @trained : tensor<16x32xf32>
func.func @gradient(%x: tensor<4x32xf32>)
    -> (tensor<4x32xf32>, tensor<4x32xf32>) {
  %f = tn.get_parameter @frozen : tensor<16x32x!tn.block<q8_0>>
  %t = tn.get_parameter @trained : tensor<16x32xf32>
  %0 = tn.matmul %x, %f {transpose_b} : tensor<4x32xf32>,
      tensor<16x32x!tn.block<q8_0>> -> tensor<4x16xf32>
  %1 = tn.matmul %0, %f : tensor<4x16xf32>, tensor<16x32x!tn.block<q8_0>>
      -> tensor<4x32xf32>
  %2 = tn.matmul %x, %t {transpose_b} : tensor<4x32xf32>, tensor<16x32xf32>
      -> tensor<4x16xf32>
  %3 = tn.matmul %2, %t : tensor<4x16xf32>, tensor<16x32xf32>
      -> tensor<4x32xf32>
  return %1, %3 : tensor<4x32xf32>, tensor<4x32xf32>
}

// -----

// Declines: a weight that is not transposed, one that
// only a gather reads, and one that an op without panels reads in any function.
// CHECK-NOT: tn.pack{{ }}
tn.parameter @plain : tensor<32x16xf32>
tn.parameter @table : tensor<16x32xf32>
tn.parameter @shared : tensor<16x32xf32>
func.func @declines(%x: tensor<4x32xf32>, %i: tensor<4xi32>)
    -> (tensor<4x16xf32>, tensor<4x32xf32>, tensor<4x16xf32>) {
  %p = tn.get_parameter @plain : tensor<32x16xf32>
  %t = tn.get_parameter @table : tensor<16x32xf32>
  %s = tn.get_parameter @shared : tensor<16x32xf32>
  %0 = tn.matmul %x, %p : tensor<4x32xf32>, tensor<32x16xf32>
      -> tensor<4x16xf32>
  %1 = tn.gather %t, %i : tensor<16x32xf32>, tensor<4xi32> -> tensor<4x32xf32>
  %2 = tn.matmul %x, %s {transpose_b}
      : tensor<4x32xf32>, tensor<16x32xf32> -> tensor<4x16xf32>
  return %0, %1, %2 : tensor<4x16xf32>, tensor<4x32xf32>, tensor<4x16xf32>
}
func.func @other() -> tensor<16x32xf32> {
  %s = tn.get_parameter @shared : tensor<16x32xf32>
  %y = tn.neg %s : tensor<16x32xf32>
  return %y : tensor<16x32xf32>
}

// -----

// Declines: both operands of one matmul, and a batch of matrices.
// CHECK-NOT: tn.pack
tn.parameter @square : tensor<16x16xf32>
tn.parameter @experts : tensor<2x16x32xf32>
func.func @not_weights(%x: tensor<2x4x32xf32>)
    -> (tensor<16x16xf32>, tensor<2x4x16xf32>) {
  %s = tn.get_parameter @square : tensor<16x16xf32>
  %e = tn.get_parameter @experts : tensor<2x16x32xf32>
  %0 = tn.matmul %s, %s {transpose_b}
      : tensor<16x16xf32>, tensor<16x16xf32> -> tensor<16x16xf32>
  %1 = tn.matmul %x, %e {transpose_b}
      : tensor<2x4x32xf32>, tensor<2x16x32xf32> -> tensor<2x4x16xf32>
  return %0, %1 : tensor<16x16xf32>, tensor<2x4x16xf32>
}

// -----

// A layer that two weights reach: if one of them cannot be packed (a tied copy
// read as it is stored), the layer's argument cannot be either.
// CHECK-LABEL: @tied
// CHECK-NOT: tn.pack
tn.parameter @a : tensor<16x32xf32>
tn.parameter @b : tensor<16x32xf32>
func.func @tied(%x: tensor<4x32xf32>)
    -> (tensor<4x16xf32>, tensor<4x16xf32>, tensor<16x32xf32>) {
  %a = tn.get_parameter @a : tensor<16x32xf32>
  %b = tn.get_parameter @b : tensor<16x32xf32>
  %0 = call @project(%x, %a) : (tensor<4x32xf32>, tensor<16x32xf32>)
      -> tensor<4x16xf32>
  %1 = call @project(%x, %b) : (tensor<4x32xf32>, tensor<16x32xf32>)
      -> tensor<4x16xf32>
  %2 = tn.neg %b : tensor<16x32xf32>
  return %0, %1, %2 : tensor<4x16xf32>, tensor<4x16xf32>, tensor<16x32xf32>
}
func.func private @project(%x: tensor<4x32xf32>, %w: tensor<16x32xf32>)
    -> tensor<4x16xf32> {
  %y = tn.matmul %x, %w {transpose_b}
      : tensor<4x32xf32>, tensor<16x32xf32> -> tensor<4x16xf32>
  return %y : tensor<4x16xf32>
}
