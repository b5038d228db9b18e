// RUN: %test_op | FileCheck %s

// CHECK: @concat contract: tensor<2x3xf32> [1, 3, 4, 2, 5, 6]
// CHECK: @concat real: tensor<2x3xf32> [1, 3, 4, 2, 5, 6]
// CHECK: tn.concat %{{.*}}, %{{.*}} axis 1 : tensor<2x1xf32>, tensor<2x2xf32> -> tensor<2x3xf32>
func.func @concat(%a: tensor<2x1xf32>, %b: tensor<2x2xf32>) -> tensor<2x3xf32>
    attributes {tn.test_inputs = [
        dense<[[1.0], [2.0]]> : tensor<2x1xf32>,
        dense<[[3.0, 4.0], [5.0, 6.0]]> : tensor<2x2xf32>]} {
  %y = tn.concat %a, %b axis 1 : tensor<2x1xf32>, tensor<2x2xf32>
      -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// -----

func.func @concat_c1() {
  // expected-error@+1 {{expects at least one operand, got none}}
  %y = "tn.concat"() {axis = 0 : i64} : () -> tensor<2xf32>
  return
}

// -----

func.func @concat_c1_axis(%a: tensor<2xf32>) {
  // expected-error@+1 {{expects an axis below 1, the rank of the operands, got 1}}
  %y = tn.concat %a axis 1 : tensor<2xf32> -> tensor<2xf32>
  return
}

// -----

func.func @concat_c2(%a: tensor<2x1xf32>, %b: tensor<3x1xf32>) {
  // expected-error@+1 {{expects operands that agree but for the static axis 1}}
  %y = tn.concat %a, %b axis 1 : tensor<2x1xf32>, tensor<3x1xf32>
      -> tensor<2x2xf32>
  return
}

// -----

func.func @concat_c3(%a: tensor<2xf32>) {
  // expected-error@+1 {{expects y of type 'tensor<4xf32>', got 'tensor<3xf32>'}}
  %y = tn.concat %a, %a axis 0 : tensor<2xf32>, tensor<2xf32> -> tensor<3xf32>
  return
}
