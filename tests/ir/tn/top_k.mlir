// RUN: %test_op | FileCheck %s

// Equal elements are ordered by index.
// CHECK: @top_k contract: tensor<2x3xf32> [3, 3, 2, 0, -1, -inf]
// CHECK: @top_k contract: tensor<2x3xi32> [1, 2, 3, 1, 2, 0]
// CHECK: @top_k real: tensor<2x3xf32> [3, 3, 2, 0, -1, -inf]
// CHECK: @top_k real: tensor<2x3xi32> [1, 2, 3, 1, 2, 0]
// CHECK: tn.top_k %{{.*}} k 3 : tensor<2x4xf32> -> tensor<2x3xf32>, tensor<2x3xi32>
func.func @top_k(%x: tensor<2x4xf32>) -> (tensor<2x3xf32>, tensor<2x3xi32>)
    attributes {tn.test_inputs = [
        dense<[[1.0, 3.0, 3.0, 2.0], [0xFF800000, 0.0, -1.0, 0xFF800000]]>
        : tensor<2x4xf32>]} {
  %y0, %y1 = tn.top_k %x k 3 : tensor<2x4xf32>
  -> tensor<2x3xf32>, tensor<2x3xi32>
  return %y0, %y1 : tensor<2x3xf32>, tensor<2x3xi32>
}

// -----

// CHECK: @nan contract: tensor<2x1xf32> [2, {{.*}}]
// CHECK: @nan contract: tensor<2x1xi32> [1, {{.*}}]
// CHECK: @nan contract fails: nan in tn.top_k, row 1, value 0
// CHECK: @nan real: tensor<2x1xf32> [2, {{.*}}]
// CHECK: @nan real: tensor<2x1xi32> [1, {{.*}}]
// CHECK: @nan real fails: nan in tn.top_k, row 1, value 0
func.func @nan(%x: tensor<2x2xf32>) -> (tensor<2x1xf32>, tensor<2x1xi32>)
    attributes {tn.test_inputs = [
        dense<[[1.0, 2.0], [0x7FC00000, 1.0]]> : tensor<2x2xf32>]} {
  %y0, %y1 = tn.top_k %x k 1 : tensor<2x2xf32>
  -> tensor<2x1xf32>, tensor<2x1xi32>
  return %y0, %y1 : tensor<2x1xf32>, tensor<2x1xi32>
}

// -----

func.func @top_k_c1(%x: tensor<2x4xf32>) {
  // expected-error@+1 {{expects x with a static last axis and k from 1 to its extent, got k 5}}
  %y0, %y1 = tn.top_k %x k 5 : tensor<2x4xf32>
  -> tensor<2x5xf32>, tensor<2x5xi32>
  return
}

// -----

func.func @top_k_c2(%x: tensor<2x4xf32>) {
  // expected-error@+1 {{expects values of type 'tensor<2x2xf32>'}}
  %y0, %y1 = tn.top_k %x k 2 : tensor<2x4xf32>
  -> tensor<2x3xf32>, tensor<2x2xi32>
  return
}

// -----

func.func @top_k_c2_indices(%x: tensor<2x4xf32>) {
  // expected-error@+1 {{expects indices of type 'tensor<2x2xi32>'}}
  %y0, %y1 = tn.top_k %x k 2 : tensor<2x4xf32>
  -> tensor<2x2xf32>, tensor<2x3xi32>
  return
}
