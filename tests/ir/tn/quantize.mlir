// RUN: %test_op | FileCheck %s

// amax 127 gives d = 1; 0.5, 1.5 and 2.5 are ties and go to even.
// CHECK: @ties contract: tensor<32x!tn.block<q8_0>> [127, 0, 2, 2, 0, -2, -127, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
// CHECK: @ties real: tensor<32x!tn.block<q8_0>> [127, 0, 2, 2, 0, -2, -127, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
// CHECK: tn.quantize %{{.*}} : tensor<32xf32> -> tensor<32x!tn.block<q8_0>>
func.func @ties(%x: tensor<32xf32>) -> tensor<32x!tn.block<q8_0>>
    attributes {tn.test_inputs = [dense<[127.0, 0.5, 1.5, 2.5, -0.5, -1.5,
        -127.0, 2.75, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
        0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]>
        : tensor<32xf32>]} {
  %y = tn.quantize %x : tensor<32xf32> -> tensor<32x!tn.block<q8_0>>
  return %y : tensor<32x!tn.block<q8_0>>
}

// -----

// A scale beyond f16 is its largest, and the quants saturate.
// CHECK: @saturates contract: tensor<32xf32> [8319008, {{.*}}
// CHECK: @saturates real: tensor<32xf32> [8319008, {{.*}}
func.func @saturates(%x: tensor<32xf32>) -> tensor<32xf32>
    attributes {tn.test_inputs = [dense<1.0e+20> : tensor<32xf32>]} {
  %q = tn.quantize %x : tensor<32xf32> -> tensor<32x!tn.block<q8_0>>
  %y = tn.unpack %q : tensor<32x!tn.block<q8_0>> -> tensor<32xf32>
  return %y : tensor<32xf32>
}

// -----

// A scale that rounds to 0 makes the block 0.
// CHECK: @vanishes contract: tensor<1x32x!tn.block<q8_0>> [0, 0, {{.*}}
// CHECK: @vanishes real: tensor<1x32x!tn.block<q8_0>> [0, 0, {{.*}}
func.func @vanishes(%x: tensor<1x32xf32>) -> tensor<1x32x!tn.block<q8_0>>
    attributes {tn.test_inputs = [dense<1.0e-07> : tensor<1x32xf32>]} {
  %y = tn.quantize %x : tensor<1x32xf32> -> tensor<1x32x!tn.block<q8_0>>
  return %y : tensor<1x32x!tn.block<q8_0>>
}

// -----

// A NaN or an infinity takes its own block, and no other.
// CHECK: @infinite contract: tensor<2x32x!tn.block<q8_0>> [nan, nan, {{.*}}, nan, 0.999938965, {{.*}}
// CHECK: @infinite real: tensor<2x32x!tn.block<q8_0>> [nan, nan, {{.*}}, nan, 0.999938965, {{.*}}
func.func @infinite(%x: tensor<2x32xf32>) -> tensor<2x32x!tn.block<q8_0>>
    attributes {tn.test_inputs = [dense<[[0x7F800000, 1.0, 1.0, 1.0, 1.0, 1.0,
        1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0,
        1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0], [1.0, 1.0,
        1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0,
        1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0,
        1.0, 1.0]]> : tensor<2x32xf32>]} {
  %y = tn.quantize %x : tensor<2x32xf32> -> tensor<2x32x!tn.block<q8_0>>
  return %y : tensor<2x32x!tn.block<q8_0>>
}

// -----

// A scale for 256 elements may be beyond f16.
// CHECK: @super contract: tensor<256xf32> [1.00000002e+20, {{.*}}
// CHECK: @super real: tensor<256xf32> [1.00000002e+20, {{.*}}
func.func @super(%x: tensor<256xf32>) -> tensor<256xf32>
    attributes {tn.test_inputs = [dense<1.0e+20> : tensor<256xf32>]} {
  %q = tn.quantize %x : tensor<256xf32> -> tensor<256x!tn.block<q8_k>>
  %y = tn.unpack %q : tensor<256x!tn.block<q8_k>> -> tensor<256xf32>
  return %y : tensor<256xf32>
}

// -----

// One that is too small makes the block 0.
// CHECK: @super_vanishes contract: tensor<256x!tn.block<q8_k>> [0, 0, {{.*}}
// CHECK: @super_vanishes real: tensor<256x!tn.block<q8_k>> [0, 0, {{.*}}
func.func @super_vanishes(%x: tensor<256xf32>) -> tensor<256x!tn.block<q8_k>>
    attributes {tn.test_inputs = [dense<1.0e-30> : tensor<256xf32>]} {
  %y = tn.quantize %x : tensor<256xf32> -> tensor<256x!tn.block<q8_k>>
  return %y : tensor<256x!tn.block<q8_k>>
}

// -----

func.func @quantize_c1(%x: tensor<32xf32>) {
  // expected-error@+1 {{expects y of !tn.block<q8_0> or !tn.block<q8_k>, got 'tensor<32x!tn.block<q4_0>>'}}
  %y = tn.quantize %x : tensor<32xf32> -> tensor<32x!tn.block<q4_0>>
  return
}

// -----

func.func @quantize_c2(%x: tensor<32xf32>) {
  // expected-error@+1 {{expects y of type 'tensor<32x!tn.block<q8_0>>', got 'tensor<64x!tn.block<q8_0>>'}}
  %y = tn.quantize %x : tensor<32xf32> -> tensor<64x!tn.block<q8_0>>
  return
}

// -----

func.func @quantize_c3(%x: tensor<48xf32>) {
  // expected-error@+1 {{expects the last axis of y to be whole blocks of 32 elements}}
  %y = tn.quantize %x : tensor<48xf32> -> tensor<48x!tn.block<q8_0>>
  return
}
