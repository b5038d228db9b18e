// RUN: tenon-opt %s --tn-fuse --explain-fusion -o %t.mlir | FileCheck %s

// Of each kernel: its ops, what it moves, and why others are apart. A table
// counts by the rows that are gathered of it.
// CHECK: @layer: 2 kernels
// CHECK-NEXT: gather+rms_norm
// CHECK-NEXT: holds tn.gather, tn.rms_norm
// CHECK-NEXT: moves 32 + 100 * T bytes
// CHECK-NEXT: matmul+silu
// CHECK-NEXT: holds tn.matmul, tn.silu
// CHECK-NEXT: moves 512 + 96 * T bytes
// CHECK-NEXT: apart from matmul: reads the rows of rms_norm once for each tile
func.func @layer(%t: tensor<1000x8xf32>, %i: tensor<?xi32, #tn.dims<T>>,
    %n: tensor<8xf32>, %w: tensor<16x8xf32>)
    -> (tensor<?x16xf32, #tn.dims<T, 16>>, tensor<?x8xf32, #tn.dims<T, 8>>)
    attributes {tn.symbols = [#tn.symbol<"T", 1 to 16>]} {
  %x = tn.gather %t, %i : tensor<1000x8xf32>, tensor<?xi32, #tn.dims<T>>
      -> tensor<?x8xf32, #tn.dims<T, 8>>
  %h = tn.rms_norm %x, %n eps 1.0e-6
      : tensor<?x8xf32, #tn.dims<T, 8>>, tensor<8xf32>
  %y = tn.matmul %h, %w {transpose_b} : tensor<?x8xf32, #tn.dims<T, 8>>,
      tensor<16x8xf32> -> tensor<?x16xf32, #tn.dims<T, 16>>
  %s = tn.silu %y : tensor<?x16xf32, #tn.dims<T, 16>>
  return %s, %x : tensor<?x16xf32, #tn.dims<T, 16>>,
      tensor<?x8xf32, #tn.dims<T, 8>>
}
