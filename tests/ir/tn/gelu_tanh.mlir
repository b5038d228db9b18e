// RUN: %test_op | FileCheck %s

// CHECK: @gelu_tanh contract: tensor<5xf32> [0, 0.84119{{[0-9]*}}, -0.01508{{[0-9]*}}, 0.06871{{[0-9]*}}, nan]
// CHECK: @gelu_tanh real: tensor<5xf32> [0, 0.84119{{[0-9]*}}, -0.01508{{[0-9]*}}, 0.06871{{[0-9]*}}, nan]
// CHECK: tn.gelu_tanh %{{.*}} : tensor<5xf32>
func.func @gelu_tanh(%x: tensor<5xf32>) -> tensor<5xf32>
    attributes {tn.test_inputs = [
        dense<[0.0, 1.0, -2.5, 0.125, 0x7FC00000]> : tensor<5xf32>]} {
  %y = tn.gelu_tanh %x : tensor<5xf32>
  return %y : tensor<5xf32>
}

// -----

// Computed in f32 and rounded once to the type of y; real does not round.
// CHECK: @gelu_tanh_bf16 contract: tensor<1xbf16> [1.3984375]
// CHECK: @gelu_tanh_bf16 real: tensor<1xbf16> [1.39957{{[0-9]*}}]
func.func @gelu_tanh_bf16(%x: tensor<1xbf16>) -> tensor<1xbf16>
    attributes {tn.test_inputs = [
        dense<[1.5]> : tensor<1xbf16>]} {
  %y = tn.gelu_tanh %x : tensor<1xbf16>
  return %y : tensor<1xbf16>
}

// -----

func.func @gelu_tanh_c1(%x: tensor<2xi32>) {
  // expected-error@+1 {{operand #0 must be ranked tensor of 32-bit float or 16-bit float or bfloat16 type values, but got 'tensor<2xi32>'}}
  %y = tn.gelu_tanh %x : tensor<2xi32>
  return
}
