// RUN: %test_op | FileCheck %s

// CHECK: @div contract: tensor<3xf32> [0.6{{[0-9]*}}, 0.66666{{[0-9]*}}, inf]
// CHECK: @div real: tensor<3xf32> [0.6{{[0-9]*}}, 0.66666{{[0-9]*}}, inf]
// CHECK: tn.div %{{.*}}, %{{.*}} : tensor<3xf32>
func.func @div(%a: tensor<3xf32>, %b: tensor<3xf32>) -> tensor<3xf32>
    attributes {tn.test_inputs = [
        dense<[1.5, -2.0, 4.0]> : tensor<3xf32>,
        dense<[2.5, -3.0, 0.0]> : tensor<3xf32>]} {
  %y = tn.div %a, %b : tensor<3xf32>
  return %y : tensor<3xf32>
}

// -----

// Towards zero; by 0 it is 0; the most negative by -1 wraps.
// CHECK: @div_i32 contract: tensor<5xi32> [3, -3, 1073741823, -2147483648, 0]
// CHECK: @div_i32 real: tensor<5xi32> [3, -3, 1073741823, -2147483648, 0]
func.func @div_i32(%a: tensor<5xi32>, %b: tensor<5xi32>) -> tensor<5xi32>
    attributes {tn.test_inputs = [
        dense<[7, -7, 2147483647, -2147483648, 5]> : tensor<5xi32>,
        dense<[2, 2, 2, -1, 0]> : tensor<5xi32>]} {
  %y = tn.div %a, %b : tensor<5xi32>
  return %y : tensor<5xi32>
}

// -----

func.func @div_c1(%a: tensor<2xi1>) {
  // expected-error@+1 {{operand #0 must be ranked tensor of}}
  %y = tn.div %a, %a : tensor<2xi1>
  return
}

// -----

func.func @div_c1_types(%a: tensor<2xf32>, %b: tensor<2xf16>) {
  // expected-error@+1 {{failed to verify that all of {a, b, y} have same type}}
  %y = "tn.div"(%a, %b) : (tensor<2xf32>, tensor<2xf16>) -> tensor<2xf32>
  return
}
