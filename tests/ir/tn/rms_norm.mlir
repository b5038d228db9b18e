// RUN: %test_op | FileCheck %s

// CHECK: @rms_norm contract: tensor<1x4xf32> [1.19999{{.*}}, 3.19999{{.*}}, 0, 0]
// CHECK: @rms_norm real: tensor<1x4xf32> [1.19999{{.*}}, 3.19999{{.*}}, 0, 0]
// CHECK: tn.rms_norm %{{.*}}, %{{.*}} eps 9.99{{.*}}E-7 : tensor<1x4xf32>, tensor<4xf32>
func.func @rms_norm(%x: tensor<1x4xf32>, %w: tensor<4xf32>) -> tensor<1x4xf32>
    attributes {tn.test_inputs = [
        dense<[[3.0, 4.0, 0.0, 0.0]]> : tensor<1x4xf32>,
        dense<[1.0, 2.0, 1.0, 1.0]> : tensor<4xf32>]} {
  %y = tn.rms_norm %x, %w eps 1.0e-6 : tensor<1x4xf32>, tensor<4xf32>
  return %y : tensor<1x4xf32>
}

// -----

func.func @rms_norm_c1(%x: tensor<f32>, %w: tensor<1xf32>) {
  // expected-error@+1 {{expects}}
  %y = tn.rms_norm %x, %w eps 1.0 : tensor<f32>, tensor<1xf32>
  return
}

// -----

func.func @rms_norm_c2(%x: tensor<2x8xf32>, %w: tensor<4xf32>) {
  // expected-error@+1 {{expects}}
  %y = tn.rms_norm %x, %w eps 1.0 : tensor<2x8xf32>, tensor<4xf32>
  return
}

// -----

func.func @rms_norm_c3(%x: tensor<2x8xf32>, %w: tensor<8xf32>) {
  // expected-error@+1 {{expects eps > 0}}
  %y = tn.rms_norm %x, %w eps 0.0 : tensor<2x8xf32>, tensor<8xf32>
  return
}
