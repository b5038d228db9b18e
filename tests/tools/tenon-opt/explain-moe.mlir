// RUN: tenon-opt %s --explain-moe -o %t.mlir | FileCheck %s

// One token's experts differ: each row reads a weight of its own. Of many tokens
// those of an expert share it.
// CHECK: @layer: grouped_matmul of 64 matrices [128, 256] of q8_0
// CHECK-NEXT: 4 rows: 1 together; {{.*}} experts, 139264 bytes, 131072 multiply-adds
// CHECK: 2048 rows: 8 together; 64.00 experts, 2228224 bytes
func.func @layer(%x: tensor<?x4x256xf32, #tn.dims<T, 4, 256>>,
    %w: tensor<64x128x256x!tn.block<q8_0>>, %o: tensor<65xi32>)
    -> tensor<?x4x128xf32, #tn.dims<T, 4, 128>>
    attributes {tn.symbols = [#tn.symbol<"T", 1 to 512>]} {
  %y = tn.grouped_matmul %x, %w, %o {transpose_b}
      : tensor<?x4x256xf32, #tn.dims<T, 4, 256>>,
      tensor<64x128x256x!tn.block<q8_0>>, tensor<65xi32>
      -> tensor<?x4x128xf32, #tn.dims<T, 4, 128>>
  return %y : tensor<?x4x128xf32, #tn.dims<T, 4, 128>>
}
