// RUN: %test_op | FileCheck %s
// RUN: tenon-opt %s --split-input-file --verify-diagnostics --tn-differentiate --tn-interpret | FileCheck %s --check-prefix=CHECK-ADJOINT

// d/dx sum(x^2 w) = 2 x w: by differences, and by the adjoint.
// CHECK: @gradient real: tensor<f32> [14]
// CHECK: @gradient real: tensor<2xf32> [{{4|4.0000000|3.9999999}}{{[0-9]*}}, {{12|12.000000|11.999999}}{{[0-9]*}}]
// CHECK: tn.gradient @loss(%{{.*}}, %{{.*}}) wrt [0] : (tensor<2xf32>, tensor<2xf32>) -> (tensor<f32>, tensor<2xf32>)
// CHECK-ADJOINT: @gradient contract: tensor<f32> [14]
// CHECK-ADJOINT: @gradient contract: tensor<2xf32> [4, 12]
// CHECK-ADJOINT: @gradient real: tensor<f32> [14]
// CHECK-ADJOINT: @gradient real: tensor<2xf32> [4, 12]
func.func @gradient(%x: tensor<2xf32>, %w: tensor<2xf32>)
    -> (tensor<f32>, tensor<2xf32>)
    attributes {tn.test_inputs = [
        dense<[1.0, 2.0]> : tensor<2xf32>,
        dense<[2.0, 3.0]> : tensor<2xf32>]} {
  %l, %g = tn.gradient @loss(%x, %w) wrt [0]
      : (tensor<2xf32>, tensor<2xf32>) -> (tensor<f32>, tensor<2xf32>)
  return %l, %g : tensor<f32>, tensor<2xf32>
}
func.func private @loss(%x: tensor<2xf32>, %w: tensor<2xf32>) -> tensor<f32> {
  %s = tn.mul %x, %x : tensor<2xf32>
  %p = tn.mul %s, %w : tensor<2xf32>
  %l = tn.reduce sum %p : tensor<2xf32> -> tensor<f32>
  return %l : tensor<f32>
}

// -----

func.func @gradient_c1(%x: tensor<f32>) {
  // expected-error@+1 {{expects a function of the module, got @loss}}
  %l, %g = tn.gradient @loss(%x) wrt [0]
      : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return
}

// -----

func.func @gradient_c1_operands(%x: tensor<f32>) {
  // expected-error@+1 {{expects operands of types ('tensor<2xf32>'), got ('tensor<f32>')}}
  %l, %g = tn.gradient @loss(%x) wrt [0]
      : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return
}
func.func private @loss(%x: tensor<2xf32>) -> tensor<f32>

// -----

func.func @gradient_c2(%x: tensor<2xf32>) {
  // expected-error@+1 {{expects the callee's first result to be 'tensor<f32>', got ('tensor<2xf32>')}}
  %l, %g = tn.gradient @loss(%x) wrt [0]
      : (tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>)
  return
}
func.func private @loss(%x: tensor<2xf32>) -> tensor<2xf32>

// -----

func.func @gradient_c3(%x: tensor<f32>) {
  // expected-error@+1 {{expects wrt to be ascending numbers below 1, got 1}}
  %l, %g = tn.gradient @loss(%x) wrt [1]
      : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return
}
func.func private @loss(%x: tensor<f32>) -> tensor<f32>

// -----

func.func @gradient_c3_type(%x: tensor<i32>) {
  // expected-error@+1 {{expects operand 0 to be a float tensor, got 'tensor<i32>'}}
  %l, %g = tn.gradient @loss(%x) wrt [0]
      : (tensor<i32>) -> (tensor<f32>, tensor<i32>)
  return
}
func.func private @loss(%x: tensor<i32>) -> tensor<f32>

// -----

func.func @gradient_c4(%x: tensor<f32>) {
  // expected-error@+1 {{expects results of types ('tensor<f32>', 'tensor<f32>'), got ('tensor<f32>')}}
  %l = tn.gradient @loss(%x) wrt [0] : (tensor<f32>) -> tensor<f32>
  return
}
func.func private @loss(%x: tensor<f32>) -> tensor<f32>
