// RUN: %test_op | FileCheck %s

// CHECK: @get contract: tensor<2xf32> [1, 2]
// CHECK: @get real: tensor<2xf32> [1, 2]
// CHECK: tn.get_parameter @w : tensor<2xf32>
module attributes {tn.test_parameters = {w = dense<[1.0, 2.0]>
    : tensor<2xf32>}} {
  tn.parameter @w : tensor<2xf32>
  func.func @get() -> tensor<2xf32> attributes {tn.test_inputs = []} {
    %w = tn.get_parameter @w : tensor<2xf32>
    return %w : tensor<2xf32>
  }
}

// -----

// The encoding may differ: a packed weight has the parameter's name.
// CHECK: tn.get_parameter @w : tensor<32x4xf32, #tn.panels<32>>
module {
  tn.parameter @w : tensor<32x4xf32>
  func.func @packed() {
    %w = tn.get_parameter @w : tensor<32x4xf32, #tn.panels<32>>
    return
  }
}

// -----

func.func @get_parameter_c1() {
  // expected-error@+1 {{expects the name of a tn.parameter, got @missing}}
  %w = tn.get_parameter @missing : tensor<2xf32>
  return
}

// -----

module {
  tn.parameter @w : tensor<2xf32>
  func.func @get_parameter_c1_type() {
    // expected-error@+1 {{expects the type of parameter @w, 'tensor<2xf32>', got 'tensor<3xf32>'}}
    %w = tn.get_parameter @w : tensor<3xf32>
    return
  }
}

// -----

module {
  tn.parameter @w : tensor<2xf32>
  // expected-error@+1 {{expects a value for the parameter}}
  func.func @unbound() -> tensor<2xf32> attributes {tn.test_inputs = []} {
    %w = tn.get_parameter @w : tensor<2xf32>
    return %w : tensor<2xf32>
  }
}
