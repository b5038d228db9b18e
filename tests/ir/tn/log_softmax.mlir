// RUN: %test_op | FileCheck %s

// CHECK: @log_softmax contract: tensor<1x3xf32> [-2.4076{{[0-9]*}}, -1.4076{{[0-9]*}}, -0.4076{{[0-9]*}}]
// CHECK: @log_softmax real: tensor<1x3xf32> [-2.4076{{[0-9]*}}, -1.4076{{[0-9]*}}, -0.4076{{[0-9]*}}]
// CHECK: tn.log_softmax %{{.*}} : tensor<1x3xf32>
func.func @log_softmax(%x: tensor<1x3xf32>) -> tensor<1x3xf32>
    attributes {tn.test_inputs = [
        dense<[[1.0, 2.0, 3.0]]> : tensor<1x3xf32>]} {
  %y = tn.log_softmax %x : tensor<1x3xf32>
  return %y : tensor<1x3xf32>
}

// -----

func.func @log_softmax_c1(%x: tensor<f32>) {
  // expected-error@+1 {{expects}}
  %y = tn.log_softmax %x : tensor<f32>
  return
}
