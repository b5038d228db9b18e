// RUN: %test_op | FileCheck %s

// CHECK: @iota contract: tensor<2x3xi32> [0, 1, 2, 0, 1, 2]
// CHECK: @iota contract: tensor<2x3xi64> [0, 0, 0, 1, 1, 1]
// CHECK: @iota real: tensor<2x3xi32> [0, 1, 2, 0, 1, 2]
// CHECK: @iota real: tensor<2x3xi64> [0, 0, 0, 1, 1, 1]
// CHECK: tn.iota axis 1 : tensor<2x3xi32>
func.func @iota() -> (tensor<2x3xi32>, tensor<2x3xi64>)
    attributes {tn.test_inputs = []} {
  %y0 = tn.iota axis 1 : tensor<2x3xi32>
  %y1 = tn.iota axis 0 : tensor<2x3xi64>
  return %y0, %y1 : tensor<2x3xi32>, tensor<2x3xi64>
}

// -----

func.func @iota_c1() {
  // expected-error@+1 {{expects an axis below 1, the rank of y, got 1}}
  %y = tn.iota axis 1 : tensor<2xi32>
  return
}

// -----

func.func @iota_c2() {
  // expected-error@+1 {{expects y of i32 or i64}}
  %y = tn.iota axis 0 : tensor<2xf32>
  return
}
