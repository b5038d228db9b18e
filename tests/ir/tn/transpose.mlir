// RUN: %test_op | FileCheck %s

// CHECK: @transpose contract: tensor<1x2x3xf32> [1, 2, 3, 4, 5, 6]
// CHECK: @transpose contract: tensor<3x1x2xf32> [1, 4, 2, 5, 3, 6]
// CHECK: @transpose real: tensor<1x2x3xf32> [1, 2, 3, 4, 5, 6]
// CHECK: @transpose real: tensor<3x1x2xf32> [1, 4, 2, 5, 3, 6]
// CHECK: tn.transpose %{{.*}} [2, 0, 1] : tensor<2x3x1xf32> -> tensor<1x2x3xf32>
func.func @transpose(%x: tensor<2x3x1xf32>)
    -> (tensor<1x2x3xf32>, tensor<3x1x2xf32>)
    attributes {tn.test_inputs = [
        dense<[[[1.0], [2.0], [3.0]], [[4.0], [5.0], [6.0]]]>
        : tensor<2x3x1xf32>]} {
  %y0 = tn.transpose %x [2, 0, 1] : tensor<2x3x1xf32> -> tensor<1x2x3xf32>
  %y1 = tn.transpose %x [1, 2, 0] : tensor<2x3x1xf32> -> tensor<3x1x2xf32>
  return %y0, %y1 : tensor<1x2x3xf32>, tensor<3x1x2xf32>
}

// -----

func.func @transpose_c1(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{expects a permutation of the axes of 'tensor<2x3xf32>', got [0, 0]}}
  %y = tn.transpose %x [0, 0] : tensor<2x3xf32> -> tensor<2x2xf32>
  return
}

// -----

func.func @transpose_c2(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{expects y of type 'tensor<3x2xf32>', got 'tensor<2x3xf32>'}}
  %y = tn.transpose %x [1, 0] : tensor<2x3xf32> -> tensor<2x3xf32>
  return
}
