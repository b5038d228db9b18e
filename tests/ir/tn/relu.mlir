// RUN: %test_op | FileCheck %s

// CHECK: @relu contract: tensor<5xf32> [0.5, 0, 0, inf, {{.*}}]
// CHECK: @relu real: tensor<5xf32> [0.5, 0, 0, inf, {{.*}}]
// CHECK: tn.relu %{{.*}} : tensor<5xf32>
func.func @relu(%x: tensor<5xf32>) -> tensor<5xf32>
    attributes {tn.test_inputs = [
        dense<[0.5, -2.0, 0.0, 0x7F800000, 0x7FC00000]> : tensor<5xf32>]} {
  %y = tn.relu %x : tensor<5xf32>
  return %y : tensor<5xf32>
}

// -----

// Computed in f32 and rounded once to the type of y; real does not round.
// CHECK: @relu_bf16 contract: tensor<1xbf16> [1.5]
// CHECK: @relu_bf16 real: tensor<1xbf16> [1.5]
func.func @relu_bf16(%x: tensor<1xbf16>) -> tensor<1xbf16>
    attributes {tn.test_inputs = [
        dense<[1.5]> : tensor<1xbf16>]} {
  %y = tn.relu %x : tensor<1xbf16>
  return %y : tensor<1xbf16>
}

// -----

func.func @relu_c1(%x: tensor<2xi32>) {
  // expected-error@+1 {{operand #0 must be ranked tensor of 32-bit float or 16-bit float or bfloat16 type values, but got 'tensor<2xi32>'}}
  %y = tn.relu %x : tensor<2xi32>
  return
}
