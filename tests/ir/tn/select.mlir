// RUN: %test_op | FileCheck %s

// The other side does not matter.
// CHECK: @select contract: tensor<2xf32> [1, 4]
// CHECK: @select real: tensor<2xf32> [1, 4]
// CHECK: tn.select %{{.*}}, %{{.*}}, %{{.*}} : tensor<2xi1>, tensor<2xf32>
func.func @select(%c: tensor<2xi1>, %a: tensor<2xf32>, %b: tensor<2xf32>)
    -> tensor<2xf32>
    attributes {tn.test_inputs = [
        dense<[true, false]> : tensor<2xi1>,
        dense<[1.0, 2.0]> : tensor<2xf32>,
        dense<[0x7FC00000, 4.0]> : tensor<2xf32>]} {
  %y = tn.select %c, %a, %b : tensor<2xi1>, tensor<2xf32>
  return %y : tensor<2xf32>
}

// -----

func.func @select_c1(%c: tensor<3xi1>, %a: tensor<2xf32>) {
  // expected-error@+1 {{expects}}
  %y = tn.select %c, %a, %a : tensor<3xi1>, tensor<2xf32>
  return
}
