// RUN: %test_op | FileCheck %s

// CHECK: @layer_norm contract: tensor<1x2xf32> [0, 1]
// CHECK: @layer_norm real: tensor<1x2xf32> [0, 1]
// CHECK: tn.layer_norm %{{.*}}, %{{.*}}, %{{.*}} eps 3.000000e+00 : tensor<1x2xf32>, tensor<2xf32>, tensor<2xf32>
func.func @layer_norm(%x: tensor<1x2xf32>, %w: tensor<2xf32>, %b: tensor<2xf32>)
    -> tensor<1x2xf32>
    attributes {tn.test_inputs = [
        dense<[[1.0, 3.0]]> : tensor<1x2xf32>,
        dense<[1.0, 2.0]> : tensor<2xf32>,
        dense<[0.5, 0.0]> : tensor<2xf32>]} {
  %y = tn.layer_norm %x, %w, %b eps 3.0 : tensor<1x2xf32>, tensor<2xf32>,
      tensor<2xf32>
  return %y : tensor<1x2xf32>
}

// -----

func.func @layer_norm_c1(%x: tensor<f32>, %w: tensor<1xf32>) {
  // expected-error@+1 {{expects}}
  %y = tn.layer_norm %x, %w, %w eps 1.0 : tensor<f32>, tensor<1xf32>,
      tensor<1xf32>
  return
}

// -----

func.func @layer_norm_c2(%x: tensor<2x8xf32>, %w: tensor<8xf32>,
    %b: tensor<4xf32>) {
  // expected-error@+1 {{expects}}
  %y = tn.layer_norm %x, %w, %b eps 1.0 : tensor<2x8xf32>, tensor<8xf32>,
      tensor<4xf32>
  return
}

// -----

func.func @layer_norm_c3(%x: tensor<2x8xf32>, %w: tensor<8xf32>,
    %b: tensor<8xf32>) {
  // expected-error@+1 {{expects eps > 0}}
  %y = tn.layer_norm %x, %w, %b eps -1.0 : tensor<2x8xf32>, tensor<8xf32>,
      tensor<8xf32>
  return
}
