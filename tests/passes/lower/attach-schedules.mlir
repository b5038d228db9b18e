// RUN: tenon-opt %s --split-input-file --tn-attach-schedules \
// RUN:   --verify-diagnostics | FileCheck %s

// Without a target nothing can choose: the pass says so at the kernel.
func.func @no_target(%x: tensor<2xf32>) -> tensor<2xf32> {
  // expected-error@+1 {{expects a target to schedule for, got none}}
  %y = tn.kernel(%x) : (tensor<2xf32>) -> tensor<2xf32> {
  ^bb0(%a: tensor<2xf32>):
    %n = tn.neg %a : tensor<2xf32>
    tn.yield %n : tensor<2xf32>
  } {label = "neg"}
  return %y : tensor<2xf32>
}

// -----

// A kernel that has schedules keeps them.
// CHECK-LABEL: @scheduled
// CHECK: schedules = [#tn.schedule<rows, tile = 16 x 0, registers = [1, 1, 1]>]
func.func @scheduled(%x: tensor<2xf32>) -> tensor<2xf32> {
  %y = tn.kernel(%x) : (tensor<2xf32>) -> tensor<2xf32> {
  ^bb0(%a: tensor<2xf32>):
    %n = tn.neg %a : tensor<2xf32>
    tn.yield %n : tensor<2xf32>
  } {label = "neg", schedules = [
      #tn.schedule<rows, tile = 16 x 0, registers = [1, 1, 1]>]}
  return %y : tensor<2xf32>
}

// -----

// Nothing to schedule, nothing to ask a target for.
// CHECK-LABEL: @no_kernel
func.func @no_kernel(%x: tensor<2xf32>) -> tensor<2xf32> {
  return %x : tensor<2xf32>
}
