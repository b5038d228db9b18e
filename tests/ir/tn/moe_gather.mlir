// RUN: %test_op | FileCheck %s

// CHECK: @moe_gather contract: tensor<2x2x1xf32> [10, 20, 20, 10]
// CHECK: @moe_gather real: tensor<2x2x1xf32> [10, 20, 20, 10]
// CHECK: tn.moe_gather %{{.*}}, %{{.*}} inverse %{{.*}} : tensor<2x1xf32>, tensor<2x2xi32> -> tensor<2x2x1xf32>
func.func @moe_gather(%x: tensor<2x1xf32>, %i: tensor<2x2xi32>,
    %j: tensor<2x2xi32>) -> tensor<2x2x1xf32>
    attributes {tn.test_inputs = [
        dense<[[10.0], [20.0]]> : tensor<2x1xf32>,
        dense<[[1, 2], [3, 0]]> : tensor<2x2xi32>,
        dense<[[3, 0], [1, 2]]> : tensor<2x2xi32>]} {
  %y = tn.moe_gather %x, %i inverse %j : tensor<2x1xf32>, tensor<2x2xi32>
      -> tensor<2x2x1xf32>
  return %y : tensor<2x2x1xf32>
}

// -----

// A number that is none reads row 0.
// CHECK: @rows contract: tensor<2x2x1xf32> [2, 1, 4, 3]
// CHECK: @rows contract fails: index in tn.moe_gather, row 1, value 4
// CHECK: @rows real: tensor<2x2x1xf32> [2, 1, 4, 3]
// CHECK: @rows real fails: index in tn.moe_gather, row 1, value 4
func.func @rows(%x: tensor<2x2x1xf32>, %i: tensor<2x2xi32>) -> tensor<2x2x1xf32>
    attributes {tn.test_inputs = [
        dense<[[[1.0], [2.0]], [[3.0], [4.0]]]> : tensor<2x2x1xf32>,
        dense<[[1, 4], [3, 2]]> : tensor<2x2xi32>]} {
  %y = tn.moe_gather %x, %i inverse %i : tensor<2x2x1xf32>, tensor<2x2xi32>
      -> tensor<2x2x1xf32>
  return %y : tensor<2x2x1xf32>
}

// -----

func.func @moe_gather_c1(%x: tensor<2x1xf32>, %i: tensor<2xi32>) {
  // expected-error@+1 {{expects index of shape [T, K] with a static K >= 1, got 'tensor<2xi32>'}}
  %y = tn.moe_gather %x, %i inverse %i : tensor<2x1xf32>, tensor<2xi32>
      -> tensor<2x1xf32>
  return
}

// -----

func.func @moe_gather_c2(%x: tensor<2xf32>, %i: tensor<2x2xi32>) {
  // expected-error@+1 {{expects x of shape [T, D] or [T, K, D], got 'tensor<2xf32>'}}
  %y = tn.moe_gather %x, %i inverse %i : tensor<2xf32>, tensor<2x2xi32>
      -> tensor<2x2x1xf32>
  return
}

// -----

func.func @moe_gather_c2_tokens(%x: tensor<3x1xf32>, %i: tensor<2x2xi32>) {
  // expected-error@+1 {{expects axis 0 of x equal to axis 0 of index}}
  %y = tn.moe_gather %x, %i inverse %i : tensor<3x1xf32>, tensor<2x2xi32>
      -> tensor<2x2x1xf32>
  return
}

// -----

func.func @moe_gather_c3(%x: tensor<2x1xf32>, %i: tensor<2x2xi32>) {
  // expected-error@+1 {{expects y of type 'tensor<2x2x1xf32>', got 'tensor<2x1xf32>'}}
  %y = tn.moe_gather %x, %i inverse %i : tensor<2x1xf32>, tensor<2x2xi32>
      -> tensor<2x1xf32>
  return
}
