// RUN: tenon-opt %s --split-input-file --verify-diagnostics --tn-differentiate

func.func @no_adjoint(%x: tensor<1x8xf32>, %k: !tn.cache<keys, 1 x 8 x f32>,
    %v: !tn.cache<values, 1 x 8 x f32>, %b: !tn.batch)
    -> (tensor<f32>, tensor<1x8xf32>) {
  %l, %g = tn.gradient @loss(%x, %k, %v, %b) wrt [0]
      : (tensor<1x8xf32>, !tn.cache<keys, 1 x 8 x f32>,
         !tn.cache<values, 1 x 8 x f32>, !tn.batch)
      -> (tensor<f32>, tensor<1x8xf32>)
  return %l, %g : tensor<f32>, tensor<1x8xf32>
}
func.func private @loss(%x: tensor<1x8xf32>, %k: !tn.cache<keys, 1 x 8 x f32>,
    %v: !tn.cache<values, 1 x 8 x f32>, %b: !tn.batch) -> tensor<f32> {
  %q = tn.reshape %x : tensor<1x8xf32> -> tensor<1x1x8xf32>
  // expected-error@+1 {{'tn.attention' op has no adjoint, and lies between what gradients are asked for and the loss}}
  %y = tn.attention %q, %k, %v, %b scale 1.0 : tensor<1x1x8xf32>,
      !tn.cache<keys, 1 x 8 x f32>, !tn.cache<values, 1 x 8 x f32> -> tensor<1x1x8xf32>
  %z = tn.reshape %y : tensor<1x1x8xf32> -> tensor<8xf32>
  %l = tn.reduce sum %z : tensor<8xf32> -> tensor<f32>
  return %l : tensor<f32>
}

// -----

func.func @wrong_adjoint(%x: tensor<f32>) -> (tensor<f32>, tensor<f32>) {
  %l, %g = tn.gradient @loss(%x) wrt [0]
      : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return %l, %g : tensor<f32>, tensor<f32>
}
func.func private @loss(%x: tensor<f32>) -> tensor<f32> {
  %y = call @square(%x) : (tensor<f32>) -> tensor<f32>
  return %y : tensor<f32>
}
func.func private @square(%x: tensor<f32>) -> tensor<f32>
    attributes {tn.adjoint = @adjoint} {
  %y = tn.mul %x, %x : tensor<f32>
  return %y : tensor<f32>
}
// expected-error@+1 {{expects the type of the adjoint of @square, '(tensor<f32>, tensor<f32>, tensor<f32>) -> tensor<f32>'}}
func.func private @adjoint(%x: tensor<f32>, %g: tensor<f32>) -> tensor<f32> {
  return %g : tensor<f32>
}

// -----

func.func @frequency(%x: tensor<1x1x2xf32>, %b: !tn.batch, %f: tensor<1xf32>)
    -> (tensor<f32>, tensor<1xf32>) {
  %l, %g = tn.gradient @loss(%x, %b, %f) wrt [2]
      : (tensor<1x1x2xf32>, !tn.batch, tensor<1xf32>)
      -> (tensor<f32>, tensor<1xf32>)
  return %l, %g : tensor<f32>, tensor<1xf32>
}
func.func private @loss(%x: tensor<1x1x2xf32>, %b: !tn.batch,
    %f: tensor<1xf32>) -> tensor<f32> {
  // expected-error@+1 {{'tn.rope' op has no gradient with respect to its frequency}}
  %y = tn.rope half %x, %b, %f : tensor<1x1x2xf32>, tensor<1xf32>
  %z = tn.reshape %y : tensor<1x1x2xf32> -> tensor<2xf32>
  %l = tn.reduce sum %z : tensor<2xf32> -> tensor<f32>
  return %l : tensor<f32>
}
