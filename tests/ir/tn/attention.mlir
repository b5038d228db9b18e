// RUN: %test_op | FileCheck %s

// Two query heads share one head of the caches. Token 0 sees itself alone; head 0 of
// token 1 has scores 0 and ln 3, so weights 1/4 and 3/4; head 1 weighs both alike.
// CHECK: @attention contract: tensor<2x2x2xf32> [4, 0, 4, 0, {{1|1.0000[0-9]*|0.9999[0-9]*}}, {{6|6.0000[0-9]*|5.9999[0-9]*}}, 2, 4]
// CHECK: @attention real: tensor<2x2x2xf32> [4, 0, 4, 0, {{1|1.0000[0-9]*|0.9999[0-9]*}}, {{6|6.0000[0-9]*|5.9999[0-9]*}}, 2, 4]
// CHECK: tn.attention %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} scale 5.000000e-01 : tensor<2x2x2xf32>, <keys, 1 x 2 x f32>, !tn.cache<values, 1 x 2 x f32> -> tensor<2x2x2xf32>
func.func @attention(%q: tensor<2x2x2xf32>, %k: !tn.cache<keys, 1 x 2 x f32>,
    %v: !tn.cache<values, 1 x 2 x f32>, %kx: tensor<2x1x2xf32>,
    %vx: tensor<2x1x2xf32>, %b: !tn.batch) -> tensor<2x2x2xf32>
    attributes {tn.test_inputs = [
        dense<[[[1.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 0.0]]]>
        : tensor<2x2x2xf32>,
        {slots = 64},
        {slots = 64},
        dense<[[[0.0, 1.0]], [[2.1972245773362196, 5.0]]]> : tensor<2x1x2xf32>,
        dense<[[[4.0, 0.0]], [[0.0, 8.0]]]> : tensor<2x1x2xf32>,
        {sequence = dense<[0, 0]> : tensor<2xi32>, position = dense<[0, 1]>
        : tensor<2xi32>, pages = dense<[[0]]> : tensor<1x1xi32>}]} {
  %k1 = tn.cache_append %k, %kx, %b : !tn.cache<keys, 1 x 2 x f32>,
      tensor<2x1x2xf32>
  %v1 = tn.cache_append %v, %vx, %b : !tn.cache<values, 1 x 2 x f32>,
      tensor<2x1x2xf32>
  %y = tn.attention %q, %k1, %v1, %b scale 0.5
      : tensor<2x2x2xf32>, !tn.cache<keys, 1 x 2 x f32>, !tn.cache<values,
      1 x 2 x f32> -> tensor<2x2x2xf32>
  return %y : tensor<2x2x2xf32>
}

// -----

// A window of one: each token sees itself.
// CHECK: @window contract: tensor<2x1x2xf32> [4, 0, 0, 8]
// CHECK: @window real: tensor<2x1x2xf32> [4, 0, 0, 8]
// CHECK: window 1
func.func @window(%q: tensor<2x1x2xf32>, %k: !tn.cache<keys, 1 x 2 x f32>,
    %v: !tn.cache<values, 1 x 2 x f32>, %kx: tensor<2x1x2xf32>,
    %vx: tensor<2x1x2xf32>, %b: !tn.batch) -> tensor<2x1x2xf32>
    attributes {tn.test_inputs = [
        dense<[[[0.0, 0.0]], [[0.0, 0.0]]]> : tensor<2x1x2xf32>,
        {slots = 64},
        {slots = 64},
        dense<[[[0.0, 1.0]], [[1.0, 5.0]]]> : tensor<2x1x2xf32>,
        dense<[[[4.0, 0.0]], [[0.0, 8.0]]]> : tensor<2x1x2xf32>,
        {sequence = dense<[0, 0]> : tensor<2xi32>, position = dense<[0, 1]>
        : tensor<2xi32>, pages = dense<[[0]]> : tensor<1x1xi32>}]} {
  %k1 = tn.cache_append %k, %kx, %b : !tn.cache<keys, 1 x 2 x f32>,
      tensor<2x1x2xf32>
  %v1 = tn.cache_append %v, %vx, %b : !tn.cache<values, 1 x 2 x f32>,
      tensor<2x1x2xf32>
  %y = tn.attention %q, %k1, %v1, %b scale 1.0 window 1
      : tensor<2x1x2xf32>, !tn.cache<keys, 1 x 2 x f32>, !tn.cache<values,
      1 x 2 x f32> -> tensor<2x1x2xf32>
  return %y : tensor<2x1x2xf32>
}

// -----

// Beside a window of one, each token sees the first.
// CHECK: @globals contract: tensor<3x1x1xf32> [4, 6, 10]
// CHECK: @globals real: tensor<3x1x1xf32> [4, 6, 10]
// CHECK: window 1 globals 1 :
func.func @globals(%q: tensor<3x1x1xf32>, %k: !tn.cache<keys, 1 x 1 x f32>,
    %v: !tn.cache<values, 1 x 1 x f32>, %x: tensor<3x1x1xf32>, %b: !tn.batch)
    -> tensor<3x1x1xf32>
    attributes {tn.test_inputs = [
        dense<0.0> : tensor<3x1x1xf32>,
        {slots = 64},
        {slots = 64},
        dense<[[[4.0]], [[8.0]], [[16.0]]]> : tensor<3x1x1xf32>,
        {sequence = dense<0> : tensor<3xi32>, position = dense<[0, 1, 2]>
        : tensor<3xi32>, pages = dense<[[0]]> : tensor<1x1xi32>}]} {
  %k1 = tn.cache_append %k, %x, %b : !tn.cache<keys, 1 x 1 x f32>,
      tensor<3x1x1xf32>
  %v1 = tn.cache_append %v, %x, %b : !tn.cache<values, 1 x 1 x f32>,
      tensor<3x1x1xf32>
  %y = tn.attention %q, %k1, %v1, %b scale 1.0 window 1 globals 1
      : tensor<3x1x1xf32>, !tn.cache<keys, 1 x 1 x f32>, !tn.cache<values,
      1 x 1 x f32> -> tensor<3x1x1xf32>
  return %y : tensor<3x1x1xf32>
}

// -----

// 576 keys of score 0 in a segment of 512 and one of 64, on pages out of order; only
// the last value is not 0.
// CHECK: @segments contract: tensor<1x1x2xf32> [1, -0.5]
// CHECK: @segments real: tensor<1x1x2xf32> [1, -0.5]
func.func @segments(%q: tensor<1x1x2xf32>, %k: !tn.cache<keys, 1 x 2 x f32>,
    %v: !tn.cache<values, 1 x 2 x f32>, %kx: tensor<1x1x2xf32>,
    %vx: tensor<1x1x2xf32>, %b: !tn.batch) -> tensor<1x1x2xf32>
    attributes {tn.test_inputs = [
        dense<[[[1.0, 1.0]]]> : tensor<1x1x2xf32>,
        {slots = 576},
        {slots = 576},
        dense<[[[0.0, 0.0]]]> : tensor<1x1x2xf32>,
        dense<[[[576.0, -288.0]]]> : tensor<1x1x2xf32>,
        {sequence = dense<[0]> : tensor<1xi32>, position = dense<[575]>
        : tensor<1xi32>, pages = dense<[[8, 0, 1, 2, 3, 4, 5, 6, 7]]>
        : tensor<1x9xi32>}]} {
  %k1 = tn.cache_append %k, %kx, %b : !tn.cache<keys, 1 x 2 x f32>,
      tensor<1x1x2xf32>
  %v1 = tn.cache_append %v, %vx, %b : !tn.cache<values, 1 x 2 x f32>,
      tensor<1x1x2xf32>
  %y = tn.attention %q, %k1, %v1, %b scale 1.0
      : tensor<1x1x2xf32>, !tn.cache<keys, 1 x 2 x f32>, !tn.cache<values,
      1 x 2 x f32> -> tensor<1x1x2xf32>
  return %y : tensor<1x1x2xf32>
}

// -----

// The second segment has the larger maximum, ln 575: its last key weighs as much as
// the 575 before it.
// CHECK: @merge contract: tensor<1x1x2xf32> [{{1|1.0000[0-9]*|0.9999[0-9]*}}, {{-2|-2.0000[0-9]*|-1.9999[0-9]*}}]
// CHECK: @merge real: tensor<1x1x2xf32> [{{1|1.0000[0-9]*|0.9999[0-9]*}}, {{-2|-2.0000[0-9]*|-1.9999[0-9]*}}]
func.func @merge(%q: tensor<1x1x2xf32>, %k: !tn.cache<keys, 1 x 2 x f32>,
    %v: !tn.cache<values, 1 x 2 x f32>, %kx: tensor<1x1x2xf32>,
    %vx: tensor<1x1x2xf32>, %b: !tn.batch) -> tensor<1x1x2xf32>
    attributes {tn.test_inputs = [
        dense<[[[1.0, 1.0]]]> : tensor<1x1x2xf32>,
        {slots = 576},
        {slots = 576},
        dense<[[[6.354370040797351, 0.0]]]> : tensor<1x1x2xf32>,
        dense<[[[2.0, -4.0]]]> : tensor<1x1x2xf32>,
        {sequence = dense<[0]> : tensor<1xi32>, position = dense<[575]>
        : tensor<1xi32>, pages = dense<[[8, 0, 1, 2, 3, 4, 5, 6, 7]]>
        : tensor<1x9xi32>}]} {
  %k1 = tn.cache_append %k, %kx, %b : !tn.cache<keys, 1 x 2 x f32>,
      tensor<1x1x2xf32>
  %v1 = tn.cache_append %v, %vx, %b : !tn.cache<values, 1 x 2 x f32>,
      tensor<1x1x2xf32>
  %y = tn.attention %q, %k1, %v1, %b scale 1.0
      : tensor<1x1x2xf32>, !tn.cache<keys, 1 x 2 x f32>, !tn.cache<values,
      1 x 2 x f32> -> tensor<1x1x2xf32>
  return %y : tensor<1x1x2xf32>
}

// -----

// A window that starts inside a block of the first segment: 36 and 64 keys.
// CHECK: @window_of_segments contract: tensor<1x1x2xf32> [1, -0.5]
// CHECK: @window_of_segments real: tensor<1x1x2xf32> [1, -0.5]
func.func @window_of_segments(%q: tensor<1x1x2xf32>, %k: !tn.cache<keys,
    1 x 2 x f32>, %v: !tn.cache<values, 1 x 2 x f32>, %kx: tensor<1x1x2xf32>,
        %vx: tensor<1x1x2xf32>, %b: !tn.batch) -> tensor<1x1x2xf32>
    attributes {tn.test_inputs = [
        dense<[[[1.0, 1.0]]]> : tensor<1x1x2xf32>,
        {slots = 576},
        {slots = 576},
        dense<[[[0.0, 0.0]]]> : tensor<1x1x2xf32>,
        dense<[[[100.0, -50.0]]]> : tensor<1x1x2xf32>,
        {sequence = dense<[0]> : tensor<1xi32>, position = dense<[575]>
        : tensor<1xi32>, pages = dense<[[8, 0, 1, 2, 3, 4, 5, 6, 7]]>
        : tensor<1x9xi32>}]} {
  %k1 = tn.cache_append %k, %kx, %b : !tn.cache<keys, 1 x 2 x f32>,
      tensor<1x1x2xf32>
  %v1 = tn.cache_append %v, %vx, %b : !tn.cache<values, 1 x 2 x f32>,
      tensor<1x1x2xf32>
  %y = tn.attention %q, %k1, %v1, %b scale 1.0 window 100
      : tensor<1x1x2xf32>, !tn.cache<keys, 1 x 2 x f32>, !tn.cache<values,
      1 x 2 x f32> -> tensor<1x1x2xf32>
  return %y : tensor<1x1x2xf32>
}

// -----

// Over caches of q8_0: the value of the only key is that of its quants.
// CHECK: @quantized contract: tensor<1x1x32xf32> [127, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
// CHECK: @quantized real: tensor<1x1x32xf32> [127, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
!keys = !tn.cache<keys, 1 x 32 x !tn.block<q8_0>>
!quants = !tn.cache<values, 1 x 32 x !tn.block<q8_0>>
func.func @quantized(%x: tensor<1x1x32xf32>, %k: !keys, %v: !quants,
    %b: !tn.batch) -> tensor<1x1x32xf32>
    attributes {tn.test_inputs = [
        dense<[[[127.0, -0.75, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]]>
        : tensor<1x1x32xf32>,
        {slots = 64},
        {slots = 64},
        {sequence = dense<0> : tensor<1xi32>, position = dense<0>
        : tensor<1xi32>, pages = dense<0> : tensor<1x1xi32>}]} {
  %k1 = tn.cache_append %k, %x, %b : !keys, tensor<1x1x32xf32>
  %v1 = tn.cache_append %v, %x, %b : !quants, tensor<1x1x32xf32>
  %y = tn.attention %x, %k1, %v1, %b scale 1.0
      : tensor<1x1x32xf32>, !keys, !quants -> tensor<1x1x32xf32>
  return %y : tensor<1x1x32xf32>
}

// -----

// Values of another width than the keys.
// CHECK: @value_width contract: tensor<1x1x1xf32> [7]
// CHECK: @value_width real: tensor<1x1x1xf32> [7]
func.func @value_width(%k: tensor<2x1x2xf32>, %v: tensor<2x1x1xf32>,
    %kc: !tn.cache<keys, 1 x 2 x f32>, %vc: !tn.cache<values, 1 x 1 x f32>,
    %b: !tn.batch) -> tensor<1x1x1xf32>
    attributes {tn.test_inputs = [
        dense<[[[5.0, 5.0]], [[0.0, 0.0]]]> : tensor<2x1x2xf32>,
        dense<[[[7.0]], [[7.0]]]> : tensor<2x1x1xf32>,
        {slots = 64},
        {slots = 64},
        {sequence = dense<0> : tensor<2xi32>, position = dense<[0, 1]>
        : tensor<2xi32>, pages = dense<0> : tensor<1x1xi32>}]} {
  %k1 = tn.cache_append %kc, %k, %b : !tn.cache<keys, 1 x 2 x f32>,
      tensor<2x1x2xf32>
  %v1 = tn.cache_append %vc, %v, %b : !tn.cache<values, 1 x 1 x f32>,
      tensor<2x1x1xf32>
  %y = tn.attention %k, %k1, %v1, %b scale 1.0 : tensor<2x1x2xf32>,
      !tn.cache<keys, 1 x 2 x f32>, !tn.cache<values, 1 x 1 x f32>
      -> tensor<2x1x1xf32>
  %last = tn.slice %y axis 0 from 1 size 1 : tensor<2x1x1xf32> -> tensor<1x1x1xf32>
  return %last : tensor<1x1x1xf32>
}

// -----

// Values are the first two of the keys' three elements: scores 0 and ln 3.
// CHECK: @latent contract: tensor<2x1x2xf32> [4, 0, {{1|1.0000[0-9]*|0.9999[0-9]*}}, {{6|6.0000[0-9]*|5.9999[0-9]*}}]
// CHECK: @latent real: tensor<2x1x2xf32> [4, 0, {{1|1.0000[0-9]*|0.9999[0-9]*}}, {{6|6.0000[0-9]*|5.9999[0-9]*}}]
// CHECK: tn.attention %{{.*}}, %{{.*}} latent 2, %{{.*}} scale 1.000000e+00 : tensor<2x1x3xf32>, <keys, 1 x 3 x f32> -> tensor<2x1x2xf32>
func.func @latent(%q: tensor<2x1x3xf32>, %k: tensor<2x1x3xf32>,
    %kc: !tn.cache<keys, 1 x 3 x f32>, %b: !tn.batch) -> tensor<2x1x2xf32>
    attributes {tn.test_inputs = [
        dense<[[[0.0, 0.0, 1.0]], [[0.0, 0.0, 1.0]]]> : tensor<2x1x3xf32>,
        dense<[[[4.0, 0.0, 0.0]], [[0.0, 8.0, 1.0986122886681098]]]>
        : tensor<2x1x3xf32>,
        {slots = 64},
        {sequence = dense<0> : tensor<2xi32>, position = dense<[0, 1]>
        : tensor<2xi32>, pages = dense<0> : tensor<1x1xi32>}]} {
  %k1 = tn.cache_append %kc, %k, %b : !tn.cache<keys, 1 x 3 x f32>,
      tensor<2x1x3xf32>
  %y = tn.attention %q, %k1 latent 2, %b scale 1.0 : tensor<2x1x3xf32>,
      !tn.cache<keys, 1 x 3 x f32> -> tensor<2x1x2xf32>
  return %y : tensor<2x1x2xf32>
}

// -----

// CHECK: @nan contract: tensor<1x1x2xf32> [nan, nan]
// CHECK: @nan contract fails: nan in tn.attention, row 0, value 0
// CHECK: @nan real: tensor<1x1x2xf32> [nan, nan]
// CHECK: @nan real fails: nan in tn.attention, row 0, value 0
func.func @nan(%q: tensor<1x1x2xf32>, %k: !tn.cache<keys, 1 x 2 x f32>,
    %v: !tn.cache<values, 1 x 2 x f32>, %b: !tn.batch) -> tensor<1x1x2xf32>
    attributes {tn.test_inputs = [
        dense<[[[0x7FC00000, 1.0]]]> : tensor<1x1x2xf32>,
        {slots = 64},
        {slots = 64},
        {sequence = dense<[0]> : tensor<1xi32>, position = dense<[0]>
        : tensor<1xi32>, pages = dense<[[0]]> : tensor<1x1xi32>}]} {
  %y = tn.attention %q, %k, %v, %b scale 1.0
      : tensor<1x1x2xf32>, !tn.cache<keys, 1 x 2 x f32>, !tn.cache<values,
      1 x 2 x f32> -> tensor<1x1x2xf32>
  return %y : tensor<1x1x2xf32>
}

// -----

// CHECK: @no_page contract: tensor<1x1x2xf32> [0, 0]
// CHECK: @no_page contract fails: no page in tn.attention, row 0, value 64
// CHECK: @no_page real: tensor<1x1x2xf32> [0, 0]
// CHECK: @no_page real fails: no page in tn.attention, row 0, value 64
func.func @no_page(%q: tensor<1x1x2xf32>, %k: !tn.cache<keys, 1 x 2 x f32>,
    %v: !tn.cache<values, 1 x 2 x f32>, %b: !tn.batch) -> tensor<1x1x2xf32>
    attributes {tn.test_inputs = [
        dense<[[[1.0, 1.0]]]> : tensor<1x1x2xf32>,
        {slots = 64},
        {slots = 64},
        {sequence = dense<[0]> : tensor<1xi32>, position = dense<[64]>
        : tensor<1xi32>, pages = dense<[[0, -1]]> : tensor<1x2xi32>}]} {
  %y = tn.attention %q, %k, %v, %b scale 1.0
      : tensor<1x1x2xf32>, !tn.cache<keys, 1 x 2 x f32>, !tn.cache<values,
      1 x 2 x f32> -> tensor<1x1x2xf32>
  return %y : tensor<1x1x2xf32>
}

// -----

func.func @attention_c1(%q: tensor<2x2xf32>, %k: !tn.cache<keys, 1 x 2 x f32>,
    %v: !tn.cache<values, 1 x 2 x f32>, %b: !tn.batch) {
  // expected-error@+1 {{expects q of rank 3}}
  %y = tn.attention %q, %k, %v, %b scale 1.0 : tensor<2x2xf32>, !tn.cache<keys,
      1 x 2 x f32>, !tn.cache<values, 1 x 2 x f32> -> tensor<2x2xf32>
  return
}

// -----

func.func @attention_c1_heads(%q: tensor<2x3x2xf32>, %k: !tn.cache<keys,
    2 x 2 x f32>, %v: !tn.cache<values, 2 x 2 x f32>, %b: !tn.batch) {
  // expected-error@+1 {{expects heads of q to be a multiple of the 2 heads of keys}}
  %y = tn.attention %q, %k, %v, %b scale 1.0
      : tensor<2x3x2xf32>, !tn.cache<keys, 2 x 2 x f32>, !tn.cache<values,
      2 x 2 x f32> -> tensor<2x3x2xf32>
  return
}

// -----

func.func @attention_c2(%q: tensor<1x1x2xf32>, %k: !tn.cache<values,
    1 x 2 x f32>, %v: !tn.cache<values, 1 x 2 x f32>, %b: !tn.batch) {
  // expected-error@+1 {{expects keys of layout keys and of width 2, that of q}}
  %y = tn.attention %q, %k, %v, %b scale 1.0
      : tensor<1x1x2xf32>, !tn.cache<values, 1 x 2 x f32>, !tn.cache<values,
      1 x 2 x f32> -> tensor<1x1x2xf32>
  return
}

// -----

func.func @attention_c2_width(%q: tensor<1x1x2xf32>, %k: !tn.cache<keys,
    1 x 2 x f32>, %v: !tn.cache<values, 1 x 4 x f32>, %b: !tn.batch) {
  // expected-error@+1 {{expects y of type 'tensor<1x1x4xf32>', got 'tensor<1x1x2xf32>'}}
  %y = tn.attention %q, %k, %v, %b scale 1.0
      : tensor<1x1x2xf32>, !tn.cache<keys, 1 x 2 x f32>, !tn.cache<values,
      1 x 4 x f32> -> tensor<1x1x2xf32>
  return
}

// -----

func.func @attention_c3_globals(%q: tensor<1x1x2xf32>, %k: !tn.cache<keys, 1 x 2 x f32>,
    %v: !tn.cache<values, 1 x 2 x f32>, %b: !tn.batch) {
  // expected-error@+1 {{expects globals >= 0, and 0 without a window, got 4 and window 0}}
  %y = tn.attention %q, %k, %v, %b scale 1.0 globals 4
      : tensor<1x1x2xf32>, !tn.cache<keys, 1 x 2 x f32>, !tn.cache<values,
      1 x 2 x f32> -> tensor<1x1x2xf32>
  return
}

// -----

func.func @attention_c3(%q: tensor<1x1x2xf32>, %k: !tn.cache<keys, 1 x 2 x f32>,
    %v: !tn.cache<values, 1 x 2 x f32>, %b: !tn.batch) {
  // expected-error@+1 {{expects window >= 0, got -1}}
  %y = tn.attention %q, %k, %v, %b scale 1.0 window -1
      : tensor<1x1x2xf32>, !tn.cache<keys, 1 x 2 x f32>, !tn.cache<values,
      1 x 2 x f32> -> tensor<1x1x2xf32>
  return
}

// -----

func.func @attention_c4(%q: tensor<1x1x2xf32>, %k: !tn.cache<keys, 1 x 2 x f32>,
    %v: !tn.cache<values, 1 x 2 x f32>, %b: !tn.batch) {
  // expected-error@+1 {{expects a positive scale}}
  %y = tn.attention %q, %k, %v, %b scale 0.0
      : tensor<1x1x2xf32>, !tn.cache<keys, 1 x 2 x f32>, !tn.cache<values,
      1 x 2 x f32> -> tensor<1x1x2xf32>
  return
}

// -----

func.func @attention_c2_values(%q: tensor<1x2x2xf32>, %k: !tn.cache<keys,
    2 x 2 x f32>, %v: !tn.cache<values, 1 x 2 x f32>, %b: !tn.batch) {
  // expected-error@+1 {{expects values of layout values and of 2 heads, those of keys}}
  %y = tn.attention %q, %k, %v, %b scale 1.0 : tensor<1x2x2xf32>,
      !tn.cache<keys, 2 x 2 x f32>, !tn.cache<values, 1 x 2 x f32>
      -> tensor<1x2x2xf32>
  return
}

// -----

func.func @attention_c5(%q: tensor<1x2x2xf32>, %k: !tn.cache<keys, 1 x 2 x f32>,
    %b: !tn.batch) {
  // expected-error@+1 {{expects values, or `latent` in [1, 2], the width of the keys, got no values and latent 3}}
  %y = tn.attention %q, %k latent 3, %b scale 1.0 : tensor<1x2x2xf32>,
      !tn.cache<keys, 1 x 2 x f32> -> tensor<1x2x3xf32>
  return
}
