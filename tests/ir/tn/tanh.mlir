// RUN: %test_op | FileCheck %s

// CHECK: @tanh contract: tensor<5xf32> [0, 0.24491{{[0-9]*}}, -0.98661{{[0-9]*}}, 1, nan]
// CHECK: @tanh real: tensor<5xf32> [0, 0.24491{{[0-9]*}}, -0.98661{{[0-9]*}}, 1, nan]
// CHECK: tn.tanh %{{.*}} : tensor<5xf32>
func.func @tanh(%x: tensor<5xf32>) -> tensor<5xf32>
    attributes {tn.test_inputs = [
        dense<[0.0, 0.25, -2.5, 0x7F800000, 0x7FC00000]> : tensor<5xf32>]} {
  %y = tn.tanh %x : tensor<5xf32>
  return %y : tensor<5xf32>
}

// -----

// Computed in f32 and rounded once to the type of y; real does not round.
// CHECK: @tanh_bf16 contract: tensor<1xbf16> [0.90625]
// CHECK: @tanh_bf16 real: tensor<1xbf16> [0.90514{{[0-9]*}}]
func.func @tanh_bf16(%x: tensor<1xbf16>) -> tensor<1xbf16>
    attributes {tn.test_inputs = [
        dense<[1.5]> : tensor<1xbf16>]} {
  %y = tn.tanh %x : tensor<1xbf16>
  return %y : tensor<1xbf16>
}

// -----

func.func @tanh_c1(%x: tensor<2xi32>) {
  // expected-error@+1 {{operand #0 must be ranked tensor of 32-bit float or 16-bit float or bfloat16 type values, but got 'tensor<2xi32>'}}
  %y = tn.tanh %x : tensor<2xi32>
  return
}
