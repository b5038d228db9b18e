// RUN: %test_op | FileCheck %s

// CHECK: @matmul contract: tensor<2x2xf32> [17, 23.5, 26, 28]
// CHECK: @matmul real: tensor<2x2xf32> [17, 23.5, 26, 28]
// CHECK: tn.matmul %{{.*}}, %{{.*}} bias %{{.*}} : tensor<2x3xf32>, tensor<3x2xf32>, tensor<2xf32> -> tensor<2x2xf32>
func.func @matmul(%a: tensor<2x3xf32>, %b: tensor<3x2xf32>, %c: tensor<2xf32>)
    -> tensor<2x2xf32>
    attributes {tn.test_inputs = [
        dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>,
        dense<[[1.0, 0.0], [0.0, 1.0], [2.0, 0.5]]> : tensor<3x2xf32>,
        dense<[10.0, 20.0]> : tensor<2xf32>]} {
  %y = tn.matmul %a, %b bias %c : tensor<2x3xf32>, tensor<3x2xf32>,
      tensor<2xf32> -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// -----

// CHECK: @transposed contract: tensor<3x3xf32> [1, 4, 4, 2, 5, 6.5, 3, 6, 9]
// CHECK: @transposed real: tensor<3x3xf32> [1, 4, 4, 2, 5, 6.5, 3, 6, 9]
// CHECK: tn.matmul %{{.*}}, %{{.*}} {transpose_a, transpose_b} : tensor<2x3xf32>, tensor<3x2xf32> -> tensor<3x3xf32>
func.func @transposed(%a: tensor<2x3xf32>, %b: tensor<3x2xf32>)
    -> tensor<3x3xf32>
    attributes {tn.test_inputs = [
        dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>,
        dense<[[1.0, 0.0], [0.0, 1.0], [2.0, 0.5]]> : tensor<3x2xf32>]} {
  %y = tn.matmul %a, %b {transpose_a, transpose_b}
      : tensor<2x3xf32>, tensor<3x2xf32> -> tensor<3x3xf32>
  return %y : tensor<3x3xf32>
}

// -----

// CHECK: @batched contract: tensor<2x1x1xf32> [3, 18]
// CHECK: @batched real: tensor<2x1x1xf32> [3, 18]
func.func @batched(%a: tensor<2x1x2xf32>, %b: tensor<2x2x1xf32>)
    -> tensor<2x1x1xf32>
    attributes {tn.test_inputs = [
        dense<[[[1.0, 2.0]], [[3.0, 4.0]]]> : tensor<2x1x2xf32>,
        dense<[[[1.0], [1.0]], [[2.0], [3.0]]]> : tensor<2x2x1xf32>]} {
  %y = tn.matmul %a, %b : tensor<2x1x2xf32>, tensor<2x2x1xf32>
      -> tensor<2x1x1xf32>
  return %y : tensor<2x1x1xf32>
}

// -----

// 2^24, 511 ones, -2^24: in ascending order every one is lost in 2^24. Real has them.
// CHECK: @order contract: tensor<1x1xf32> [0]
// CHECK: @order real: tensor<1x1xf32> [511]
func.func @order() -> tensor<1x1xf32>
    attributes {tn.test_inputs = []} {
  %i = tn.iota axis 1 : tensor<1x513xi32>
  %zero = tn.constant dense<0> : tensor<1x513xi32>
  %last = tn.constant dense<512> : tensor<1x513xi32>
  %one = tn.constant dense<1.0> : tensor<1x513xf32>
  %big = tn.constant dense<1.6777216e7> : tensor<1x513xf32>
  %minus = tn.constant dense<-1.6777216e7> : tensor<1x513xf32>
  %first = tn.compare eq %i, %zero : tensor<1x513xi32> -> tensor<1x513xi1>
  %end = tn.compare eq %i, %last : tensor<1x513xi32> -> tensor<1x513xi1>
  %a = tn.select %end, %minus, %one : tensor<1x513xi1>, tensor<1x513xf32>
  %x = tn.select %first, %big, %a : tensor<1x513xi1>, tensor<1x513xf32>
  %y = tn.matmul %x, %one {transpose_b} : tensor<1x513xf32>, tensor<1x513xf32>
      -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}

// -----

// Products are fused: only the product first rounded loses the difference.
// CHECK: @fused contract: tensor<1x1xf32> [-5.96046448e-08]
// CHECK: @fused contract: tensor<1x1xf32> [0]
// CHECK: @fused real: tensor<1x1xf32> [-5.96046448e-08]
// CHECK: @fused real: tensor<1x1xf32> [-5.96046448e-08]
func.func @fused(%a: tensor<1x2xf32>, %b: tensor<2x1xf32>)
    -> (tensor<1x1xf32>, tensor<1x1xf32>)
    attributes {tn.test_inputs = [
        dense<[[1.0, 1.000244140625]]> : tensor<1x2xf32>,
        dense<[[1.00048828125], [-1.000244140625]]> : tensor<2x1xf32>]} {
  %y0 = tn.matmul %a, %b : tensor<1x2xf32>, tensor<2x1xf32> -> tensor<1x1xf32>
  %s = tn.transpose %a [1, 0] : tensor<1x2xf32> -> tensor<2x1xf32>
  %p = tn.mul %s, %b : tensor<2x1xf32>
  %f = tn.reshape %p : tensor<2x1xf32> -> tensor<1x2xf32>
  %r = tn.reduce sum %f : tensor<1x2xf32> -> tensor<1xf32>
  %y1 = tn.reshape %r : tensor<1xf32> -> tensor<1x1xf32>
  return %y0, %y1 : tensor<1x1xf32>, tensor<1x1xf32>
}

// -----

// A blocked b means its unpacked values: d = 1 (f16 0x3C00), quants 1 and 2.
// CHECK: @blocked contract: tensor<1x2xf32> [32, 64]
// CHECK: @blocked real: tensor<1x2xf32> [32, 64]
module attributes {tn.test_parameters = {w = dense<[
    0, 60, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    0, 60, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]> : tensor<68xi8>}} {
  tn.parameter @w : tensor<2x32x!tn.block<q8_0>>
  func.func @blocked(%x: tensor<1x32xf32>) -> tensor<1x2xf32>
      attributes {tn.test_inputs = [dense<1.0> : tensor<1x32xf32>]} {
    %w = tn.get_parameter @w : tensor<2x32x!tn.block<q8_0>>
    %y = tn.matmul %x, %w {transpose_b}
        : tensor<1x32xf32>, tensor<2x32x!tn.block<q8_0>> -> tensor<1x2xf32>
    return %y : tensor<1x2xf32>
  }
}

// -----

// The same weight summed over its rows: 1 * 1 + 10 * 2 in each column.
// CHECK: @blocked_rows contract: tensor<1x1xf32> [21]
// CHECK: @blocked_rows real: tensor<1x1xf32> [21]
// CHECK: tn.matmul %{{.*}}, %{{.*}} : tensor<1x2xf32>, tensor<2x32x!tn.block<q8_0>> -> tensor<1x32xf32>
module attributes {tn.test_parameters = {w = dense<[
    0, 60, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    0, 60, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]> : tensor<68xi8>}} {
  tn.parameter @w : tensor<2x32x!tn.block<q8_0>>
  func.func @blocked_rows(%x: tensor<1x2xf32>) -> tensor<1x1xf32>
      attributes {tn.test_inputs = [
          dense<[[1.0, 10.0]]> : tensor<1x2xf32>]} {
    %w = tn.get_parameter @w : tensor<2x32x!tn.block<q8_0>>
    %y = tn.matmul %x, %w
        : tensor<1x2xf32>, tensor<2x32x!tn.block<q8_0>> -> tensor<1x32xf32>
    %c = tn.slice %y axis 1 from 31 size 1 : tensor<1x32xf32> -> tensor<1x1xf32>
    return %c : tensor<1x1xf32>
  }
}

// -----

func.func @matmul_c1(%a: tensor<2xf32>, %b: tensor<2x2xf32>) {
  // expected-error@+1 {{expects a of rank >= 2 and b of rank 2 or that of a}}
  %y = tn.matmul %a, %b : tensor<2xf32>, tensor<2x2xf32> -> tensor<2xf32>
  return
}

// -----

func.func @matmul_c2(%a: tensor<2x3xf32>, %b: tensor<4x2xf32>) {
  // expected-error@+1 {{expects axis 1 of a equal to axis 0 of b}}
  %y = tn.matmul %a, %b : tensor<2x3xf32>, tensor<4x2xf32> -> tensor<2x2xf32>
  return
}

// -----

func.func @matmul_c3(%a: tensor<2x2x3xf32>, %b: tensor<3x3x2xf32>) {
  // expected-error@+1 {{expects axis 0 of a equal to axis 0 of b}}
  %y = tn.matmul %a, %b : tensor<2x2x3xf32>, tensor<3x3x2xf32>
      -> tensor<2x2x2xf32>
  return
}

// -----

func.func @matmul_c4(%a: tensor<2x3xf32>, %b: tensor<3x2xf32>,
    %c: tensor<3xf32>) {
  // expected-error@+1 {{expects axis 0 of bias equal to axis 1 of b}}
  %y = tn.matmul %a, %b bias %c : tensor<2x3xf32>, tensor<3x2xf32>,
      tensor<3xf32> -> tensor<2x2xf32>
  return
}

// -----

func.func @matmul_c5_rows(%a: tensor<2x4xf32>, %b: tensor<4x16x!tn.block<q8_0>>) {
  // expected-error@+1 {{expects the last axis of b to be whole blocks of 32 elements}}
  %y = tn.matmul %a, %b : tensor<2x4xf32>, tensor<4x16x!tn.block<q8_0>>
      -> tensor<2x16xf32>
  return
}

// -----

func.func @matmul_c7_rows(%a: tensor<2x32x!tn.block<q8_0>>,
                          %b: tensor<32x32x!tn.block<q8_0>>) {
  // expected-error@+1 {{expects transpose_b with a blocked a}}
  %y = tn.matmul %a, %b : tensor<2x32x!tn.block<q8_0>>,
      tensor<32x32x!tn.block<q8_0>> -> tensor<2x32xf32>
  return
}

// -----

func.func @matmul_c5_blocks(%a: tensor<2x16xf32>,
    %b: tensor<4x16x!tn.block<q8_0>>) {
  // expected-error@+1 {{expects the last axis of b to be whole blocks of 32 elements}}
  %y = tn.matmul %a, %b {transpose_b}
      : tensor<2x16xf32>, tensor<4x16x!tn.block<q8_0>> -> tensor<2x4xf32>
  return
}

// -----

func.func @matmul_c6(%a: tensor<2x3xf32>, %b: tensor<3x2xf32>) {
  // expected-error@+1 {{expects y of type 'tensor<2x2xf32>', got 'tensor<2x3xf32>'}}
  %y = tn.matmul %a, %b : tensor<2x3xf32>, tensor<3x2xf32> -> tensor<2x3xf32>
  return
}

// -----

// Quants 1, 2 and 3, 1 with scales 0.5 and 2: (1 * 3 + 2 * 1) * 1.
// CHECK: @integers contract: tensor<1x1xf32> [5]
// CHECK: @integers real: tensor<1x1xf32> [5]
func.func @integers(%a: tensor<1x32x!tn.block<q8_0>>,
                    %b: tensor<1x32x!tn.block<q8_0>>) -> tensor<1x1xf32>
    attributes {tn.test_inputs = [
        dense<[0, 56, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]> : tensor<34xi8>,
        dense<[0, 64, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]> : tensor<34xi8>]} {
  %y = tn.matmul %a, %b {transpose_b} : tensor<1x32x!tn.block<q8_0>>,
      tensor<1x32x!tn.block<q8_0>> -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}

// -----

// With a minimum of 1 beside: 5 + 0.5 * (1 + 2) * 1. Quants 3 and 1 of q4_1 are
// the low halves of the first bytes.
// CHECK: @integers_and_minimum contract: tensor<1x1xf32> [6.5]
// CHECK: @integers_and_minimum real: tensor<1x1xf32> [6.5]
func.func @integers_and_minimum(%a: tensor<1x32x!tn.block<q8_0>>,
    %b: tensor<1x32x!tn.block<q4_1>>) -> tensor<1x1xf32>
    attributes {tn.test_inputs = [
        dense<[0, 56, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]> : tensor<34xi8>,
        dense<[0, 64, 0, 60, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]>
        : tensor<20xi8>]} {
  %y = tn.matmul %a, %b {transpose_b} : tensor<1x32x!tn.block<q8_0>>,
      tensor<1x32x!tn.block<q4_1>> -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}

// -----

// One scale, 2, for 64 quants beside scales 0.5 and 1: (1 * 3 + 2 * 1) * 1 and
// 3 * -2 * 2.
// CHECK: @integers_of_groups contract: tensor<1x1xf32> [-7]
// CHECK: @integers_of_groups real: tensor<1x1xf32> [-7]
func.func @integers_of_groups(%a: tensor<1x64x!tn.block<q8_0>>,
    %b: tensor<1x64x!tn.block<int4_g64>>) -> tensor<1x1xf32>
    attributes {tn.test_inputs = [
        dense<[0, 56, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 60, 3, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0]>
        : tensor<68xi8>,
        dense<[0, 64, -117, -119, -120, -120, -120, -120, -120, -120, -120,
        -120, -120, -120, -120, -120, -120, -120, -122, -120, -120, -120,
        -120, -120, -120, -120, -120, -120, -120, -120, -120, -120, -120,
        -120]>
        : tensor<34xi8>]} {
  %y = tn.matmul %a, %b {transpose_b} : tensor<1x64x!tn.block<q8_0>>,
      tensor<1x64x!tn.block<int4_g64>> -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}

// -----

// Scales of 256: sub-blocks of scales 3 and 2, minima 5 and 1, times d = 2 and
// dmin = 1. (3 * (1 * 3 + 2 * 1) + 2 * 4 * 7) * 0.5 * 2 - (5 * 3 + 4) * 0.5.
// CHECK: @super_blocks contract: tensor<1x1xf32> [61.5]
// CHECK: @super_blocks real: tensor<1x1xf32> [61.5]
func.func @super_blocks(%a: tensor<1x256x!tn.block<q8_k>>,
    %b: tensor<1x256x!tn.block<q4_k>>) -> tensor<1x1xf32>
    attributes {tn.test_inputs = [
        dense<[0, 0, 0, 63, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3,
        0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0]> : tensor<292xi8>,
        dense<[0, 64, 0, 60, 3, 2, 0, 0, 5, 1, 0, 0, 0, 0, 0, 0, 115, 1, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0]> : tensor<144xi8>]} {
  %y = tn.matmul %a, %b {transpose_b} : tensor<1x256x!tn.block<q8_k>>,
      tensor<1x256x!tn.block<q4_k>> -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}

// -----

func.func @matmul_c5_activations(%a: tensor<4x256xf32>,
                                 %b: tensor<8x256x!tn.block<q8_k>>) {
  // expected-error@+1 {{expects a blocked b of a format of weights}}
  %y = tn.matmul %a, %b {transpose_b} : tensor<4x256xf32>,
      tensor<8x256x!tn.block<q8_k>> -> tensor<4x8xf32>
  return
}

// -----

func.func @matmul_c7_super(%a: tensor<4x256x!tn.block<q8_k>>,
                           %b: tensor<8x256x!tn.block<q4_0>>) {
  // expected-error@+1 {{expects b of q4_k, q5_k or q6_k with a of q8_k}}
  %y = tn.matmul %a, %b {transpose_b} : tensor<4x256x!tn.block<q8_k>>,
      tensor<8x256x!tn.block<q4_0>> -> tensor<4x8xf32>
  return
}

// -----

func.func @matmul_c7_super_groups(%a: tensor<4x256x!tn.block<q8_k>>,
                                  %b: tensor<8x256x!tn.block<int4_g128>>) {
  // expected-error@+1 {{expects b of q4_k, q5_k or q6_k with a of q8_k}}
  %y = tn.matmul %a, %b {transpose_b} : tensor<4x256x!tn.block<q8_k>>,
      tensor<8x256x!tn.block<int4_g128>> -> tensor<4x8xf32>
  return
}

// -----

func.func @matmul_c7(%a: tensor<4x32x!tn.block<q4_0>>,
                     %b: tensor<8x32x!tn.block<q8_0>>) {
  // expected-error@+1 {{expects a blocked a of q8_0}}
  %y = tn.matmul %a, %b {transpose_b} : tensor<4x32x!tn.block<q4_0>>,
      tensor<8x32x!tn.block<q8_0>> -> tensor<4x8xf32>
  return
}

// -----

func.func @matmul_c7_transposed(%a: tensor<32x32x!tn.block<q8_0>>,
                                %b: tensor<8x32x!tn.block<q8_0>>) {
  // expected-error@+1 {{expects no transpose_a with a blocked a}}
  %y = tn.matmul %a, %b {transpose_a, transpose_b} : tensor<32x32x!tn.block<q8_0>>,
      tensor<8x32x!tn.block<q8_0>> -> tensor<32x8xf32>
  return
}

// -----

func.func @matmul_c7_plain(%a: tensor<4x32x!tn.block<q8_0>>,
                           %b: tensor<8x32xf32>) {
  // expected-error@+1 {{expects a blocked b with a blocked a}}
  %y = tn.matmul %a, %b {transpose_b} : tensor<4x32x!tn.block<q8_0>>,
      tensor<8x32xf32> -> tensor<4x8xf32>
  return
}

// -----

// 1 * 5 - 2 * 6 + 3 * -7.
// CHECK: @bytes contract: tensor<1x1xi32> [-28]
// CHECK: @bytes real: tensor<1x1xi32> [-28]
func.func @bytes(%a: tensor<1x3xi8>, %b: tensor<1x3xi8>) -> tensor<1x1xi32>
    attributes {tn.test_inputs = [dense<[[1, -2, 3]]> : tensor<1x3xi8>,
                                  dense<[[5, 6, -7]]> : tensor<1x3xi8>]} {
  %y = tn.matmul %a, %b {transpose_b} : tensor<1x3xi8>, tensor<1x3xi8>
      -> tensor<1x1xi32>
  return %y : tensor<1x1xi32>
}

// -----

func.func @matmul_c8(%a: tensor<4x32xi8>, %b: tensor<8x32xf32>) {
  // expected-error@+1 {{expects a and b of i8 and y of i32, got 'i8', 'f32'}}
  %y = tn.matmul %a, %b {transpose_b} : tensor<4x32xi8>, tensor<8x32xf32>
      -> tensor<4x8xf32>
  return
}

// -----

func.func @matmul_c8_columns(%a: tensor<4x32xi8>, %b: tensor<32x8xi8>) {
  // expected-error@+1 {{expects transpose_b alone, and no bias}}
  %y = tn.matmul %a, %b : tensor<4x32xi8>, tensor<32x8xi8> -> tensor<4x8xi32>
  return
}
