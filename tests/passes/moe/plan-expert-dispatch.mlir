// RUN: tenon-opt %s --pass-pipeline='builtin.module(func.func(tn-plan-expert-dispatch))' | FileCheck %s

// A token's experts differ: each of the four rows reads a weight of its own.
// CHECK-LABEL: func.func @one
//       CHECK:   tn.grouped_matmul {{.*}} {tn.rows_together = 1 : i64, transpose_b}
func.func @one(%x: tensor<1x4x32xf32>, %w: tensor<64x16x32xf32>,
    %o: tensor<65xi32>) -> tensor<1x4x16xf32> {
  %y = tn.grouped_matmul %x, %w, %o {transpose_b} : tensor<1x4x32xf32>,
      tensor<64x16x32xf32>, tensor<65xi32> -> tensor<1x4x16xf32>
  return %y : tensor<1x4x16xf32>
}

// Many rows of each expert share what is read of its weight.
// CHECK-LABEL: func.func @many
//       CHECK:   tn.grouped_matmul {{.*}} {tn.rows_together = 8 : i64, transpose_b}
func.func @many(%x: tensor<?x4x32xf32, #tn.dims<T, 4, 32>>,
    %w: tensor<8x16x32xf32>, %o: tensor<9xi32>)
    -> tensor<?x4x16xf32, #tn.dims<T, 4, 16>>
    attributes {tn.symbols = [#tn.symbol<"T", 1 to 512>]} {
  %y = tn.grouped_matmul %x, %w, %o {transpose_b}
      : tensor<?x4x32xf32, #tn.dims<T, 4, 32>>, tensor<8x16x32xf32>,
      tensor<9xi32> -> tensor<?x4x16xf32, #tn.dims<T, 4, 16>>
  return %y : tensor<?x4x16xf32, #tn.dims<T, 4, 16>>
}
