// RUN: tenon-opt %s --split-input-file --tn-specialize="bounds=T=1..1" \
// RUN:   | FileCheck %s --check-prefix=ONE
// RUN: tenon-opt %s --split-input-file --tn-specialize="bounds=T=4..600,S=2..8" \
// RUN:   | FileCheck %s --check-prefix=RANGE
// RUN: not tenon-opt %s --split-input-file --tn-specialize="bounds=T=9..1" \
// RUN:   2>&1 | FileCheck %s --check-prefix=EMPTY
// RUN: not tenon-opt %s --split-input-file --tn-specialize="bounds=T:1..2" \
// RUN:   2>&1 | FileCheck %s --check-prefix=MALFORMED
// RUN: not tenon-opt %s --split-input-file --tn-specialize="bounds==1..2" \
// RUN:   2>&1 | FileCheck %s --check-prefix=NAMELESS

// EMPTY: error: expects bounds such as T=1..16, got 'T=9..1'
// MALFORMED: error: expects bounds such as T=1..16, got 'T:1..2'
// NAMELESS: error: expects bounds such as T=1..16, got '=1..2'

// A symbol of one value becomes the extent in every type, of callees and of
// values in regions too; a type without other symbols loses its encoding.
// Other bounds narrow the declaration alone; they never widen it.
// ONE-LABEL: @step(
// ONE-SAME: %arg0: tensor<1x8xf32>, %arg1: tensor<i1>) -> tensor<1x8xf32>
// ONE-SAME: tn.symbols = [#tn.symbol<"T", 1 to 1>]
// ONE: tn.if %arg1 : tensor<i1> -> (tensor<1x8xf32>)
// ONE: func.call @layer(%arg0) : (tensor<1x8xf32>) -> tensor<1x8xf32>
// ONE: tn.yield %{{.*}} : tensor<1x8xf32>
// ONE: func.func private @layer(%arg0: tensor<1x8xf32>) -> tensor<1x8xf32>
// ONE-SAME: tn.symbols = [#tn.symbol<"T", 1 to 1>]
// ONE: tn.neg %arg0 : tensor<1x8xf32>
// RANGE-LABEL: @step(
// RANGE-SAME: tensor<?x8xf32, #tn.dims<T, 8>>
// RANGE-SAME: tn.symbols = [#tn.symbol<"T", 4 to 512>]
// RANGE: func.func private @layer(
// RANGE-SAME: tn.symbols = [#tn.symbol<"T", 4 to 512>]
// RANGE: tn.neg %arg0 : tensor<?x8xf32, #tn.dims<T, 8>>
func.func @step(%x: tensor<?x8xf32, #tn.dims<T, 8>>, %c: tensor<i1>)
    -> tensor<?x8xf32, #tn.dims<T, 8>>
    attributes {tn.symbols = [#tn.symbol<"T", 1 to 512>]} {
  %y = tn.if %c : tensor<i1> -> (tensor<?x8xf32, #tn.dims<T, 8>>) {
    %z = func.call @layer(%x) : (tensor<?x8xf32, #tn.dims<T, 8>>)
        -> tensor<?x8xf32, #tn.dims<T, 8>>
    tn.yield %z : tensor<?x8xf32, #tn.dims<T, 8>>
  } else {
    tn.yield %x : tensor<?x8xf32, #tn.dims<T, 8>>
  }
  return %y : tensor<?x8xf32, #tn.dims<T, 8>>
}
func.func private @layer(%x: tensor<?x8xf32, #tn.dims<T, 8>>)
    -> tensor<?x8xf32, #tn.dims<T, 8>>
    attributes {tn.symbols = [#tn.symbol<"T", 1 to 512>]} {
  %y = tn.neg %x : tensor<?x8xf32, #tn.dims<T, 8>>
  return %y : tensor<?x8xf32, #tn.dims<T, 8>>
}

// -----

// Symbols that no bound names stay, with their divisors, and types that need
// no narrowing: packed weights, functions without symbols.
// ONE-LABEL: @two_symbols(
// ONE-SAME: tensor<1x?xf32, #tn.dims<1, S>>
// ONE-SAME: tensor<4x8xf32, #tn.panels<16>>
// ONE-SAME: tn.symbols = [#tn.symbol<"T", 1 to 1>, #tn.symbol<"S", 0 to 64 by 2>]
// ONE: tn.neg %{{.*}} : tensor<1x?xf32, #tn.dims<1, S>>
// ONE: @no_symbols(%arg0: tensor<2xf32>) -> tensor<2xf32> {
// RANGE-LABEL: @two_symbols(
// RANGE-SAME: tensor<?x?xf32, #tn.dims<T, S>>
// RANGE-SAME: tn.symbols = [#tn.symbol<"T", 4 to 512>, #tn.symbol<"S", 2 to 8 by 2>]
// RANGE: @no_symbols(%arg0: tensor<2xf32>) -> tensor<2xf32> {
func.func @two_symbols(%x: tensor<?x?xf32, #tn.dims<T, S>>,
    %w: tensor<4x8xf32, #tn.panels<16>>) -> tensor<?x?xf32, #tn.dims<T, S>>
    attributes {tn.symbols = [#tn.symbol<"T", 1 to 512>,
                              #tn.symbol<"S", 0 to 64 by 2>]} {
  %y = tn.neg %x : tensor<?x?xf32, #tn.dims<T, S>>
  return %y : tensor<?x?xf32, #tn.dims<T, S>>
}
func.func @no_symbols(%x: tensor<2xf32>) -> tensor<2xf32> {
  return %x : tensor<2xf32>
}
