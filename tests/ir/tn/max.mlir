// RUN: %test_op | FileCheck %s

// What is not a number loses.
// CHECK: @max contract: tensor<5xf32> [2.5, -2, 4, 1, 2]
// CHECK: @max real: tensor<5xf32> [2.5, -2, 4, 1, 2]
// CHECK: tn.max %{{.*}}, %{{.*}} : tensor<5xf32>
func.func @max(%a: tensor<5xf32>, %b: tensor<5xf32>) -> tensor<5xf32>
    attributes {tn.test_inputs = [
        dense<[1.5, -2.0, 4.0, 1.0, 0x7FC00000]> : tensor<5xf32>,
        dense<[2.5, -3.0, 0.0, 0x7FC00000, 2.0]> : tensor<5xf32>]} {
  %y = tn.max %a, %b : tensor<5xf32>
  return %y : tensor<5xf32>
}

// -----

// CHECK: @max_i32 contract: tensor<5xi32> [7, 2, 2147483647, -1, 5]
// CHECK: @max_i32 real: tensor<5xi32> [7, 2, 2147483647, -1, 5]
func.func @max_i32(%a: tensor<5xi32>, %b: tensor<5xi32>) -> tensor<5xi32>
    attributes {tn.test_inputs = [
        dense<[7, -7, 2147483647, -2147483648, 5]> : tensor<5xi32>,
        dense<[2, 2, 2, -1, 0]> : tensor<5xi32>]} {
  %y = tn.max %a, %b : tensor<5xi32>
  return %y : tensor<5xi32>
}

// -----

func.func @max_c1(%a: tensor<2xi1>) {
  // expected-error@+1 {{operand #0 must be ranked tensor of}}
  %y = tn.max %a, %a : tensor<2xi1>
  return
}

// -----

func.func @max_c1_types(%a: tensor<2xf32>, %b: tensor<2xf16>) {
  // expected-error@+1 {{failed to verify that all of {a, b, y} have same type}}
  %y = "tn.max"(%a, %b) : (tensor<2xf32>, tensor<2xf16>) -> tensor<2xf32>
  return
}
