// RUN: %test_op | FileCheck %s

// CHECK: @positions contract: tensor<3xi32> [4, 5, 0]
// CHECK: @positions real: tensor<3xi32> [4, 5, 0]
// CHECK: tn.positions %{{.*}} : tensor<3xi32>
func.func @positions(%b: !tn.batch) -> tensor<3xi32>
    attributes {tn.test_inputs = [
        {sequence = dense<[0, 0, 1]> : tensor<3xi32>, position = dense<[4, 5, 0]>
        : tensor<3xi32>, pages = dense<[[0], [1]]> : tensor<2x1xi32>}]} {
  %y = tn.positions %b : tensor<3xi32>
  return %y : tensor<3xi32>
}

// -----

func.func @positions_c1(%b: !tn.batch) {
  // expected-error@+1 {{expects y of rank 1}}
  %y = tn.positions %b : tensor<3x1xi32>
  return
}
