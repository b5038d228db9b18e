// RUN: %test_op | FileCheck %s

// CHECK: tn.state @keys : !tn.cache<keys, 1 x 256 x f16>
tn.state @keys : !tn.cache<keys, 1 x 256 x f16>

// -----

// CHECK: tn.state @weight : tensor<2x3xf32> from "w"
// CHECK: tn.state @step : tensor<i32>
tn.state @weight : tensor<2x3xf32> from "w"
tn.state @step : tensor<i32>

// -----

// expected-error@+1 {{expects a cache type or a plain tensor type of static shape, got 'tensor<?xf32>'}}
tn.state @state_c1 : tensor<?xf32>

// -----

// expected-error@+1 {{expects a source of a tensor, and of no cache}}
tn.state @state_c2 : !tn.cache<keys, 1 x 256 x f16> from "keys"

// -----

// CHECK: tn.state @drawn : tensor<2x3xf32> from "w" drawn [0.000000e+00, 2.000000e-02]
tn.state @drawn : tensor<2x3xf32> from "w" drawn [0.0, 0.02]

// -----

// expected-error@+1 {{expects a mean and a deviation of at least 0, of a tensor with a source}}
tn.state @state_c3 : tensor<2x3xf32> from "w" drawn [0.0, -1.0]

// -----

// expected-error@+1 {{expects a mean and a deviation of at least 0, of a tensor with a source}}
tn.state @state_c3_source : tensor<2x3xf32> drawn [0.0, 1.0]
