// RUN: %test_op | FileCheck %s

// Equal scores are ordered by index; weights are the scores.
// CHECK: @moe_route contract: tensor<2x2xf32> [0.5, 0.25, 0.25, 0.25]
// CHECK: @moe_route contract: tensor<2x2xi32> [2, 0, 0, 1]
// CHECK: @moe_route real: tensor<2x2xf32> [0.5, 0.25, 0.25, 0.25]
// CHECK: @moe_route real: tensor<2x2xi32> [2, 0, 0, 1]
// CHECK: tn.moe_route softmax %{{.*}} {k = 2 : i64} : tensor<2x4xf32> -> tensor<2x2xf32>, tensor<2x2xi32>
func.func @moe_route(%x: tensor<2x4xf32>) -> (tensor<2x2xf32>, tensor<2x2xi32>)
    attributes {tn.test_inputs = [
        dense<[[0.0, 0xFF800000, 0.69314718, 0.0], [1.0, 1.0, 1.0, 1.0]]>
        : tensor<2x4xf32>]} {
  %w, %e = tn.moe_route softmax %x {k = 2 : i64} : tensor<2x4xf32>
      -> tensor<2x2xf32>, tensor<2x2xi32>
  return %w, %e : tensor<2x2xf32>, tensor<2x2xi32>
}

// -----

// The bias chooses expert 3 and has no part in the weights, which sum to 2.
// CHECK: @bias contract: tensor<1x2xf32> [1, 1]
// CHECK: @bias contract: tensor<1x2xi32> [3, 0]
// CHECK: @bias real: tensor<1x2xf32> [1, 1]
// CHECK: @bias real: tensor<1x2xi32> [3, 0]
// CHECK: tn.moe_route sigmoid %{{.*}} bias %{{.*}} {k = 2 : i64, normalize, scale = 2.000000e+00 : f64} : tensor<1x4xf32>, tensor<4xf32> -> tensor<1x2xf32>, tensor<1x2xi32>
func.func @bias(%x: tensor<1x4xf32>, %b: tensor<4xf32>)
    -> (tensor<1x2xf32>, tensor<1x2xi32>)
    attributes {tn.test_inputs = [
        dense<[[0.0, 0.0, 0.0, 0.0]]> : tensor<1x4xf32>,
        dense<[0.0, -1.0, 0.0, 1.0]> : tensor<4xf32>]} {
  %w, %e = tn.moe_route sigmoid %x bias %b {k = 2 : i64, normalize,
      scale = 2.0 : f64} : tensor<1x4xf32>, tensor<4xf32>
      -> tensor<1x2xf32>, tensor<1x2xi32>
  return %w, %e : tensor<1x2xf32>, tensor<1x2xi32>
}

// -----

// By its largest choice the first of three groups is kept, by its two largest
// the last one. Every choice is below zero: removed experts are below them.
// CHECK: @max contract: tensor<1x2xi32> [0, 1]
// CHECK: @max real: tensor<1x2xi32> [0, 1]
// CHECK: @top2 contract: tensor<1x2xi32> [4, 5]
// CHECK: @top2 real: tensor<1x2xi32> [4, 5]
func.func @max(%x: tensor<1x6xf32>, %b: tensor<6xf32>) -> tensor<1x2xi32>
    attributes {tn.test_inputs = [dense<0.0> : tensor<1x6xf32>,
        dense<[-1.0, -9.0, -8.0, -8.0, -2.0, -3.0]> : tensor<6xf32>]} {
  %w, %e = tn.moe_route sigmoid %x bias %b {k = 2 : i64, groups = 3 : i64,
      kept_groups = 1 : i64} : tensor<1x6xf32>, tensor<6xf32>
      -> tensor<1x2xf32>, tensor<1x2xi32>
  return %e : tensor<1x2xi32>
}
func.func @top2(%x: tensor<1x6xf32>, %b: tensor<6xf32>) -> tensor<1x2xi32>
    attributes {tn.test_inputs = [dense<0.0> : tensor<1x6xf32>,
        dense<[-1.0, -9.0, -8.0, -8.0, -2.0, -3.0]> : tensor<6xf32>]} {
  %w, %e = tn.moe_route sigmoid %x bias %b {k = 2 : i64, groups = 3 : i64,
      kept_groups = 1 : i64, top2} : tensor<1x6xf32>, tensor<6xf32>
      -> tensor<1x2xf32>, tensor<1x2xi32>
  return %e : tensor<1x2xi32>
}

// -----

// Experts differ whatever the logits are.
// CHECK: @nan contract: tensor<1x3xi32> [2, 0, 1]
// CHECK: @nan contract fails: nan in tn.moe_route, row 0, value 0
// CHECK: @nan real: tensor<1x3xi32> [2, 0, 1]
// CHECK: @nan real fails: nan in tn.moe_route, row 0, value 0
func.func @nan(%x: tensor<1x3xf32>) -> tensor<1x3xi32>
    attributes {tn.test_inputs = [
        dense<[[0x7FC00000, 0x7FC00000, 0.0]]> : tensor<1x3xf32>]} {
  %w, %e = tn.moe_route sigmoid %x {k = 3 : i64} : tensor<1x3xf32>
      -> tensor<1x3xf32>, tensor<1x3xi32>
  return %e : tensor<1x3xi32>
}

// -----

func.func @moe_route_c1(%x: tensor<2x4xf16>) {
  // expected-error@+1 {{expects logits of shape [T, E] of f32 with a static E from 1 to 4096, got 'tensor<2x4xf16>'}}
  %w, %e = tn.moe_route softmax %x {k = 2 : i64} : tensor<2x4xf16>
      -> tensor<2x2xf32>, tensor<2x2xi32>
  return
}

// -----

func.func @moe_route_c1_most(%x: tensor<2x4097xf32>) {
  // expected-error@+1 {{from 1 to 4096, got 'tensor<2x4097xf32>'}}
  %w, %e = tn.moe_route softmax %x {k = 2 : i64} : tensor<2x4097xf32>
      -> tensor<2x2xf32>, tensor<2x2xi32>
  return
}

// -----

func.func @moe_route_c2(%x: tensor<2x4xf32>, %b: tensor<5xf32>) {
  // expected-error@+1 {{expects bias of type 'tensor<4xf32>', got 'tensor<5xf32>'}}
  %w, %e = tn.moe_route softmax %x bias %b {k = 2 : i64} : tensor<2x4xf32>,
      tensor<5xf32> -> tensor<2x2xf32>, tensor<2x2xi32>
  return
}

// -----

func.func @moe_route_c3(%x: tensor<2x4xf32>) {
  // expected-error@+1 {{expects groups that divide the experts, and kept_groups from 1 to groups, got 4 experts, 3 groups and 1 kept ones}}
  %w, %e = tn.moe_route softmax %x {k = 1 : i64, groups = 3 : i64}
      : tensor<2x4xf32> -> tensor<2x1xf32>, tensor<2x1xi32>
  return
}

// -----

func.func @moe_route_c3_kept(%x: tensor<2x4xf32>) {
  // expected-error@+1 {{got 4 experts, 2 groups and 3 kept ones}}
  %w, %e = tn.moe_route softmax %x {k = 1 : i64, groups = 2 : i64,
      kept_groups = 3 : i64} : tensor<2x4xf32>
      -> tensor<2x1xf32>, tensor<2x1xi32>
  return
}

// -----

func.func @moe_route_c4(%x: tensor<2x4xf32>) {
  // expected-error@+1 {{expects groups of at least 2 experts with top2, got 1}}
  %w, %e = tn.moe_route softmax %x {k = 1 : i64, groups = 4 : i64, top2}
      : tensor<2x4xf32> -> tensor<2x1xf32>, tensor<2x1xi32>
  return
}

// -----

func.func @moe_route_c5(%x: tensor<2x4xf32>) {
  // expected-error@+1 {{expects k from 1 to the experts of the kept groups, 2, got 3}}
  %w, %e = tn.moe_route softmax %x {k = 3 : i64, groups = 2 : i64}
      : tensor<2x4xf32> -> tensor<2x3xf32>, tensor<2x3xi32>
  return
}

// -----

func.func @moe_route_c6(%x: tensor<2x4xf32>) {
  // expected-error@+1 {{expects weights of type 'tensor<2x2xf32>', got 'tensor<2x3xf32>'}}
  %w, %e = tn.moe_route softmax %x {k = 2 : i64} : tensor<2x4xf32>
      -> tensor<2x3xf32>, tensor<2x2xi32>
  return
}
