// RUN: %test_op | FileCheck %s

// The lowest index of equal elements.
// CHECK: @argmax contract: tensor<2xi32> [1, 0]
// CHECK: @argmax real: tensor<2xi32> [1, 0]
// CHECK: tn.argmax %{{.*}} : tensor<2x4xf32> -> tensor<2xi32>
func.func @argmax(%x: tensor<2x4xf32>) -> tensor<2xi32>
    attributes {tn.test_inputs = [
        dense<[[1.0, 3.0, 3.0, 2.0], [-1.0, -2.0, 0xFF800000, -1.0]]>
        : tensor<2x4xf32>]} {
  %y = tn.argmax %x : tensor<2x4xf32> -> tensor<2xi32>
  return %y : tensor<2xi32>
}

// -----

// CHECK: @nan contract: tensor<i32>
// CHECK: @nan contract fails: nan in tn.argmax, row 0, value 0
// CHECK: @nan real: tensor<i32>
// CHECK: @nan real fails: nan in tn.argmax, row 0, value 0
func.func @nan(%x: tensor<2xf32>) -> tensor<i32>
    attributes {tn.test_inputs = [
        dense<[1.0, 0x7FC00000]> : tensor<2xf32>]} {
  %y = tn.argmax %x : tensor<2xf32> -> tensor<i32>
  return %y : tensor<i32>
}

// -----

func.func @argmax_c1(%x: tensor<f32>) {
  // expected-error@+1 {{expects x of rank >= 1}}
  %y = tn.argmax %x : tensor<f32> -> tensor<i32>
  return
}

// -----

func.func @argmax_c2(%x: tensor<2x4xf32>) {
  // expected-error@+1 {{expects y of type 'tensor<2xi32>', got 'tensor<4xi32>'}}
  %y = tn.argmax %x : tensor<2x4xf32> -> tensor<4xi32>
  return
}
