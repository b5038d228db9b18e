// RUN: %test_op | FileCheck %s

// CHECK: @add contract: tensor<3xf32> [4, -5, 4]
// CHECK: @add real: tensor<3xf32> [4, -5, 4]
// CHECK: tn.add %{{.*}}, %{{.*}} : tensor<3xf32>
func.func @add(%a: tensor<3xf32>, %b: tensor<3xf32>) -> tensor<3xf32>
    attributes {tn.test_inputs = [
        dense<[1.5, -2.0, 4.0]> : tensor<3xf32>,
        dense<[2.5, -3.0, 0.0]> : tensor<3xf32>]} {
  %y = tn.add %a, %b : tensor<3xf32>
  return %y : tensor<3xf32>
}

// -----

// Integers wrap.
// CHECK: @add_i32 contract: tensor<5xi32> [9, -5, -2147483647, 2147483647, 5]
// CHECK: @add_i32 real: tensor<5xi32> [9, -5, -2147483647, 2147483647, 5]
func.func @add_i32(%a: tensor<5xi32>, %b: tensor<5xi32>) -> tensor<5xi32>
    attributes {tn.test_inputs = [
        dense<[7, -7, 2147483647, -2147483648, 5]> : tensor<5xi32>,
        dense<[2, 2, 2, -1, 0]> : tensor<5xi32>]} {
  %y = tn.add %a, %b : tensor<5xi32>
  return %y : tensor<5xi32>
}

// -----

func.func @add_c1(%a: tensor<2xi1>) {
  // expected-error@+1 {{operand #0 must be ranked tensor of}}
  %y = tn.add %a, %a : tensor<2xi1>
  return
}

// -----

func.func @add_c1_types(%a: tensor<2xf32>, %b: tensor<2xf16>) {
  // expected-error@+1 {{failed to verify that all of {a, b, y} have same type}}
  %y = "tn.add"(%a, %b) : (tensor<2xf32>, tensor<2xf16>) -> tensor<2xf32>
  return
}
