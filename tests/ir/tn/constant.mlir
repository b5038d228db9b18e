// RUN: %test_op | FileCheck %s

// CHECK: @constant contract: tensor<2xbf16> [1.5, -2]
// CHECK: @constant contract: tensor<3xi64> [1, -2, 3]
// CHECK: @constant contract: tensor<i1> [1]
// CHECK: @constant contract: tensor<2x2xf32> [0.25, 0.25, 0.25, 0.25]
// CHECK: @constant real: tensor<2xbf16> [1.5, -2]
// CHECK: @constant real: tensor<3xi64> [1, -2, 3]
// CHECK: @constant real: tensor<i1> [1]
// CHECK: @constant real: tensor<2x2xf32> [0.25, 0.25, 0.25, 0.25]
// CHECK: tn.constant dense<[1.500000e+00, -2.000000e+00]> : tensor<2xbf16>
func.func @constant() -> (tensor<2xbf16>, tensor<3xi64>, tensor<i1>,
    tensor<2x2xf32>)
    attributes {tn.test_inputs = []} {
  %y0 = tn.constant dense<[1.5, -2.0]> : tensor<2xbf16>
  %y1 = tn.constant dense<[1, -2, 3]> : tensor<3xi64>
  %y2 = tn.constant dense<true> : tensor<i1>
  %y3 = tn.constant dense<0.25> : tensor<2x2xf32>
  return %y0, %y1, %y2, %y3 : tensor<2xbf16>, tensor<3xi64>, tensor<i1>,
      tensor<2x2xf32>
}

// -----

func.func @element_type() {
  // expected-error@+1 {{op result #0 must be ranked tensor of}}
  %y = tn.constant dense<1.0> : tensor<2xf64>
  return
}
