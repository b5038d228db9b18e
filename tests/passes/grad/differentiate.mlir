// RUN: tenon-opt %s --split-input-file --tn-differentiate --canonicalize | FileCheck %s
// RUN: tenon-opt %s --split-input-file --tn-differentiate --tn-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE
// RUN: tenon-opt %s --split-input-file --tn-interpret -o /dev/null | FileCheck %s --check-prefix=REAL
// RUN: tenon-opt %s --split-input-file --tn-differentiate=checkpoint=layer --tn-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE
// RUN: tenon-opt %s --split-input-file --tn-differentiate=checkpoint=layer | FileCheck %s --check-prefix=LAYER

// Two equal layers have one forward half, which returns what the backward half
// reads, and one backward half. A residual that is an argument is passed again.
// VALUE: @layers contract: tensor<f32> [16]
// VALUE: @layers contract: tensor<f32> [32]
// VALUE: @layers contract: tensor<f32> [16]
// CHECK-LABEL: func.func @layers
// CHECK: %[[L:.*]]:4 = call @twice.fwd(%arg0, %arg1)
// CHECK: call @twice.bwd(%arg0, %arg1, %[[L]]#1, %[[L]]#2, %[[L]]#3
// CHECK-DAG: func.func private @twice.fwd
// CHECK-DAG: func.func private @square.fwd(%{{.*}}: tensor<f32>, %{{.*}}: tensor<f32>) -> (tensor<f32>, tensor<f32>)
// CHECK-DAG: func.func private @square.bwd
// CHECK-NOT: func.func private @square(
// With checkpoints at layers, a call keeps nothing: its forward half runs again.
// LAYER-LABEL: func.func private @twice.bwd
// LAYER: call @square.fwd
// LAYER: call @square.bwd
// LAYER: call @square.fwd
// LAYER: call @square.bwd
func.func @layers(%x: tensor<f32>, %w: tensor<f32>)
    -> (tensor<f32>, tensor<f32>, tensor<f32>)
    attributes {tn.test_inputs = [dense<2.0> : tensor<f32>,
                                  dense<1.0> : tensor<f32>]} {
  %l, %dx, %dw = tn.gradient @twice(%x, %w) wrt [0, 1]
      : (tensor<f32>, tensor<f32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  %one = tn.constant dense<3.0> : tensor<f32>
  %third = tn.div %dw, %one : tensor<f32>
  return %l, %dx, %third : tensor<f32>, tensor<f32>, tensor<f32>
}
// ((x^2 w)^2) w = x^4 w^3.
func.func private @twice(%x: tensor<f32>, %w: tensor<f32>) -> tensor<f32> {
  %y = call @square(%x, %w) : (tensor<f32>, tensor<f32>) -> tensor<f32>
  %z = call @square(%y, %w) : (tensor<f32>, tensor<f32>) -> tensor<f32>
  return %z : tensor<f32>
}
func.func private @square(%x: tensor<f32>, %w: tensor<f32>) -> tensor<f32> {
  %y = tn.mul %x, %x : tensor<f32>
  %z = tn.mul %y, %w : tensor<f32>
  return %z : tensor<f32>
}

// -----

// Nothing passes a stopped gradient, nor an integer.
// VALUE: @stopped contract: tensor<f32> [9]
// VALUE: @stopped contract: tensor<f32> [3]
// VALUE: @rounded contract: tensor<f32> [5]
// VALUE: @rounded contract: tensor<f32> [2]
// CHECK-LABEL: func.func @stopped
// CHECK-NOT: tn.stop_gradient
func.func @stopped(%x: tensor<f32>) -> (tensor<f32>, tensor<f32>)
    attributes {tn.test_inputs = [dense<3.0> : tensor<f32>]} {
  %l, %g = tn.gradient @loss(%x) wrt [0]
      : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return %l, %g : tensor<f32>, tensor<f32>
}
func.func private @loss(%x: tensor<f32>) -> tensor<f32> {
  %s = tn.stop_gradient %x : tensor<f32>
  %y = tn.mul %s, %x : tensor<f32>
  return %y : tensor<f32>
}
func.func @rounded(%x: tensor<f32>) -> (tensor<f32>, tensor<f32>)
    attributes {tn.test_inputs = [dense<2.5> : tensor<f32>]} {
  %l, %g = tn.gradient @truncate(%x) wrt [0]
      : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return %l, %g : tensor<f32>, tensor<f32>
}
func.func private @truncate(%x: tensor<f32>) -> tensor<f32> {
  %i = tn.cast %x : tensor<f32> -> tensor<i32>
  %f = tn.cast %i : tensor<i32> -> tensor<f32>
  %y = tn.mul %f, %x : tensor<f32>
  return %y : tensor<f32>
}

// -----

// A function's own adjoint: here, twice what it would be.
// VALUE: @users contract: tensor<f32> [9]
// VALUE: @users contract: tensor<f32> [12]
// CHECK-LABEL: func.func private @loss.bwd
// CHECK: call @square_adjoint
func.func @users(%x: tensor<f32>) -> (tensor<f32>, tensor<f32>)
    attributes {tn.test_inputs = [dense<3.0> : tensor<f32>]} {
  %l, %g = tn.gradient @loss(%x) wrt [0]
      : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return %l, %g : tensor<f32>, tensor<f32>
}
func.func private @loss(%x: tensor<f32>) -> tensor<f32> {
  %y = call @square(%x) : (tensor<f32>) -> tensor<f32>
  return %y : tensor<f32>
}
func.func private @square(%x: tensor<f32>) -> tensor<f32>
    attributes {tn.adjoint = @square_adjoint} {
  %y = tn.mul %x, %x : tensor<f32>
  return %y : tensor<f32>
}
func.func private @square_adjoint(%x: tensor<f32>, %y: tensor<f32>,
    %g: tensor<f32>) -> tensor<f32> {
  %four = tn.constant dense<4.0> : tensor<f32>
  %p = tn.mul %g, %x : tensor<f32>
  %q = tn.mul %p, %four : tensor<f32>
  return %q : tensor<f32>
}

// -----

// Where its gradients are asked, another function that keeps something.
// VALUE: @keeps contract: tensor<f32> [9]
// VALUE: @keeps contract: tensor<f32> [10]
// VALUE: @keeps contract: tensor<f32> [9]
// CHECK-LABEL: @keeps
// CHECK: call @loss.fwd
// CHECK: call @loss.bwd
// CHECK: call @square
// CHECK: func.func private @square(
// CHECK-NOT: attributes {{.*}}tn.adjoint
// CHECK: func.func private @loss.fwd
// CHECK: %[[KEPT:.*]]:2 = call @square_keeping
// CHECK: return {{.*}}%[[KEPT]]#1
// CHECK-LABEL: func.func private @loss.bwd
// CHECK: call @square_adjoint
func.func @keeps(%x: tensor<f32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
    attributes {tn.test_inputs = [dense<3.0> : tensor<f32>]} {
  %l, %g = tn.gradient @loss(%x) wrt [0]
      : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  %y = call @square(%x) : (tensor<f32>) -> tensor<f32>
  return %l, %g, %y : tensor<f32>, tensor<f32>, tensor<f32>
}
func.func private @loss(%x: tensor<f32>) -> tensor<f32> {
  %y = call @square(%x) : (tensor<f32>) -> tensor<f32>
  return %y : tensor<f32>
}
func.func private @square(%x: tensor<f32>) -> tensor<f32>
    attributes {tn.adjoint = @square_adjoint, tn.forward = @square_keeping} {
  %y = tn.mul %x, %x : tensor<f32>
  return %y : tensor<f32>
}
func.func private @square_keeping(%x: tensor<f32>)
    -> (tensor<f32>, tensor<f32>) {
  %seven = tn.constant dense<7.0> : tensor<f32>
  %y = tn.mul %x, %x : tensor<f32>
  %k = tn.add %x, %seven : tensor<f32>
  return %y, %k : tensor<f32>, tensor<f32>
}
func.func private @square_adjoint(%x: tensor<f32>, %y: tensor<f32>,
    %k: tensor<f32>, %g: tensor<f32>) -> tensor<f32> {
  %q = tn.mul %g, %k : tensor<f32>
  return %q : tensor<f32>
}

// -----

// A branch: the gradient of what was run.
// REAL: @branch real: tensor<f32> [9]
// REAL: @branch real: tensor<f32> [{{6|6.0000000|5.9999999}}{{[0-9]*}}]
// REAL: @branch real: tensor<f32> [{{0|-0}}]
// REAL: @branch real: tensor<f32> [{{5|5.0000000|4.9999999}}{{[0-9]*}}]
// REAL: @branch real: tensor<f32> [{{0|-0}}]
// REAL: @branch real: tensor<f32> [1]
// VALUE: @branch contract: tensor<f32> [9]
// VALUE: @branch contract: tensor<f32> [6]
// VALUE: @branch contract: tensor<f32> [0]
// VALUE: @branch contract: tensor<f32> [5]
// VALUE: @branch contract: tensor<f32> [0]
// VALUE: @branch contract: tensor<f32> [1]
func.func @branch(%yes: tensor<i1>, %no: tensor<i1>, %x: tensor<f32>,
    %w: tensor<f32>) -> (tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>,
    tensor<f32>, tensor<f32>)
    attributes {tn.test_inputs = [
        dense<true> : tensor<i1>, dense<false> : tensor<i1>,
        dense<3.0> : tensor<f32>, dense<5.0> : tensor<f32>]} {
  %a, %ax, %aw = tn.gradient @loss(%yes, %x, %w) wrt [1, 2]
      : (tensor<i1>, tensor<f32>, tensor<f32>)
      -> (tensor<f32>, tensor<f32>, tensor<f32>)
  %b, %bx, %bw = tn.gradient @loss(%no, %x, %w) wrt [1, 2]
      : (tensor<i1>, tensor<f32>, tensor<f32>)
      -> (tensor<f32>, tensor<f32>, tensor<f32>)
  return %a, %ax, %aw, %b, %bx, %bw : tensor<f32>, tensor<f32>, tensor<f32>,
      tensor<f32>, tensor<f32>, tensor<f32>
}
func.func private @loss(%c: tensor<i1>, %x: tensor<f32>, %w: tensor<f32>)
    -> tensor<f32> {
  %y = tn.if %c : tensor<i1> -> (tensor<f32>) {
    %s = tn.mul %x, %x : tensor<f32>
    tn.yield %s : tensor<f32>
  } else {
    tn.yield %w : tensor<f32>
  }
  return %y : tensor<f32>
}

// -----

// y = x w^3 by a loop of three trips out of at most nine.
// VALUE: @loop contract: tensor<f32> [16]
// VALUE: @loop contract: tensor<f32> [8]
// VALUE: @loop contract: tensor<f32> [24]
func.func @loop(%x: tensor<f32>, %w: tensor<f32>, %n: tensor<i32>)
    -> (tensor<f32>, tensor<f32>, tensor<f32>)
    attributes {tn.test_inputs = [
        dense<2.0> : tensor<f32>, dense<2.0> : tensor<f32>,
        dense<3> : tensor<i32>]} {
  %l, %dx, %dw = tn.gradient @power(%x, %w, %n) wrt [0, 1]
      : (tensor<f32>, tensor<f32>, tensor<i32>)
      -> (tensor<f32>, tensor<f32>, tensor<f32>)
  return %l, %dx, %dw : tensor<f32>, tensor<f32>, tensor<f32>
}
func.func private @power(%x: tensor<f32>, %w: tensor<f32>, %n: tensor<i32>)
    -> tensor<f32> {
  %zero = tn.constant dense<0> : tensor<i32>
  %one = tn.constant dense<1> : tensor<i32>
  %y, %left = tn.while limit 9 (%x, %n : tensor<f32>, tensor<i32>) {
  ^bb0(%a: tensor<f32>, %i: tensor<i32>):
    %c = tn.compare gt %i, %zero : tensor<i32> -> tensor<i1>
    tn.yield %c : tensor<i1>
  } do {
  ^bb0(%a: tensor<f32>, %i: tensor<i32>):
    %b = tn.mul %a, %w : tensor<f32>
    %j = tn.sub %i, %one : tensor<i32>
    tn.yield %b, %j : tensor<f32>, tensor<i32>
  } -> tensor<f32>, tensor<i32>
  return %y : tensor<f32>
}
