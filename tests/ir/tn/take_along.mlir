// RUN: %test_op | FileCheck %s

// An index outside reads element 0 of the row.
// CHECK: @take_along contract: tensor<2x2xf32> [3, 1, 5, 4]
// CHECK: @take_along contract fails: index in tn.take_along, row 1, value 3
// CHECK: @take_along real: tensor<2x2xf32> [3, 1, 5, 4]
// CHECK: @take_along real fails: index in tn.take_along, row 1, value 3
// CHECK: tn.take_along %{{.*}}, %{{.*}} : tensor<2x3xf32>, tensor<2x2xi32> -> tensor<2x2xf32>
func.func @take_along(%x: tensor<2x3xf32>, %i: tensor<2x2xi32>)
    -> tensor<2x2xf32>
    attributes {tn.test_inputs = [
        dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>,
        dense<[[2, 0], [1, 3]]> : tensor<2x2xi32>]} {
  %y = tn.take_along %x, %i : tensor<2x3xf32>, tensor<2x2xi32>
      -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// -----

func.func @take_along_c1(%x: tensor<2x3xf32>, %i: tensor<3x2xi32>) {
  // expected-error@+1 {{expects axis 0 of x equal to axis 0 of index}}
  %y = tn.take_along %x, %i : tensor<2x3xf32>, tensor<3x2xi32>
      -> tensor<3x2xf32>
  return
}

// -----

func.func @take_along_c2(%x: tensor<2x3xf32>, %i: tensor<2x2xi32>) {
  // expected-error@+1 {{expects y of type 'tensor<2x2xf32>', got 'tensor<2x3xf32>'}}
  %y = tn.take_along %x, %i : tensor<2x3xf32>, tensor<2x2xi32>
      -> tensor<2x3xf32>
  return
}
