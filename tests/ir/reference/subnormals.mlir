// RUN: %test_op | FileCheck %s

// Contract takes subnormals for zero, in and out; views copy their bits. Real
// is plain double.
// CHECK: @flush contract: tensor<2xf32> [0, 2.39999996e-38]
// CHECK: @flush contract: tensor<2xi1> [1, 0]
// CHECK: @flush contract: tensor<2xf32> [0, 0]
// CHECK: @flush contract: tensor<1x2xf32> [1.00000{{[0-9]*}}e-39, 1.19999998e-38]
// CHECK: @flush real: tensor<2xf32> [2.00000{{[0-9]*}}e-39, 2.39999996e-38]
// CHECK: @flush real: tensor<2xi1> [0, 0]
// CHECK: @flush real: tensor<2xf32> [1.00000{{[0-9]*}}e-78, 1.4399{{[0-9]*}}e-76]
func.func @flush(%x: tensor<2xf32>, %zero: tensor<2xf32>)
    -> (tensor<2xf32>, tensor<2xi1>, tensor<2xf32>, tensor<1x2xf32>)
    attributes {tn.test_inputs = [dense<[1.0e-39, 1.2e-38]> : tensor<2xf32>,
                                  dense<0.0> : tensor<2xf32>]} {
  %sum = tn.add %x, %x : tensor<2xf32>
  %is = tn.compare eq %x, %zero : tensor<2xf32> -> tensor<2xi1>
  %square = tn.mul %x, %x : tensor<2xf32>
  %view = tn.reshape %x : tensor<2xf32> -> tensor<1x2xf32>
  return %sum, %is, %square, %view
      : tensor<2xf32>, tensor<2xi1>, tensor<2xf32>, tensor<1x2xf32>
}
