// RUN: %test_op | FileCheck %s

// CHECK: @rsqrt contract: tensor<5xf32> [inf, 0.70710{{[0-9]*}}, 0.4{{[0-9]*}}, 0, nan]
// CHECK: @rsqrt real: tensor<5xf32> [inf, 0.70710{{[0-9]*}}, 0.4{{[0-9]*}}, 0, nan]
// CHECK: tn.rsqrt %{{.*}} : tensor<5xf32>
func.func @rsqrt(%x: tensor<5xf32>) -> tensor<5xf32>
    attributes {tn.test_inputs = [
        dense<[0.0, 2.0, 6.25, 0x7F800000, 0x7FC00000]> : tensor<5xf32>]} {
  %y = tn.rsqrt %x : tensor<5xf32>
  return %y : tensor<5xf32>
}

// -----

// Computed in f32 and rounded once to the type of y; real does not round.
// CHECK: @rsqrt_bf16 contract: tensor<1xbf16> [0.81640625]
// CHECK: @rsqrt_bf16 real: tensor<1xbf16> [0.81649{{[0-9]*}}]
func.func @rsqrt_bf16(%x: tensor<1xbf16>) -> tensor<1xbf16>
    attributes {tn.test_inputs = [
        dense<[1.5]> : tensor<1xbf16>]} {
  %y = tn.rsqrt %x : tensor<1xbf16>
  return %y : tensor<1xbf16>
}

// -----

func.func @rsqrt_c1(%x: tensor<2xi32>) {
  // expected-error@+1 {{operand #0 must be ranked tensor of 32-bit float or 16-bit float or bfloat16 type values, but got 'tensor<2xi32>'}}
  %y = tn.rsqrt %x : tensor<2xi32>
  return
}
