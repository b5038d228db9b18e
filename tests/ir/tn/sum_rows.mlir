// RUN: %test_op | FileCheck %s

// CHECK: @sum_rows contract: tensor<2xf32> [9, 12]
// CHECK: @sum_rows real: tensor<2xf32> [9, 12]
// CHECK: tn.sum_rows %{{.*}} : tensor<3x2xf32> -> tensor<2xf32>
func.func @sum_rows(%x: tensor<3x2xf32>) -> tensor<2xf32>
    attributes {tn.test_inputs = [
        dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>]} {
  %y = tn.sum_rows %x : tensor<3x2xf32> -> tensor<2xf32>
  return %y : tensor<2xf32>
}

// -----

func.func @sum_rows_c1(%x: tensor<3x2xf32>) {
  // expected-error@+1 {{expects}}
  %y = tn.sum_rows %x : tensor<3x2xf32> -> tensor<3xf32>
  return
}
