// RUN: %test_op | FileCheck %s

// CHECK: @sqrt contract: tensor<5xf32> [0, 1.41421{{[0-9]*}}, 2.5, inf, nan]
// CHECK: @sqrt real: tensor<5xf32> [0, 1.41421{{[0-9]*}}, 2.5, inf, nan]
// CHECK: tn.sqrt %{{.*}} : tensor<5xf32>
func.func @sqrt(%x: tensor<5xf32>) -> tensor<5xf32>
    attributes {tn.test_inputs = [
        dense<[0.0, 2.0, 6.25, 0x7F800000, 0x7FC00000]> : tensor<5xf32>]} {
  %y = tn.sqrt %x : tensor<5xf32>
  return %y : tensor<5xf32>
}

// -----

// Computed in f32 and rounded once to the type of y; real does not round.
// CHECK: @sqrt_bf16 contract: tensor<1xbf16> [1.2265625]
// CHECK: @sqrt_bf16 real: tensor<1xbf16> [1.22474{{[0-9]*}}]
func.func @sqrt_bf16(%x: tensor<1xbf16>) -> tensor<1xbf16>
    attributes {tn.test_inputs = [
        dense<[1.5]> : tensor<1xbf16>]} {
  %y = tn.sqrt %x : tensor<1xbf16>
  return %y : tensor<1xbf16>
}

// -----

func.func @sqrt_c1(%x: tensor<2xi32>) {
  // expected-error@+1 {{operand #0 must be ranked tensor of 32-bit float or 16-bit float or bfloat16 type values, but got 'tensor<2xi32>'}}
  %y = tn.sqrt %x : tensor<2xi32>
  return
}
