// RUN: %test_op | FileCheck %s

// CHECK: @round_even contract: tensor<6xf32> [0, 2, 2, -2, inf, nan]
// CHECK: @round_even real: tensor<6xf32> [0, 2, 2, -2, inf, nan]
// CHECK: tn.round_even %{{.*}} : tensor<6xf32>
func.func @round_even(%x: tensor<6xf32>) -> tensor<6xf32>
    attributes {tn.test_inputs = [
        dense<[0.5, 1.5, 2.5, -1.7, 0x7F800000, 0x7FC00000]> : tensor<6xf32>]} {
  %y = tn.round_even %x : tensor<6xf32>
  return %y : tensor<6xf32>
}

// -----

func.func @round_even_c1(%x: tensor<2xi32>) {
  // expected-error@+1 {{operand #0 must be ranked tensor of 32-bit float or 16-bit float or bfloat16 type values, but got 'tensor<2xi32>'}}
  %y = tn.round_even %x : tensor<2xi32>
  return
}
