// RUN: %test_op | FileCheck %s

// CHECK: tensor<?x640xf32, #tn.dims<T, 640>>
// CHECK-SAME: tensor<32x64x!tn.block<q4_k>, #tn.panels<32>>
// CHECK-SAME: !tn.cache<values, 4 x 256 x bf16>
// CHECK-SAME: !tn.cache<keys, 1 x 64 x !tn.block<q8_0>>
// CHECK-SAME: tn.symbols = [#tn.symbol<"T", 1 to 512>, #tn.symbol<"S", 0 to 64 by 16>]
func.func private @types(tensor<?x640xf32, #tn.dims<T, 640>>,
    tensor<32x64x!tn.block<q4_k>, #tn.panels<32>>,
    !tn.cache<values, 4 x 256 x bf16>,
    !tn.cache<keys, 1 x 64 x !tn.block<q8_0>>, !tn.batch)
    attributes {tn.symbols = [#tn.symbol<"T", 1 to 512 by 1>,
                              #tn.symbol<"S", 0 to 64 by 16>]}

// -----

// A group of 32 is q4_0.
// CHECK: @int4_groups(tensor<2x128x!tn.block<q4_0>>, tensor<2x128x!tn.block<int4_g64>>, tensor<2x128x!tn.block<int4_g128>>)
func.func private @int4_groups(tensor<2x128x!tn.block<int4_g32>>,
    tensor<2x128x!tn.block<int4_g64>>, tensor<2x128x!tn.block<int4_g128>>)

// -----

// expected-error@+1 {{unknown element format 'q9_9'}}
func.func private @block_name(tensor<32x!tn.block<q9_9>>)

// -----

// expected-error@+1 {{expects a blocked format such as q8_0, got f32}}
func.func private @block_plain(tensor<32x!tn.block<f32>>)

// -----

// expected-error@+1 {{expects heads and width of at least 1, got 0 x 8}}
func.func private @cache_heads(!tn.cache<keys, 0 x 8 x f32>)

// -----

// expected-error@+1 {{expects an element type of f32, f16, bf16 or q8_0, got 'i32'}}
func.func private @cache_element(!tn.cache<keys, 1 x 8 x i32>)

// -----

// expected-error@+1 {{expects an element type of f32, f16, bf16 or q8_0, got '!tn.block<q4_0>'}}
func.func private @cache_format(!tn.cache<keys, 1 x 32 x !tn.block<q4_0>>)

// -----

// expected-error@+1 {{expects a width of whole blocks of 32 elements in a cache of q8_0, got 48}}
func.func private @cache_width(!tn.cache<keys, 1 x 48 x !tn.block<q8_0>>)

// -----

// expected-error@+1 {{expects 2 dims, one for each axis, got #tn.dims<T>}}
func.func private @dims_c1(tensor<?x4xf32, #tn.dims<T>>)

// -----

// expected-error@+1 {{expects the dim of axis 0 to be a symbol, got #tn.dims<4>}}
func.func private @dims_c2(tensor<?xf32, #tn.dims<4>>)

// -----

// expected-error@+1 {{expects the dim of axis 1 to be 4, got #tn.dims<T, 5>}}
func.func private @dims_c2_extent(tensor<?x4xf32, #tn.dims<T, 5>>)

// -----

// expected-error@+1 {{expects no dims on a tensor of static shape, got #tn.dims<4>}}
func.func private @dims_c3(tensor<4xf32, #tn.dims<4>>)

// -----

// expected-error@+1 {{expects panels of at least 1 lane, got #tn.panels<0>}}
func.func private @panels_c1(tensor<4x4xf32, #tn.panels<0>>)

// -----

// expected-error@+1 {{expects a static tensor of rank 2 or 3 in panels, got #tn.panels<32>}}
func.func private @panels_c2(tensor<4xf32, #tn.panels<32>>)

// -----

// expected-error@+1 {{expects tn.symbols to be an array of #tn.symbol, got 1 : i64}}
func.func private @symbols_form() attributes {tn.symbols = 1}

// -----

// expected-error@+1 {{has tn.symbols, which belongs to a func.func}}
module attributes {tn.symbols = []} {}

// -----

// expected-error@+1 {{expects one declaration of symbol "T", got two}}
func.func private @symbol_c1() attributes {
    tn.symbols = [#tn.symbol<"T", 1 to 2>, #tn.symbol<"T", 1 to 4>]}

// -----

// expected-error@+1 {{expects 0 <= min <= max of symbol "T", got 3 to 2}}
func.func private @symbol_c2() attributes {
    tn.symbols = [#tn.symbol<"T", 3 to 2>]}

// -----

// expected-error@+1 {{expects a divisor of at least 1 of symbol "T", got 0}}
func.func private @symbol_c3() attributes {
    tn.symbols = [#tn.symbol<"T", 1 to 2 by 0>]}

// -----

// expected-error@+1 {{expects symbol 'U' of 'tensor<?xf32, #tn.dims<U>>' to be declared in tn.symbols}}
func.func @symbol_c4(%x: tensor<?xf32, #tn.dims<U>>) attributes {
    tn.symbols = [#tn.symbol<"T", 1 to 2>]} {
  return
}

// -----

// expected-error@+1 {{expects a symbol for axis 0 of 'tensor<?xf32>'}}
func.func @symbol_c4_none(%x: tensor<?xf32>) attributes {tn.symbols = []} {
  return
}

// -----

// Linear use of caches, (C5), is tested in cache_append.mlir.
// expected-error@+1 {{expects the last axis of a value to be whole blocks of 32 elements}}
func.func @symbol_c6(%x: tensor<33x!tn.block<q8_0>>)
    attributes {tn.symbols = []} {
  return
}
