// RUN: %test_op | FileCheck %s

// Sequence 0 has pages 2 and 0, sequence 1 has page 1; a page holds 64 positions.
// CHECK: @cache_append contract: cache {0: [3, 4], 67: [5, 6], 128: [1, 2]}
// CHECK: @cache_append real: cache {0: [3, 4], 67: [5, 6], 128: [1, 2]}
// CHECK: tn.cache_append %{{.*}}, %{{.*}}, %{{.*}} : <keys, 1 x 2 x f16>, tensor<3x1x2xf16>
func.func @cache_append(%c: !tn.cache<keys, 1 x 2 x f16>, %x: tensor<3x1x2xf16>,
    %b: !tn.batch) -> !tn.cache<keys, 1 x 2 x f16>
    attributes {tn.test_inputs = [
        {slots = 192},
        dense<[[[1.0, 2.0]], [[3.0, 4.0]], [[5.0, 6.0]]]> : tensor<3x1x2xf16>,
        {sequence = dense<[0, 0, 1]> : tensor<3xi32>, position = dense<[0, 64,
        3]> : tensor<3xi32>, pages = dense<[[2, 0], [1, -1]]>
            : tensor<2x2xi32>}]} {
  %y = tn.cache_append %c, %x, %b : !tn.cache<keys, 1 x 2 x f16>,
      tensor<3x1x2xf16>
  return %y : !tn.cache<keys, 1 x 2 x f16>
}

// -----

// CHECK: @no_page contract: cache {}
// CHECK: @no_page contract fails: no page in tn.cache_append, row 0, value 64
// CHECK: @no_page real: cache {}
// CHECK: @no_page real fails: no page in tn.cache_append, row 0, value 64
func.func @no_page(%c: !tn.cache<keys, 1 x 2 x f16>, %x: tensor<1x1x2xf16>,
    %b: !tn.batch) -> !tn.cache<keys, 1 x 2 x f16>
    attributes {tn.test_inputs = [
        {slots = 64},
        dense<[[[1.0, 2.0]]]> : tensor<1x1x2xf16>,
        {sequence = dense<[0]> : tensor<1xi32>, position = dense<[64]>
        : tensor<1xi32>, pages = dense<[[0, -1]]> : tensor<1x2xi32>}]} {
  %y = tn.cache_append %c, %x, %b : !tn.cache<keys, 1 x 2 x f16>,
      tensor<1x1x2xf16>
  return %y : !tn.cache<keys, 1 x 2 x f16>
}

// -----

// A row of q8_0 has steps of its largest magnitude / 127: 1 here, and what f16 makes
// of 1 / 127, of which 1 is 127 and 0.5 is 64.
// CHECK: @quantized contract: cache {0: [127, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 1: [0.999938965, 0.50390625, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]}
// CHECK: @quantized real: cache {0: [127, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 1: [0.999938965, 0.50390625, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]}
// CHECK: tn.cache_append %{{.*}}, %{{.*}}, %{{.*}} : <values, 1 x 32 x !tn.block<q8_0>>, tensor<2x1x32xf32>
!quantized = !tn.cache<values, 1 x 32 x !tn.block<q8_0>>
func.func @quantized(%c: !quantized, %x: tensor<2x1x32xf32>, %b: !tn.batch)
    -> !quantized
    attributes {tn.test_inputs = [
        {slots = 64},
        dense<[[[127.0, -0.75, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]],
               [[1.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]]>
            : tensor<2x1x32xf32>,
        {sequence = dense<0> : tensor<2xi32>, position = dense<[0, 1]>
        : tensor<2xi32>, pages = dense<0> : tensor<1x1xi32>}]} {
  %y = tn.cache_append %c, %x, %b : !quantized, tensor<2x1x32xf32>
  return %y : !quantized
}

// -----

func.func @cache_append_c1_quantized(
    %c: !tn.cache<keys, 1 x 32 x !tn.block<q8_0>>,
    %x: tensor<3x1x32xf16>, %b: !tn.batch) {
  // expected-error@+1 {{expects x of shape [T, 1, 32] of 'f32', the rows of the cache, got}}
  %y = tn.cache_append %c, %x, %b
      : !tn.cache<keys, 1 x 32 x !tn.block<q8_0>>, tensor<3x1x32xf16>
  return
}

// -----

func.func @cache_append_c1(%c: !tn.cache<keys, 1 x 2 x f16>,
    %x: tensor<3x2x2xf16>, %b: !tn.batch) {
  // expected-error@+1 {{expects x of shape [T, 1, 2] of}}
  %y = tn.cache_append %c, %x, %b : !tn.cache<keys, 1 x 2 x f16>,
      tensor<3x2x2xf16>
  return
}

// -----

// A cache is changed once.
!cache = !tn.cache<keys, 1 x 2 x f16>
func.func @cache_append_c2(%c: !cache, %x: tensor<1x1x2xf16>, %b: !tn.batch)
    -> !cache
    attributes {tn.symbols = []} {
  // expected-note@+1 {{the other change}}
  %a = tn.cache_append %c, %x, %b : !cache, tensor<1x1x2xf16>
  // expected-error@+1 {{it is changed twice}}
  %d = tn.cache_append %c, %x, %b : !cache, tensor<1x1x2xf16>
  return %d : !cache
}

// -----

// Once changed, the old value may not be returned either.
!cache = !tn.cache<keys, 1 x 2 x f16>
func.func @cache_append_c2_return(%c: !cache, %x: tensor<1x1x2xf16>,
    %b: !tn.batch) -> !cache
    attributes {tn.symbols = []} {
  // expected-note@+1 {{the change}}
  %a = tn.cache_append %c, %x, %b : !cache, tensor<1x1x2xf16>
  // expected-error@+1 {{it is used after it was changed}}
  return %c : !cache
}

// -----

// A loop would change it in every trip.
!cache = !tn.cache<keys, 1 x 2 x f16>
func.func @cache_append_c2_loop(%c: !cache, %x: tensor<1x1x2xf16>,
    %b: !tn.batch) -> !cache
    attributes {tn.symbols = []} {
  %true = tn.constant dense<true> : tensor<i1>
  // expected-note@+1 {{the loop}}
  tn.while limit 2 {
    tn.yield %true : tensor<i1>
  } do {
    // expected-error@+1 {{a loop may only change what its body carries}}
    %a = tn.cache_append %c, %x, %b : !cache, tensor<1x1x2xf16>
    tn.yield
  }
  return %c : !cache
}

// -----

// A call that takes and returns a cache changes it.
!cache = !tn.cache<keys, 1 x 2 x f16>
func.func private @callee(!cache) -> !cache
func.func @cache_append_c2_call(%c: !cache) -> !cache
    attributes {tn.symbols = []} {
  // expected-note@+1 {{the change}}
  %a = call @callee(%c) : (!cache) -> !cache
  // expected-error@+1 {{it is used after it was changed}}
  return %c : !cache
}

// -----

// In a chain, in branches that exclude each other, and carried by a loop.
// CHECK-LABEL: @chained_and_branched
!cache = !tn.cache<keys, 1 x 2 x f16>
func.func @chained_and_branched(%c: !cache, %x: tensor<1x1x2xf16>,
    %b: !tn.batch) -> !cache
    attributes {tn.symbols = []} {
  %true = tn.constant dense<true> : tensor<i1>
  %a = tn.cache_append %c, %x, %b : !cache, tensor<1x1x2xf16>
  %d = tn.if %true : tensor<i1> -> (!cache) {
    %t = tn.cache_append %a, %x, %b : !cache, tensor<1x1x2xf16>
    tn.yield %t : !cache
  } else {
    %e = tn.cache_append %a, %x, %b : !cache, tensor<1x1x2xf16>
    tn.yield %e : !cache
  }
  %r = tn.while limit 2 (%d : !cache) {
  ^bb0(%k: !cache):
    tn.yield %true : tensor<i1>
  } do {
  ^bb0(%k: !cache):
    %n = tn.cache_append %k, %x, %b : !cache, tensor<1x1x2xf16>
    tn.yield %n : !cache
  } -> !cache
  return %r : !cache
}
