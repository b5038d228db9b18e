// RUN: %test_op | FileCheck %s

// CHECK: @softmax contract: tensor<2x3xf32> [0.09003{{[0-9]*}}, 0.24472{{[0-9]*}}, 0.66524{{[0-9]*}}, 0, 0.5, 0.5]
// CHECK: @softmax real: tensor<2x3xf32> [0.09003{{[0-9]*}}, 0.24472{{[0-9]*}}, 0.66524{{[0-9]*}}, 0, 0.5, 0.5]
// CHECK: tn.softmax %{{.*}} : tensor<2x3xf32>
func.func @softmax(%x: tensor<2x3xf32>) -> tensor<2x3xf32>
    attributes {tn.test_inputs = [
        dense<[[1.0, 2.0, 3.0], [0xFF800000, 0.0, 0.0]]> : tensor<2x3xf32>]} {
  %y = tn.softmax %x : tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// -----

// A row of -inf only gives zeros.
// CHECK: @nothing contract: tensor<2xf32> [0, 0]
// CHECK: @nothing real: tensor<2xf32> [0, 0]
func.func @nothing(%x: tensor<2xf32>) -> tensor<2xf32>
    attributes {tn.test_inputs = [
        dense<[0xFF800000, 0xFF800000]> : tensor<2xf32>]} {
  %y = tn.softmax %x : tensor<2xf32>
  return %y : tensor<2xf32>
}

// -----

func.func @softmax_c1(%x: tensor<f32>) {
  // expected-error@+1 {{expects}}
  %y = tn.softmax %x : tensor<f32>
  return
}
