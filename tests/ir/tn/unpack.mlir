// RUN: %test_op | FileCheck %s

// y = d * q, with d = 0.5 (f16 0x3800).
// CHECK: @q8_0 contract: tensor<32xf32> [0.5, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
// CHECK: @q8_0 real: tensor<32xf32> [0.5, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
// CHECK: tn.unpack %{{.*}} : tensor<32x!tn.block<q8_0>> -> tensor<32xf32>
func.func @q8_0(%x: tensor<32x!tn.block<q8_0>>) -> tensor<32xf32>
    attributes {tn.test_inputs = [
        dense<[0, 56, 1, -2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]> : tensor<34xi8>]} {
  %y = tn.unpack %x : tensor<32x!tn.block<q8_0>> -> tensor<32xf32>
  return %y : tensor<32xf32>
}

// -----

// y = d * (q - 8): low nibbles first, then the high ones.
// CHECK: @q4_0 contract: tensor<32xbf16> [7, -8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
// CHECK: @q4_0 real: tensor<32xbf16> [7, -8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
func.func @q4_0(%x: tensor<32x!tn.block<q4_0>>) -> tensor<32xbf16>
    attributes {tn.test_inputs = [
        dense<[0, 60, 15, -112, -120, -120, -120, -120, -120, -120, -120, -120,
        -120, -120, -120, -120, -120, -120]> : tensor<18xi8>]} {
  %y = tn.unpack %x : tensor<32x!tn.block<q4_0>> -> tensor<32xbf16>
  return %y : tensor<32xbf16>
}

// -----

// One scale of 0.5 for two runs, each laid out as a block of q4_0.
// CHECK: @int4 contract: tensor<64xf32> [3.5, -4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -4, 0.5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -3.5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3.5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
// CHECK: @int4 real: tensor<64xf32> [3.5, -4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -4, 0.5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -3.5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3.5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
func.func @int4(%x: tensor<64x!tn.block<int4_g64>>) -> tensor<64xf32>
    attributes {tn.test_inputs = [
        dense<[0, 56, 15, -112, -120, -120, -120, -120, -120, -120, -120, -120,
        -120, -120, -120, -120, -120, -120, -15, -120, -120, -120, -120, -120,
        -120, -120, -120, -120, -120, -120, -120, -120, -120, -120]>
        : tensor<34xi8>]} {
  %y = tn.unpack %x : tensor<64x!tn.block<int4_g64>> -> tensor<64xf32>
  return %y : tensor<64xf32>
}

// -----

func.func @unpack_c1(%x: tensor<32xf32>) {
  // expected-error@+1 {{expects x of a blocked element type}}
  %y = tn.unpack %x : tensor<32xf32> -> tensor<32xf32>
  return
}

// -----

func.func @unpack_c2(%x: tensor<32x!tn.block<q8_0>>) {
  // expected-error@+1 {{expects y of type 'tensor<32xf32>', got 'tensor<64xf32>'}}
  %y = tn.unpack %x : tensor<32x!tn.block<q8_0>> -> tensor<64xf32>
  return
}

// -----

func.func @unpack_c3_group(%x: tensor<96x!tn.block<int4_g128>>) {
  // expected-error@+1 {{expects the last axis of x to be whole blocks of 128 elements}}
  %y = tn.unpack %x : tensor<96x!tn.block<int4_g128>> -> tensor<96xf32>
  return
}

// -----

func.func @unpack_c3(%x: tensor<16x!tn.block<q8_0>>) {
  // expected-error@+1 {{expects the last axis of x to be whole blocks of 32 elements}}
  %y = tn.unpack %x : tensor<16x!tn.block<q8_0>> -> tensor<16xf32>
  return
}
