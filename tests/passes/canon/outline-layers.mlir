// RUN: tenon-opt %s --split-input-file --tn-outline-layers | FileCheck %s

// Layers that differ in names and locations only become one function; every
// call names it, in the order of the calls.
// CHECK-LABEL: @two_layers
// CHECK: %[[X:.*]] = call @layer.0(%{{.*}}, %arg1)
// CHECK: %[[Y:.*]] = call @layer.0(%[[X]], %arg2)
// CHECK: return %[[Y]]
// CHECK: func.func private @layer.0
// CHECK-NOT: @layer.1
func.func @two_layers(%x: tensor<4xf32>, %w0: tensor<4xf32>,
    %w1: tensor<4xf32>) -> tensor<4xf32> {
  %y = call @layer.0(%x, %w0) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %z = call @layer.1(%y, %w1) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %z : tensor<4xf32>
}
func.func private @layer.0(%x: tensor<4xf32>, %w: tensor<4xf32>)
    -> tensor<4xf32> {
  %y = tn.mul %x, %w : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @layer.1(%a: tensor<4xf32>, %b: tensor<4xf32>)
    -> tensor<4xf32> {
  %c = tn.mul %a, %b : tensor<4xf32> loc("another line")
  return %c : tensor<4xf32>
}

// -----

// Functions that differ in the functions they call alone are equal once those
// are: the merge is repeated.
// CHECK-LABEL: @callers
// CHECK: call @outer.0
// CHECK: call @outer.0
// CHECK: func.func private @outer.0
// CHECK: call @inner.0
// CHECK-NOT: @inner.1
// CHECK-NOT: @outer.1
// CHECK: func.func private @inner.0
// CHECK-NOT: func.func
// CHECK: // -----
func.func @callers(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = call @outer.0(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %z = call @outer.1(%y) : (tensor<4xf32>) -> tensor<4xf32>
  return %z : tensor<4xf32>
}
func.func private @outer.0(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = call @inner.0(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @outer.1(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = call @inner.1(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @inner.0(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = tn.neg %x : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @inner.1(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = tn.neg %x : tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// Declines: an attribute, an extent or the order of operands makes a layer of
// its own.
// CHECK-LABEL: @different
// CHECK: call @layer.0
// CHECK: call @layer.1
// CHECK: call @layer.2
// CHECK: call @layer.3
// CHECK-DAG: func.func private @layer.0
// CHECK-DAG: func.func private @layer.1
// CHECK-DAG: func.func private @layer.2
// CHECK-DAG: func.func private @layer.3
func.func @different(%x: tensor<4xf32>, %w: tensor<4xf32>, %u: tensor<8xf32>)
    -> (tensor<4xf32>, tensor<8xf32>) {
  %0 = call @layer.0(%x, %w) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = call @layer.1(%0, %w) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %2 = call @layer.2(%u, %u) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  %3 = call @layer.3(%1, %w) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %3, %2 : tensor<4xf32>, tensor<8xf32>
}
func.func private @layer.0(%x: tensor<4xf32>, %w: tensor<4xf32>)
    -> tensor<4xf32> {
  %y = tn.rms_norm %x, %w eps 1.0e-6 : tensor<4xf32>, tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @layer.1(%x: tensor<4xf32>, %w: tensor<4xf32>)
    -> tensor<4xf32> {
  %y = tn.rms_norm %x, %w eps 1.0e-5 : tensor<4xf32>, tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @layer.2(%x: tensor<8xf32>, %w: tensor<8xf32>)
    -> tensor<8xf32> {
  %y = tn.rms_norm %x, %w eps 1.0e-6 : tensor<8xf32>, tensor<8xf32>
  return %y : tensor<8xf32>
}
func.func private @layer.3(%x: tensor<4xf32>, %w: tensor<4xf32>)
    -> tensor<4xf32> {
  %y = tn.rms_norm %w, %x eps 1.0e-6 : tensor<4xf32>, tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// Declines: public functions are entries, and stay though they are equal.
// CHECK-DAG: func.func @entry.0
// CHECK-DAG: func.func @entry.1
func.func @entry.0(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @entry.1(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}

// -----

// No private function stays unused, whatever the order of the functions: a
// function whose only caller is unused goes too.
// CHECK-LABEL: func.func @used
// CHECK-NOT: @helper
// CHECK-NOT: @unused
func.func private @helper(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = tn.neg %x : tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func private @unused(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = call @helper(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}
func.func @used(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}

// -----

// Two functions with adjoints of their own become one, with one adjoint.
// CHECK-LABEL: @adjoints
// CHECK: call @custom.0
// CHECK: call @custom.0
// CHECK: func.func private @custom.0({{.*}}) -> tensor<4xf32> attributes {tn.adjoint = @adjoint.0}
// CHECK: func.func private @adjoint.0
// CHECK-NOT: func.func
func.func @adjoints(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = call @custom.0(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %z = call @custom.1(%y) : (tensor<4xf32>) -> tensor<4xf32>
  return %z : tensor<4xf32>
}
func.func private @custom.0(%x: tensor<4xf32>) -> tensor<4xf32>
    attributes {tn.adjoint = @adjoint.0} {
  return %x : tensor<4xf32>
}
func.func private @custom.1(%x: tensor<4xf32>) -> tensor<4xf32>
    attributes {tn.adjoint = @adjoint.1} {
  return %x : tensor<4xf32>
}
func.func private @adjoint.0(%x: tensor<4xf32>, %y: tensor<4xf32>,
    %g: tensor<4xf32>) -> tensor<4xf32> {
  return %g : tensor<4xf32>
}
func.func private @adjoint.1(%x: tensor<4xf32>, %y: tensor<4xf32>,
    %g: tensor<4xf32>) -> tensor<4xf32> {
  return %g : tensor<4xf32>
}
