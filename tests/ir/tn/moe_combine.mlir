// RUN: %test_op | FileCheck %s

// CHECK: @moe_combine contract: tensor<2x1xf32> [23, 34]
// CHECK: @moe_combine real: tensor<2x1xf32> [23, 34]
// CHECK: tn.moe_combine %{{.*}}, %{{.*}}, %{{.*}} inverse %{{.*}} : tensor<2x2x1xf32>, tensor<2x2xi32>, tensor<2x2xf32> -> tensor<2x1xf32>
func.func @moe_combine(%r: tensor<2x2x1xf32>, %p: tensor<2x2xi32>,
    %w: tensor<2x2xf32>, %o: tensor<2x2xi32>) -> tensor<2x1xf32>
    attributes {tn.test_inputs = [
        dense<[[[1.0], [2.0]], [[3.0], [4.0]]]> : tensor<2x2x1xf32>,
        dense<[[2, 1], [3, 0]]> : tensor<2x2xi32>,
        dense<[[1.0, 10.0], [8.0, 2.0]]> : tensor<2x2xf32>,
        dense<[[3, 1], [0, 2]]> : tensor<2x2xi32>]} {
  %y = tn.moe_combine %r, %p, %w inverse %o : tensor<2x2x1xf32>,
      tensor<2x2xi32>, tensor<2x2xf32> -> tensor<2x1xf32>
  return %y : tensor<2x1xf32>
}

// -----

// A place that is none reads row 0; 2^24 + 1 loses the 1, in the order of k.
// CHECK: @order contract: tensor<1x1xf32> [0]
// CHECK: @order contract fails: index in tn.moe_combine, row 2, value -1
// CHECK: @order real: tensor<1x1xf32> [1]
// CHECK: @order real fails: index in tn.moe_combine, row 2, value -1
func.func @order(%r: tensor<1x3x1xf32>, %p: tensor<1x3xi32>,
    %w: tensor<1x3xf32>) -> tensor<1x1xf32>
    attributes {tn.test_inputs = [
        dense<[[[16777216.0], [1.0], [5.0]]]> : tensor<1x3x1xf32>,
        dense<[[0, 1, -1]]> : tensor<1x3xi32>,
        dense<[[1.0, 1.0, -1.0]]> : tensor<1x3xf32>]} {
  %y = tn.moe_combine %r, %p, %w inverse %p : tensor<1x3x1xf32>,
      tensor<1x3xi32>, tensor<1x3xf32> -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}

// -----

func.func @moe_combine_c1(%r: tensor<4x1xf32>, %p: tensor<2x2xi32>,
    %w: tensor<2x2xf32>) {
  // expected-error@+1 {{expects rows of rank 3}}
  %y = tn.moe_combine %r, %p, %w inverse %p : tensor<4x1xf32>,
      tensor<2x2xi32>, tensor<2x2xf32> -> tensor<2x1xf32>
  return
}

// -----

func.func @moe_combine_c1_places(%r: tensor<2x3x1xf32>, %p: tensor<2x2xi32>,
    %w: tensor<2x2xf32>) {
  // expected-error@+1 {{expects rows of type 'tensor<2x2x1xf32>', got 'tensor<2x3x1xf32>'}}
  %y = tn.moe_combine %r, %p, %w inverse %p : tensor<2x3x1xf32>,
      tensor<2x2xi32>, tensor<2x2xf32> -> tensor<2x1xf32>
  return
}

// -----

func.func @moe_combine_c2(%r: tensor<2x2x1xf32>, %p: tensor<4xi32>,
    %w: tensor<2x2xf32>) {
  // expected-error@+1 {{expects places of shape [T, K] with a static K >= 1, got 'tensor<4xi32>'}}
  %y = tn.moe_combine %r, %p, %w inverse %p : tensor<2x2x1xf32>,
      tensor<4xi32>, tensor<2x2xf32> -> tensor<2x1xf32>
  return
}

// -----

func.func @moe_combine_c3(%r: tensor<2x2x1xf32>, %p: tensor<2x2xi32>,
    %w: tensor<2x2xf16>) {
  // expected-error@+1 {{expects weights of type 'tensor<2x2xf32>', got 'tensor<2x2xf16>'}}
  %y = tn.moe_combine %r, %p, %w inverse %p : tensor<2x2x1xf32>,
      tensor<2x2xi32>, tensor<2x2xf16> -> tensor<2x1xf32>
  return
}

// -----

func.func @moe_combine_c4(%r: tensor<2x2x1xf32>, %p: tensor<2x2xi32>,
    %w: tensor<2x2xf32>) {
  // expected-error@+1 {{expects y of type 'tensor<2x1xf32>', got 'tensor<2x2xf32>'}}
  %y = tn.moe_combine %r, %p, %w inverse %p : tensor<2x2x1xf32>,
      tensor<2x2xi32>, tensor<2x2xf32> -> tensor<2x2xf32>
  return
}
