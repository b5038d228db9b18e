// RUN: %test_op | FileCheck %s

// Expert 1 has no assignment; equal experts stay in the order of tokens.
// CHECK: @moe_dispatch contract: tensor<3x2xi32> [1, 2, 4, 0, 3, 5]
// CHECK: @moe_dispatch contract: tensor<3x2xi32> [3, 0, 1, 4, 2, 5]
// CHECK: @moe_dispatch contract: tensor<4xi32> [0, 3, 3, 6]
// CHECK: @moe_dispatch real: tensor<3x2xi32> [1, 2, 4, 0, 3, 5]
// CHECK: @moe_dispatch real: tensor<3x2xi32> [3, 0, 1, 4, 2, 5]
// CHECK: @moe_dispatch real: tensor<4xi32> [0, 3, 3, 6]
// CHECK: tn.moe_dispatch %{{.*}} of 3 : tensor<3x2xi32> -> tensor<3x2xi32>, tensor<3x2xi32>, tensor<4xi32>
func.func @moe_dispatch(%e: tensor<3x2xi32>)
    -> (tensor<3x2xi32>, tensor<3x2xi32>, tensor<4xi32>)
    attributes {tn.test_inputs = [
        dense<[[2, 0], [0, 2], [0, 2]]> : tensor<3x2xi32>]} {
  %o, %p, %f = tn.moe_dispatch %e of 3 : tensor<3x2xi32>
      -> tensor<3x2xi32>, tensor<3x2xi32>, tensor<4xi32>
  return %o, %p, %f : tensor<3x2xi32>, tensor<3x2xi32>, tensor<4xi32>
}

// -----

// An expert that is none counts as expert 0.
// CHECK: @outside contract: tensor<3xi32> [0, 1, 2]
// CHECK: @outside contract fails: index in tn.moe_dispatch, row 1, value 2
// CHECK: @outside real: tensor<3xi32> [0, 1, 2]
// CHECK: @outside real fails: index in tn.moe_dispatch, row 1, value 2
func.func @outside(%e: tensor<2x1xi32>) -> tensor<3xi32>
    attributes {tn.test_inputs = [dense<[[1], [2]]> : tensor<2x1xi32>]} {
  %o, %p, %f = tn.moe_dispatch %e of 2 : tensor<2x1xi32>
      -> tensor<2x1xi32>, tensor<2x1xi32>, tensor<3xi32>
  return %f : tensor<3xi32>
}

// -----

func.func @moe_dispatch_c1(%e: tensor<3xi32>) {
  // expected-error@+1 {{expects experts of shape [T, K] with a static K >= 1, got 'tensor<3xi32>'}}
  %o, %p, %f = tn.moe_dispatch %e of 3 : tensor<3xi32>
      -> tensor<3xi32>, tensor<3xi32>, tensor<4xi32>
  return
}

// -----

func.func @moe_dispatch_c2(%e: tensor<3x2xi32>) {
  // expected-error@+1 {{expects places of type 'tensor<3x2xi32>', got 'tensor<3x1xi32>'}}
  %o, %p, %f = tn.moe_dispatch %e of 3 : tensor<3x2xi32>
      -> tensor<3x2xi32>, tensor<3x1xi32>, tensor<4xi32>
  return
}

// -----

func.func @moe_dispatch_c3(%e: tensor<3x2xi32>) {
  // expected-error@+1 {{expects from 1 to 4096 experts, got 0}}
  %o, %p, %f = tn.moe_dispatch %e of 0 : tensor<3x2xi32>
      -> tensor<3x2xi32>, tensor<3x2xi32>, tensor<1xi32>
  return
}

// -----

func.func @moe_dispatch_c3_offsets(%e: tensor<3x2xi32>) {
  // expected-error@+1 {{expects offsets of type 'tensor<4xi32>', got 'tensor<3xi32>'}}
  %o, %p, %f = tn.moe_dispatch %e of 3 : tensor<3x2xi32>
      -> tensor<3x2xi32>, tensor<3x2xi32>, tensor<3xi32>
  return
}
