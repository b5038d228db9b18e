// RUN: %test_rt | FileCheck %s

// CHECK: rt.kernel @k0_neg symbols [#tn.symbol<"T", 1 to 9>] dims ["T"] tiles
// CHECK-SAME: attributes {scratch_bytes = 64 : i64} {
// CHECK-NEXT: ^bb0(%{{.*}}: tensor<?x8xf32, #tn.dims<T, 8>>):
// CHECK-NEXT: tn.kernel(
!t = tensor<?x8xf32, #tn.dims<T, 8>>
rt.kernel @k0_neg symbols [#tn.symbol<"T", 1 to 9>] dims ["T"]
    tiles affine_map<()[s0] -> (s0 ceildiv 4)>
    attributes {scratch_bytes = 64 : i64} {
^bb0(%x: !t):
  %y = tn.kernel(%x) : (!t) -> !t {
  ^bb0(%a: !t):
    %n = tn.neg %a : !t
    tn.yield %n : !t
  } {label = "neg"}
}

// -----

// expected-error@+1 {{expects one tn.kernel of the block's arguments}}
rt.kernel @kernel_c1 symbols [] {
^bb0(%x: tensor<4xf32>):
  %y = tn.neg %x : tensor<4xf32>
}

// -----

// expected-error@+1 {{expects one tn.kernel of the block's arguments}}
rt.kernel @kernel_c1_operands symbols [] {
^bb0(%x: tensor<4xf32>, %z: tensor<4xf32>):
  %y = tn.kernel(%x) : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    tn.yield %a : tensor<4xf32>
  } {label = "none"}
}

// -----

// expected-error@+1 {{expects tiles to be one number over 2 symbols, got affine_map<()[s0] -> (s0)>}}
rt.kernel @kernel_c2 symbols [] dims ["T", "S"] tiles affine_map<()[s0] -> (s0)> {
^bb0(%x: tensor<4xf32>):
  %y = tn.kernel(%x) : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: tensor<4xf32>):
    tn.yield %a : tensor<4xf32>
  } {label = "none"}
}
