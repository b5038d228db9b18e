// RUN: %test_op | FileCheck %s

// CHECK: @stop_gradient contract: tensor<5xf32> [0.5, -2, 0, inf, {{.*}}]
// CHECK: @stop_gradient real: tensor<5xf32> [0.5, -2, 0, inf, {{.*}}]
// CHECK: tn.stop_gradient %{{.*}} : tensor<5xf32>
func.func @stop_gradient(%x: tensor<5xf32>) -> tensor<5xf32>
    attributes {tn.test_inputs = [
        dense<[0.5, -2.0, 0.0, 0x7F800000, 0x7FC00000]> : tensor<5xf32>]} {
  %y = tn.stop_gradient %x : tensor<5xf32>
  return %y : tensor<5xf32>
}

// -----

// Computed in f32 and rounded once to the type of y; real does not round.
// CHECK: @stop_gradient_bf16 contract: tensor<1xbf16> [1.5]
// CHECK: @stop_gradient_bf16 real: tensor<1xbf16> [1.5]
func.func @stop_gradient_bf16(%x: tensor<1xbf16>) -> tensor<1xbf16>
    attributes {tn.test_inputs = [
        dense<[1.5]> : tensor<1xbf16>]} {
  %y = tn.stop_gradient %x : tensor<1xbf16>
  return %y : tensor<1xbf16>
}

// -----

func.func @stop_gradient_c1(%x: tensor<2xi32>) {
  // expected-error@+1 {{operand #0 must be ranked tensor of 32-bit float or 16-bit float or bfloat16 type values, but got 'tensor<2xi32>'}}
  %y = tn.stop_gradient %x : tensor<2xi32>
  return
}
