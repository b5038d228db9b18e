// RUN: %test_op | FileCheck %s

// CHECK: @overwrite contract: tensor<2xf32> [3, 4]
// CHECK: @overwrite real: tensor<2xf32> [3, 4]
// CHECK: tn.overwrite %{{.*}}, %{{.*}} : tensor<2xf32>
func.func @overwrite(%x: tensor<2xf32>, %y: tensor<2xf32>) -> tensor<2xf32>
    attributes {tn.test_inputs = [
        dense<[1.0, 2.0]> : tensor<2xf32>,
        dense<[3.0, 4.0]> : tensor<2xf32>]} {
  %z = tn.overwrite %x, %y : tensor<2xf32>
  return %z : tensor<2xf32>
}

// -----

func.func @overwrite_c1(%x: tensor<2xf32>, %y: tensor<2xf32>)
    -> tensor<2xf32> {
  // expected-note@+1 {{the change}}
  %z = tn.overwrite %x, %y : tensor<2xf32>
  // expected-error@+1 {{expects linear use of the overwritten 'tensor<2xf32>': it is used after it was changed}}
  %w = tn.add %x, %z : tensor<2xf32>
  return %w : tensor<2xf32>
}

// -----

// Who reads a view of it reads its memory.
func.func @overwrite_c1_view(%x: tensor<2xf32>, %y: tensor<2xf32>)
    -> tensor<1x2xf32> {
  %v = tn.reshape %x : tensor<2xf32> -> tensor<1x2xf32>
  // expected-note@+1 {{the change}}
  %z = tn.overwrite %x, %y : tensor<2xf32>
  // expected-error@+1 {{expects linear use of the overwritten 'tensor<2xf32>': it is used after it was changed}}
  %w = tn.neg %v : tensor<1x2xf32>
  return %w : tensor<1x2xf32>
}

// -----

func.func @overwrite_c1_twice(%x: tensor<2xf32>, %y: tensor<2xf32>)
    -> (tensor<2xf32>, tensor<2xf32>) {
  // expected-note@+1 {{the other change}}
  %z = tn.overwrite %x, %y : tensor<2xf32>
  // expected-error@+1 {{it is changed twice}}
  %w = tn.overwrite %x, %y : tensor<2xf32>
  return %z, %w : tensor<2xf32>, tensor<2xf32>
}

// -----

// A view's memory is that of what it is a view of.
func.func @overwrite_c1_of_a_view(%x: tensor<2xf32>, %y: tensor<1x2xf32>)
    -> (tensor<1x2xf32>, tensor<2xf32>) {
  %v = tn.reshape %x : tensor<2xf32> -> tensor<1x2xf32>
  // expected-note@+1 {{the change}}
  %z = tn.overwrite %v, %y : tensor<1x2xf32>
  // expected-error@+1 {{expects linear use of the overwritten 'tensor<1x2xf32>': it is used after it was changed}}
  %w = tn.neg %x : tensor<2xf32>
  return %z, %w : tensor<1x2xf32>, tensor<2xf32>
}
