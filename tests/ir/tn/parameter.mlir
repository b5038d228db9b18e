// RUN: %test_op | FileCheck %s

// CHECK: tn.parameter @w : tensor<2x32x!tn.block<q8_0>> from "blk.0.w"
// CHECK: tn.parameter @layers.0.norm : tensor<8xf32>
tn.parameter @w : tensor<2x32x!tn.block<q8_0>> from "blk.0.w"
tn.parameter @"layers.0.norm" : tensor<8xf32>

// -----

// expected-error@+1 {{expects a tensor type of static shape, got 'tensor<?xf32>'}}
tn.parameter @parameter_c1 : tensor<?xf32>

// -----

// expected-error@+1 {{expects a tensor type of static shape, got 'i32'}}
tn.parameter @parameter_c1_scalar : i32

// -----

// expected-error@+1 {{expects the last axis of the parameter to be whole blocks of 32 elements}}
tn.parameter @parameter_c2 : tensor<2x33x!tn.block<q8_0>>
