// RUN: %test_op | FileCheck %s

// CHECK: @or contract: tensor<4xi1> [0, 1, 1, 1]
// CHECK: @or real: tensor<4xi1> [0, 1, 1, 1]
// CHECK: tn.or %{{.*}}, %{{.*}} : tensor<4xi1>
func.func @or(%a: tensor<4xi1>, %b: tensor<4xi1>) -> tensor<4xi1>
    attributes {tn.test_inputs = [
        dense<[false, false, true, true]> : tensor<4xi1>,
        dense<[false, true, false, true]> : tensor<4xi1>]} {
  %y = tn.or %a, %b : tensor<4xi1>
  return %y : tensor<4xi1>
}

// -----

func.func @or_c1(%a: tensor<2xi32>) {
  // expected-error@+1 {{operand #0 must be ranked tensor of 1-bit signless integer values}}
  %y = tn.or %a, %a : tensor<2xi32>
  return
}
