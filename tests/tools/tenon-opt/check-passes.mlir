// RUN: tenon-opt %s --check-passes --check-bounds=T=1..2 --tn-outline-layers \
// RUN:   --canonicalize --cse --tn-pack-weights --tn-hoist-prepared \
// RUN:   --tn-specialize=bounds=T=1..2 --tn-fuse | FileCheck %s
// RUN: sed 's/tn[.]add/arith.addf/' %s > %t.mlir
// RUN: not tenon-opt %t.mlir --check-passes --tn-fuse 2>&1 \
// RUN:   | FileCheck %s --check-prefix=UNKNOWN

// Every pass keeps what the entries compute, packed and prepared weights too.
// CHECK: tn.parameter @norm.prepared
// CHECK: tn.parameter @w.packed
// What cannot be interpreted cannot be checked: an error, not a silent pass.
// UNKNOWN: error: the interpreter failed on 'step'
tn.parameter @norm : tensor<8xf32>
tn.parameter @w : tensor<16x8xf32>
func.func @step(%x: tensor<?x8xf32, #tn.dims<T, 8>>)
    -> tensor<?x16xf32, #tn.dims<T, 16>>
    attributes {tn.symbols = [#tn.symbol<"T", 1 to 16>]} {
  %one = tn.constant dense<1.0> : tensor<8xf32>
  %s = tn.get_parameter @norm : tensor<8xf32>
  %n = tn.add %s, %one : tensor<8xf32>
  %w = tn.get_parameter @w : tensor<16x8xf32>
  %h = tn.rms_norm %x, %n eps 1.0e-6
      : tensor<?x8xf32, #tn.dims<T, 8>>, tensor<8xf32>
  %y = tn.matmul %h, %w {transpose_b} : tensor<?x8xf32, #tn.dims<T, 8>>,
      tensor<16x8xf32> -> tensor<?x16xf32, #tn.dims<T, 16>>
  return %y : tensor<?x16xf32, #tn.dims<T, 16>>
}
