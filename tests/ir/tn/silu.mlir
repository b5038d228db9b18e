// RUN: %test_op | FileCheck %s

// CHECK: @silu contract: tensor<5xf32> [0, 0.73105{{[0-9]*}}, -0.18964{{[0-9]*}}, 7.99731{{[0-9]*}}, nan]
// CHECK: @silu real: tensor<5xf32> [0, 0.73105{{[0-9]*}}, -0.18964{{[0-9]*}}, 7.99731{{[0-9]*}}, nan]
// CHECK: tn.silu %{{.*}} : tensor<5xf32>
func.func @silu(%x: tensor<5xf32>) -> tensor<5xf32>
    attributes {tn.test_inputs = [
        dense<[0.0, 1.0, -2.5, 8.0, 0x7FC00000]> : tensor<5xf32>]} {
  %y = tn.silu %x : tensor<5xf32>
  return %y : tensor<5xf32>
}

// -----

// Computed in f32 and rounded once to the type of y; real does not round.
// CHECK: @silu_bf16 contract: tensor<1xbf16> [1.2265625]
// CHECK: @silu_bf16 real: tensor<1xbf16> [1.22636{{[0-9]*}}]
func.func @silu_bf16(%x: tensor<1xbf16>) -> tensor<1xbf16>
    attributes {tn.test_inputs = [
        dense<[1.5]> : tensor<1xbf16>]} {
  %y = tn.silu %x : tensor<1xbf16>
  return %y : tensor<1xbf16>
}

// -----

func.func @silu_c1(%x: tensor<2xi32>) {
  // expected-error@+1 {{operand #0 must be ranked tensor of 32-bit float or 16-bit float or bfloat16 type values, but got 'tensor<2xi32>'}}
  %y = tn.silu %x : tensor<2xi32>
  return
}
