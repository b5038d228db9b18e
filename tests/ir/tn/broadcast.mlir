// RUN: %test_op | FileCheck %s

// CHECK: @broadcast contract: tensor<2x2x3xf32> [1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2]
// CHECK: @broadcast real: tensor<2x2x3xf32> [1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2]
// CHECK: tn.broadcast %{{.*}} : tensor<2x1xf32> -> tensor<2x2x3xf32>
func.func @broadcast(%x: tensor<2x1xf32>) -> tensor<2x2x3xf32>
    attributes {tn.test_inputs = [
        dense<[[1.0], [2.0]]> : tensor<2x1xf32>]} {
  %y = tn.broadcast %x : tensor<2x1xf32> -> tensor<2x2x3xf32>
  return %y : tensor<2x2x3xf32>
}

// -----

// A dynamic extent is that of its symbol.
// CHECK: @symbol contract: tensor<2x2xi32> [7, 7, 7, 7]
// CHECK: @symbol real: tensor<2x2xi32> [7, 7, 7, 7]
func.func @symbol(%x: tensor<i32>, %t: tensor<?xf32, #tn.dims<T>>)
    -> tensor<?x2xi32, #tn.dims<T, 2>>
    attributes {tn.symbols = [#tn.symbol<"T", 1 to 4>], tn.test_inputs = [
        dense<7> : tensor<i32>,
        dense<[1.0, 2.0]> : tensor<2xf32>]} {
  %y = tn.broadcast %x : tensor<i32> -> tensor<?x2xi32, #tn.dims<T, 2>>
  return %y : tensor<?x2xi32, #tn.dims<T, 2>>
}

// -----

func.func @broadcast_c1(%x: tensor<1xf32>) {
  // expected-error@+1 {{expects equal element types}}
  %y = tn.broadcast %x : tensor<1xf32> -> tensor<2xi32>
  return
}

// -----

func.func @broadcast_c2(%x: tensor<3xf32>) {
  // expected-error@+1 {{expects axis 0 of x to be 1 or axis 0 of y}}
  %y = tn.broadcast %x : tensor<3xf32> -> tensor<2xf32>
  return
}

// -----

func.func @broadcast_c2_rank(%x: tensor<1x3xf32>) {
  // expected-error@+1 {{expects y of rank >= 2}}
  %y = tn.broadcast %x : tensor<1x3xf32> -> tensor<3xf32>
  return
}
