// RUN: %test_op | FileCheck %s

// CHECK: @mul contract: tensor<3xf32> [3.75, 6, 0]
// CHECK: @mul real: tensor<3xf32> [3.75, 6, 0]
// CHECK: tn.mul %{{.*}}, %{{.*}} : tensor<3xf32>
func.func @mul(%a: tensor<3xf32>, %b: tensor<3xf32>) -> tensor<3xf32>
    attributes {tn.test_inputs = [
        dense<[1.5, -2.0, 4.0]> : tensor<3xf32>,
        dense<[2.5, -3.0, 0.0]> : tensor<3xf32>]} {
  %y = tn.mul %a, %b : tensor<3xf32>
  return %y : tensor<3xf32>
}

// -----

// Integers wrap.
// CHECK: @mul_i32 contract: tensor<5xi32> [14, -14, -2, -2147483648, 0]
// CHECK: @mul_i32 real: tensor<5xi32> [14, -14, -2, -2147483648, 0]
func.func @mul_i32(%a: tensor<5xi32>, %b: tensor<5xi32>) -> tensor<5xi32>
    attributes {tn.test_inputs = [
        dense<[7, -7, 2147483647, -2147483648, 5]> : tensor<5xi32>,
        dense<[2, 2, 2, -1, 0]> : tensor<5xi32>]} {
  %y = tn.mul %a, %b : tensor<5xi32>
  return %y : tensor<5xi32>
}

// -----

func.func @mul_c1(%a: tensor<2xi1>) {
  // expected-error@+1 {{operand #0 must be ranked tensor of}}
  %y = tn.mul %a, %a : tensor<2xi1>
  return
}

// -----

func.func @mul_c1_types(%a: tensor<2xf32>, %b: tensor<2xf16>) {
  // expected-error@+1 {{failed to verify that all of {a, b, y} have same type}}
  %y = "tn.mul"(%a, %b) : (tensor<2xf32>, tensor<2xf16>) -> tensor<2xf32>
  return
}
