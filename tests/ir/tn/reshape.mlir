// RUN: %test_op | FileCheck %s

// CHECK: @reshape contract: tensor<3x1x2xf32> [1, 2, 3, 4, 5, 6]
// CHECK: @reshape real: tensor<3x1x2xf32> [1, 2, 3, 4, 5, 6]
// CHECK: tn.reshape %{{.*}} : tensor<2x3xf32> -> tensor<3x1x2xf32>
func.func @reshape(%x: tensor<2x3xf32>) -> tensor<3x1x2xf32>
    attributes {tn.test_inputs = [
        dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>]} {
  %y = tn.reshape %x : tensor<2x3xf32> -> tensor<3x1x2xf32>
  return %y : tensor<3x1x2xf32>
}

// -----

func.func @reshape_c1(%x: tensor<2xf32>) {
  // expected-error@+1 {{expects equal element types}}
  %y = tn.reshape %x : tensor<2xf32> -> tensor<2xi32>
  return
}

// -----

func.func @reshape_c2(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{expects as many elements in y as in x}}
  %y = tn.reshape %x : tensor<2x3xf32> -> tensor<4xf32>
  return
}

// -----

func.func @reshape_c2_symbols(%x: tensor<?x4xf32, #tn.dims<T, 4>>) {
  // expected-error@+1 {{expects as many elements in y as in x}}
  %y = tn.reshape %x : tensor<?x4xf32, #tn.dims<T, 4>>
      -> tensor<4x?xf32, #tn.dims<4, U>>
  return
}
