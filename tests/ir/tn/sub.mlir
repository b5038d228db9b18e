// RUN: %test_op | FileCheck %s

// CHECK: @sub contract: tensor<3xf32> [-1, 1, 4]
// CHECK: @sub real: tensor<3xf32> [-1, 1, 4]
// CHECK: tn.sub %{{.*}}, %{{.*}} : tensor<3xf32>
func.func @sub(%a: tensor<3xf32>, %b: tensor<3xf32>) -> tensor<3xf32>
    attributes {tn.test_inputs = [
        dense<[1.5, -2.0, 4.0]> : tensor<3xf32>,
        dense<[2.5, -3.0, 0.0]> : tensor<3xf32>]} {
  %y = tn.sub %a, %b : tensor<3xf32>
  return %y : tensor<3xf32>
}

// -----

// Integers wrap.
// CHECK: @sub_i32 contract: tensor<5xi32> [5, -9, 2147483645, -2147483647, 5]
// CHECK: @sub_i32 real: tensor<5xi32> [5, -9, 2147483645, -2147483647, 5]
func.func @sub_i32(%a: tensor<5xi32>, %b: tensor<5xi32>) -> tensor<5xi32>
    attributes {tn.test_inputs = [
        dense<[7, -7, 2147483647, -2147483648, 5]> : tensor<5xi32>,
        dense<[2, 2, 2, -1, 0]> : tensor<5xi32>]} {
  %y = tn.sub %a, %b : tensor<5xi32>
  return %y : tensor<5xi32>
}

// -----

func.func @sub_c1(%a: tensor<2xi1>) {
  // expected-error@+1 {{operand #0 must be ranked tensor of}}
  %y = tn.sub %a, %a : tensor<2xi1>
  return
}

// -----

func.func @sub_c1_types(%a: tensor<2xf32>, %b: tensor<2xf16>) {
  // expected-error@+1 {{failed to verify that all of {a, b, y} have same type}}
  %y = "tn.sub"(%a, %b) : (tensor<2xf32>, tensor<2xf16>) -> tensor<2xf32>
  return
}
