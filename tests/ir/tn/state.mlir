// RUN: %test_op | FileCheck %s

// CHECK: tn.state @keys : !tn.cache<keys, 1 x 256 x f16>
tn.state @keys : !tn.cache<keys, 1 x 256 x f16>

// -----

// expected-error@+1 {{expects a cache type, got 'tensor<2xf32>'}}
tn.state @state_c1 : tensor<2xf32>
