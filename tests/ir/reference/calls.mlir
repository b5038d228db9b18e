// RUN: %test_op | FileCheck %s

// A callee's symbols are its own: both extents are called T there.
// CHECK: @calls contract: tensor<2xi32> [0, 1]
// CHECK: @calls contract: tensor<3xi32> [0, 1, 2]
!t = tensor<?xi32, #tn.dims<T>>
!u = tensor<?xi32, #tn.dims<U>>
func.func private @number(%x: !t) -> !t
    attributes {tn.symbols = [#tn.symbol<"T", 1 to 8>]} {
  %y = tn.iota axis 0 : !t
  return %y : !t
}
func.func @calls(%x: !t, %z: !t) -> (!t, tensor<3xi32>)
    attributes {tn.symbols = [#tn.symbol<"T", 1 to 8>],
    tn.test_inputs = [dense<7> : tensor<2xi32>, dense<7> : tensor<2xi32>]} {
  %a = call @number(%x) : (!t) -> !t
  %y = tn.iota axis 0 : tensor<3xi32>
  return %a, %y : !t, tensor<3xi32>
}

// -----

// One symbol, two extents.
!t = tensor<?xi32, #tn.dims<T>>
// expected-error@+1 {{expects a value of type tensor<?xi32, #tn.dims<T>>, got shape [3]}}
func.func @two_extents(%x: !t, %y: !t) -> !t attributes {
    tn.symbols = [#tn.symbol<"T", 1 to 8>],
    tn.test_inputs = [dense<7> : tensor<2xi32>, dense<7> : tensor<3xi32>]} {
  return %x : !t
}

// -----

!t = tensor<?xi32, #tn.dims<T>>
// expected-error@+1 {{expects symbol T within its bounds, got 3}}
func.func @out_of_bounds(%x: !t) -> !t attributes {
    tn.symbols = [#tn.symbol<"T", 2 to 8 by 2>],
    tn.test_inputs = [dense<7> : tensor<3xi32>]} {
  return %x : !t
}

// -----

// No argument has the extent.
!t = tensor<?xi32, #tn.dims<T>>
// expected-error@+1 {{expects a bound symbol for axis 0 of a result, got 'T'}}
func.func @unbound() -> !t attributes {
    tn.symbols = [#tn.symbol<"T", 1 to 8>], tn.test_inputs = []} {
  %y = tn.iota axis 0 : !t
  return %y : !t
}

// -----

// expected-error@+1 {{expects calls nested at most 64 deep}}
func.func @endless() attributes {tn.test_inputs = []} {
  call @endless() : () -> ()
  return
}

// -----

// expected-error@+1 {{expects an op with a definition}}
func.func @undefined() attributes {tn.test_inputs = []} {
  %x = arith.constant 1 : i32
  return
}

// -----

// expected-error@+1 {{expects an input for each argument}}
func.func @too_few(%x: tensor<1xi32>) attributes {tn.test_inputs = []} {
  return
}

// -----

// A batch of another length.
// expected-error@+1 {{expects a batch of 2 tokens, got 1}}
func.func @batch(%x: tensor<2x1x2xf32>, %b: !tn.batch, %f: tensor<1xf32>)
    -> tensor<2x1x2xf32> attributes {tn.test_inputs = [
        dense<1.0> : tensor<2x1x2xf32>,
        {sequence = dense<0> : tensor<1xi32>,
         position = dense<0> : tensor<1xi32>,
         pages = dense<0> : tensor<1x1xi32>},
        dense<1.0> : tensor<1xf32>]} {
  %y = tn.rope half %x, %b, %f : tensor<2x1x2xf32>, tensor<1xf32>
  return %y : tensor<2x1x2xf32>
}

// -----

// Caches are used linearly wherever the interpreter runs, declared or not.
!cache = !tn.cache<keys, 1 x 2 x f32>
// expected-error@+1 {{expects linear use of what is changed in @twice}}
func.func @twice(%c: !cache, %x: tensor<1x1x2xf32>, %b: !tn.batch) -> !cache
    attributes {tn.test_inputs = [{slots = 64}, dense<1.0> : tensor<1x1x2xf32>,
        {sequence = dense<0> : tensor<1xi32>,
         position = dense<0> : tensor<1xi32>,
         pages = dense<0> : tensor<1x1xi32>}]} {
  // expected-note@+1 {{the other change}}
  %a = tn.cache_append %c, %x, %b : !cache, tensor<1x1x2xf32>
  // expected-error@+1 {{it is changed twice}}
  %d = tn.cache_append %c, %x, %b : !cache, tensor<1x1x2xf32>
  return %d : !cache
}
