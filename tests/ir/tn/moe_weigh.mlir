// RUN: %test_op | FileCheck %s

// In the order that is given, which need not be that of the scores.
// CHECK: @moe_weigh contract: tensor<2x2xf32> [0.25, 0.5, 0.25, 0.25]
// CHECK: @moe_weigh real: tensor<2x2xf32> [0.25, 0.5, 0.25, 0.25]
// CHECK: tn.moe_weigh softmax %{{.*}}, %{{.*}} : tensor<2x4xf32>, tensor<2x2xi32> -> tensor<2x2xf32>
func.func @moe_weigh(%x: tensor<2x4xf32>, %e: tensor<2x2xi32>) -> tensor<2x2xf32>
    attributes {tn.test_inputs = [
        dense<[[0.0, 0xFF800000, 0.69314718, 0.0], [1.0, 1.0, 1.0, 1.0]]>
        : tensor<2x4xf32>, dense<[[3, 2], [1, 0]]> : tensor<2x2xi32>]} {
  %w = tn.moe_weigh softmax %x, %e : tensor<2x4xf32>, tensor<2x2xi32>
      -> tensor<2x2xf32>
  return %w : tensor<2x2xf32>
}

// -----

// An expert that is there twice counts twice.
// CHECK: @normalized contract: tensor<1x2xf32> [1, 1]
// CHECK: @normalized real: tensor<1x2xf32> [1, 1]
// CHECK: tn.moe_weigh sigmoid %{{.*}}, %{{.*}} {normalize, scale = 2.000000e+00 : f64}
func.func @normalized(%x: tensor<1x4xf32>, %e: tensor<1x2xi32>)
    -> tensor<1x2xf32> attributes {tn.test_inputs = [
        dense<[[0.0, 3.0, 0.0, 0.0]]> : tensor<1x4xf32>,
        dense<[[1, 1]]> : tensor<1x2xi32>]} {
  %w = tn.moe_weigh sigmoid %x, %e {normalize, scale = 2.0 : f64}
      : tensor<1x4xf32>, tensor<1x2xi32> -> tensor<1x2xf32>
  return %w : tensor<1x2xf32>
}

// -----

// CHECK: @outside contract fails: index in tn.moe_weigh, row 1, value -2
// CHECK: @outside real fails: index in tn.moe_weigh, row 1, value -2
func.func @outside(%x: tensor<2x3xf32>, %e: tensor<2x2xi32>) -> tensor<2x2xf32>
    attributes {tn.test_inputs = [dense<0.0> : tensor<2x3xf32>,
        dense<[[0, 2], [-2, 3]]> : tensor<2x2xi32>]} {
  %w = tn.moe_weigh sigmoid %x, %e : tensor<2x3xf32>, tensor<2x2xi32>
      -> tensor<2x2xf32>
  return %w : tensor<2x2xf32>
}

// -----

// CHECK: @nan contract fails: nan in tn.moe_weigh, row 0, value 0
// CHECK: @nan real fails: nan in tn.moe_weigh, row 0, value 0
func.func @nan(%x: tensor<1x3xf32>, %e: tensor<1x1xi32>) -> tensor<1x1xf32>
    attributes {tn.test_inputs = [
        dense<[[0.0, 0.0, 0x7FC00000]]> : tensor<1x3xf32>,
        dense<0> : tensor<1x1xi32>]} {
  %w = tn.moe_weigh sigmoid %x, %e : tensor<1x3xf32>, tensor<1x1xi32>
      -> tensor<1x1xf32>
  return %w : tensor<1x1xf32>
}

// -----

func.func @moe_weigh_c1(%x: tensor<2x4xf16>, %e: tensor<2x2xi32>) {
  // expected-error@+1 {{expects logits of shape [T, E] of f32 with a static E from 1 to 4096, got 'tensor<2x4xf16>'}}
  %w = tn.moe_weigh softmax %x, %e : tensor<2x4xf16>, tensor<2x2xi32>
      -> tensor<2x2xf32>
  return
}

// -----

func.func @moe_weigh_c2(%x: tensor<2x4xf32>, %e: tensor<2xi32>) {
  // expected-error@+1 {{expects experts of shape [T, K] with a static K >= 1, got 'tensor<2xi32>'}}
  %w = tn.moe_weigh softmax %x, %e : tensor<2x4xf32>, tensor<2xi32>
      -> tensor<2x2xf32>
  return
}

// -----

func.func @moe_weigh_c2_tokens(%x: tensor<2x4xf32>, %e: tensor<3x2xi32>) {
  // expected-error@+1 {{axis 0}}
  %w = tn.moe_weigh softmax %x, %e : tensor<2x4xf32>, tensor<3x2xi32>
      -> tensor<2x2xf32>
  return
}

// -----

func.func @moe_weigh_c3(%x: tensor<2x4xf32>, %e: tensor<2x2xi32>) {
  // expected-error@+1 {{expects weights of type 'tensor<2x2xf32>', got 'tensor<2x3xf32>'}}
  %w = tn.moe_weigh softmax %x, %e : tensor<2x4xf32>, tensor<2x2xi32>
      -> tensor<2x3xf32>
  return
}
