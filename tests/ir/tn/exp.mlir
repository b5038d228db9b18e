// RUN: %test_op | FileCheck %s

// CHECK: @exp contract: tensor<5xf32> [1, 2.71828{{[0-9]*}}, 0.08208{{[0-9]*}}, 0, nan]
// CHECK: @exp real: tensor<5xf32> [1, 2.71828{{[0-9]*}}, 0.08208{{[0-9]*}}, 0, nan]
// CHECK: tn.exp %{{.*}} : tensor<5xf32>
func.func @exp(%x: tensor<5xf32>) -> tensor<5xf32>
    attributes {tn.test_inputs = [
        dense<[0.0, 1.0, -2.5, 0xFF800000, 0x7FC00000]> : tensor<5xf32>]} {
  %y = tn.exp %x : tensor<5xf32>
  return %y : tensor<5xf32>
}

// -----

// Computed in f32 and rounded once to the type of y; real does not round.
// CHECK: @exp_bf16 contract: tensor<1xbf16> [4.46875]
// CHECK: @exp_bf16 real: tensor<1xbf16> [4.48168{{[0-9]*}}]
func.func @exp_bf16(%x: tensor<1xbf16>) -> tensor<1xbf16>
    attributes {tn.test_inputs = [
        dense<[1.5]> : tensor<1xbf16>]} {
  %y = tn.exp %x : tensor<1xbf16>
  return %y : tensor<1xbf16>
}

// -----

func.func @exp_c1(%x: tensor<2xi32>) {
  // expected-error@+1 {{operand #0 must be ranked tensor of 32-bit float or 16-bit float or bfloat16 type values, but got 'tensor<2xi32>'}}
  %y = tn.exp %x : tensor<2xi32>
  return
}
