// RUN: %test_op | FileCheck %s

// CHECK: @cos contract: tensor<5xf32> [1, 0.54030{{[0-9]*}}, -0.80114{{[0-9]*}}, 0.86231{{[0-9]*}}, nan]
// CHECK: @cos real: tensor<5xf32> [1, 0.54030{{[0-9]*}}, -0.80114{{[0-9]*}}, 0.86231{{[0-9]*}}, nan]
// CHECK: tn.cos %{{.*}} : tensor<5xf32>
func.func @cos(%x: tensor<5xf32>) -> tensor<5xf32>
    attributes {tn.test_inputs = [
        dense<[0.0, 1.0, -2.5, 100.0, 0x7FC00000]> : tensor<5xf32>]} {
  %y = tn.cos %x : tensor<5xf32>
  return %y : tensor<5xf32>
}

// -----

// Computed in f32 and rounded once to the type of y; real does not round.
// CHECK: @cos_bf16 contract: tensor<1xbf16> [0.0708007812]
// CHECK: @cos_bf16 real: tensor<1xbf16> [0.07073{{[0-9]*}}]
func.func @cos_bf16(%x: tensor<1xbf16>) -> tensor<1xbf16>
    attributes {tn.test_inputs = [
        dense<[1.5]> : tensor<1xbf16>]} {
  %y = tn.cos %x : tensor<1xbf16>
  return %y : tensor<1xbf16>
}

// -----

func.func @cos_c1(%x: tensor<2xi32>) {
  // expected-error@+1 {{operand #0 must be ranked tensor of 32-bit float or 16-bit float or bfloat16 type values, but got 'tensor<2xi32>'}}
  %y = tn.cos %x : tensor<2xi32>
  return
}
