// RUN: %test_op | FileCheck %s

// Two query heads share one head of the keys. Token 0 sees itself alone; head 0 of
// token 1 has scores 0 and ln 3, so weights 1/4 and 3/4; head 1 weighs both alike.
// CHECK: @self_attention contract: tensor<2x2x2xf32> [4, 0, 4, 0, {{1|1.0000[0-9]*|0.9999[0-9]*}}, {{6|6.0000[0-9]*|5.9999[0-9]*}}, 2, 4]
// CHECK: @self_attention contract: tensor<2x2xf32> [0, 0, 1.38629{{[0-9]*}}, 0.69314{{[0-9]*}}]
// CHECK: @self_attention real: tensor<2x2x2xf32> [4, 0, 4, 0, {{1|1.0000[0-9]*|0.9999[0-9]*}}, {{6|6.0000[0-9]*|5.9999[0-9]*}}, 2, 4]
// CHECK: @self_attention real: tensor<2x2xf32> [0, 0, 1.38629{{[0-9]*}}, 0.69314{{[0-9]*}}]
// CHECK: tn.self_attention %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} scale 5.000000e-01 : tensor<2x2x2xf32>, tensor<2x1x2xf32>, tensor<2x1x2xf32> -> tensor<2x2x2xf32>, tensor<2x2xf32>
func.func @self_attention(%q: tensor<2x2x2xf32>, %k: tensor<2x1x2xf32>,
    %v: tensor<2x1x2xf32>, %b: !tn.batch)
    -> (tensor<2x2x2xf32>, tensor<2x2xf32>)
    attributes {tn.test_inputs = [
        dense<[[[1.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 0.0]]]>
        : tensor<2x2x2xf32>,
        dense<[[[0.0, 1.0]], [[2.1972245773362196, 5.0]]]> : tensor<2x1x2xf32>,
        dense<[[[4.0, 0.0]], [[0.0, 8.0]]]> : tensor<2x1x2xf32>,
        {sequence = dense<[0, 0]> : tensor<2xi32>, position = dense<[0, 1]>
        : tensor<2xi32>, pages = dense<[[0]]> : tensor<1x1xi32>}]} {
  %y, %l = tn.self_attention %q, %k, %v, %b scale 0.5
      : tensor<2x2x2xf32>, tensor<2x1x2xf32>, tensor<2x1x2xf32> -> tensor<2x2x2xf32>, tensor<2x2xf32>
  return %y, %l : tensor<2x2x2xf32>, tensor<2x2xf32>
}

// -----

// Two sequences of one batch, and a window of one: each token sees itself.
// CHECK: @window contract: tensor<3x1x1xf32> [2, 3, 5]
// CHECK: @window contract: tensor<3x1xf32> [1, 1, 1]
// CHECK: @window real: tensor<3x1x1xf32> [2, 3, 5]
// CHECK: window 1
func.func @window(%q: tensor<3x1x1xf32>, %v: tensor<3x1x1xf32>, %b: !tn.batch)
    -> (tensor<3x1x1xf32>, tensor<3x1xf32>)
    attributes {tn.test_inputs = [
        dense<1.0> : tensor<3x1x1xf32>,
        dense<[[[2.0]], [[3.0]], [[5.0]]]> : tensor<3x1x1xf32>,
        {sequence = dense<[1, 0, 0]> : tensor<3xi32>, position = dense<[0, 0, 1]>
        : tensor<3xi32>, pages = dense<[[0], [0]]> : tensor<2x1xi32>}]} {
  %y, %l = tn.self_attention %q, %q, %v, %b scale 1.0 window 1
      : tensor<3x1x1xf32>, tensor<3x1x1xf32>, tensor<3x1x1xf32> -> tensor<3x1x1xf32>, tensor<3x1xf32>
  return %y, %l : tensor<3x1x1xf32>, tensor<3x1xf32>
}

// -----

// Beside a window of one, each token sees the first of its sequence.
// CHECK: @globals contract: tensor<4x1x1xf32> [4, 6, 10, 5]
// CHECK: @globals real: tensor<4x1x1xf32> [4, 6, 10, 5]
// CHECK: window 1 globals 1 :
func.func @globals(%q: tensor<4x1x1xf32>, %v: tensor<4x1x1xf32>, %b: !tn.batch)
    -> tensor<4x1x1xf32>
    attributes {tn.test_inputs = [
        dense<0.0> : tensor<4x1x1xf32>,
        dense<[[[4.0]], [[8.0]], [[16.0]], [[5.0]]]> : tensor<4x1x1xf32>,
        {sequence = dense<[0, 0, 0, 1]> : tensor<4xi32>, position = dense<[0, 1, 2, 0]>
        : tensor<4xi32>, pages = dense<[[0], [0]]> : tensor<2x1xi32>}]} {
  %y, %l = tn.self_attention %q, %q, %v, %b scale 1.0 window 1 globals 1
      : tensor<4x1x1xf32>, tensor<4x1x1xf32>, tensor<4x1x1xf32> -> tensor<4x1x1xf32>, tensor<4x1xf32>
  return %y : tensor<4x1x1xf32>
}

// -----

// CHECK: @nan contract fails: nan in tn.self_attention, row 0, value 0
// CHECK: @nan real fails: nan in tn.self_attention, row 0, value 0
func.func @nan(%q: tensor<1x1x1xf32>, %b: !tn.batch)
    -> (tensor<1x1x1xf32>, tensor<1x1xf32>)
    attributes {tn.test_inputs = [
        dense<0x7FC00000> : tensor<1x1x1xf32>,
        {sequence = dense<0> : tensor<1xi32>, position = dense<0> : tensor<1xi32>,
        pages = dense<[[0]]> : tensor<1x1xi32>}]} {
  %y, %l = tn.self_attention %q, %q, %q, %b scale 1.0
      : tensor<1x1x1xf32>, tensor<1x1x1xf32>, tensor<1x1x1xf32> -> tensor<1x1x1xf32>, tensor<1x1xf32>
  return %y, %l : tensor<1x1x1xf32>, tensor<1x1xf32>
}

// -----

// A token that leaves one position out.
// CHECK: @gap contract fails: order in tn.self_attention, row 1, value 2
// CHECK: @gap real fails: order in tn.self_attention, row 1, value 2
func.func @gap(%q: tensor<2x1x1xf32>, %b: !tn.batch)
    -> (tensor<2x1x1xf32>, tensor<2x1xf32>)
    attributes {tn.test_inputs = [
        dense<1.0> : tensor<2x1x1xf32>,
        {sequence = dense<0> : tensor<2xi32>, position = dense<[0, 2]>
        : tensor<2xi32>, pages = dense<[[0]]> : tensor<1x1xi32>}]} {
  %y, %l = tn.self_attention %q, %q, %q, %b scale 1.0
      : tensor<2x1x1xf32>, tensor<2x1x1xf32>, tensor<2x1x1xf32> -> tensor<2x1x1xf32>, tensor<2x1xf32>
  return %y, %l : tensor<2x1x1xf32>, tensor<2x1xf32>
}

// -----

// A token of another sequence that goes on from the position before.
// CHECK: @other_sequence contract fails: order in tn.self_attention, row 1, value 1
// CHECK: @other_sequence real fails: order in tn.self_attention, row 1, value 1
func.func @other_sequence(%q: tensor<2x1x1xf32>, %b: !tn.batch)
    -> (tensor<2x1x1xf32>, tensor<2x1xf32>)
    attributes {tn.test_inputs = [
        dense<1.0> : tensor<2x1x1xf32>,
        {sequence = dense<[0, 1]> : tensor<2xi32>, position = dense<[0, 1]>
        : tensor<2xi32>, pages = dense<[[0], [1]]> : tensor<2x1xi32>}]} {
  %y, %l = tn.self_attention %q, %q, %q, %b scale 1.0
      : tensor<2x1x1xf32>, tensor<2x1x1xf32>, tensor<2x1x1xf32> -> tensor<2x1x1xf32>, tensor<2x1xf32>
  return %y, %l : tensor<2x1x1xf32>, tensor<2x1xf32>
}

// -----

func.func @self_attention_c1(%q: tensor<2x2xf32>, %k: tensor<2x1x2xf32>, %l: tensor<2x2xf32>,
    %b: !tn.batch) {
  // expected-error@+1 {{expects q of rank 3, got 'tensor<2x2xf32>'}}
  %y, %lse = tn.self_attention %q, %k, %k, %b scale 1.0 : tensor<2x2xf32>, tensor<2x1x2xf32>, tensor<2x1x2xf32> -> tensor<2x2xf32>, tensor<2x2xf32>
  return
}

// -----

func.func @self_attention_c1_heads(%q: tensor<2x3x2xf32>, %k: tensor<2x2x2xf32>,
    %l: tensor<2x3xf32>, %b: !tn.batch) {
  // expected-error@+1 {{expects heads of q to be a multiple of those of k}}
  %y, %lse = tn.self_attention %q, %k, %k, %b scale 1.0 : tensor<2x3x2xf32>, tensor<2x2x2xf32>, tensor<2x2x2xf32> -> tensor<2x3x2xf32>, tensor<2x3xf32>
  return
}

// -----

func.func @self_attention_c1_width(%q: tensor<2x2x4xf32>, %k: tensor<2x2x2xf32>,
    %l: tensor<2x2xf32>, %b: !tn.batch) {
  // expected-error@+1 {{expects axis 2 of q equal to axis 2 of k}}
  %y, %lse = tn.self_attention %q, %k, %k, %b scale 1.0 : tensor<2x2x4xf32>, tensor<2x2x2xf32>, tensor<2x2x2xf32> -> tensor<2x2x4xf32>, tensor<2x2xf32>
  return
}

// -----

func.func @self_attention_c1_tokens(%q: tensor<3x2x2xf32>, %k: tensor<2x2x2xf32>,
    %l: tensor<3x2xf32>, %b: !tn.batch) {
  // expected-error@+1 {{expects axis 0 of q equal to axis 0 of k}}
  %y, %lse = tn.self_attention %q, %k, %k, %b scale 1.0 : tensor<3x2x2xf32>, tensor<2x2x2xf32>, tensor<2x2x2xf32> -> tensor<3x2x2xf32>, tensor<3x2xf32>
  return
}

// -----

func.func @self_attention_c2(%q: tensor<2x2x2xf32>, %k: tensor<2x1x2xf32>, %l: tensor<2x1xf32>,
    %b: !tn.batch) {
  // expected-error@+1 {{expects lse of type 'tensor<2x2xf32>', got 'tensor<2x1xf32>'}}
  %y, %lse = tn.self_attention %q, %k, %k, %b scale 1.0 : tensor<2x2x2xf32>, tensor<2x1x2xf32>, tensor<2x1x2xf32> -> tensor<2x2x2xf32>, tensor<2x1xf32>
  return
}

// -----

func.func @self_attention_c3(%q: tensor<1x1x2xf32>, %k: tensor<1x1x2xf32>, %l: tensor<1x1xf32>,
    %b: !tn.batch) {
  // expected-error@+1 {{expects window >= 0, got -1}}
  %y, %lse = tn.self_attention %q, %k, %k, %b scale 1.0 window -1 : tensor<1x1x2xf32>, tensor<1x1x2xf32>, tensor<1x1x2xf32> -> tensor<1x1x2xf32>, tensor<1x1xf32>
  return
}

// -----

func.func @self_attention_c3_globals(%q: tensor<1x1x2xf32>, %k: tensor<1x1x2xf32>, %l: tensor<1x1xf32>,
    %b: !tn.batch) {
  // expected-error@+1 {{expects globals >= 0, and 0 without a window, got -1 and window 3}}
  %y, %lse = tn.self_attention %q, %k, %k, %b scale 1.0 window 3 globals -1 : tensor<1x1x2xf32>, tensor<1x1x2xf32>, tensor<1x1x2xf32> -> tensor<1x1x2xf32>, tensor<1x1xf32>
  return
}

// -----

func.func @self_attention_c4(%q: tensor<1x1x2xf32>, %k: tensor<1x1x2xf32>, %l: tensor<1x1xf32>,
    %b: !tn.batch) {
  // expected-error@+1 {{expects a positive scale, got 0.0}}
  %y, %lse = tn.self_attention %q, %k, %k, %b scale 0.0 : tensor<1x1x2xf32>, tensor<1x1x2xf32>, tensor<1x1x2xf32> -> tensor<1x1x2xf32>, tensor<1x1xf32>
  return
}

// -----

func.func @self_attention_c5(%q: tensor<1x1x2xf32>, %k: tensor<1x1x2xf32>, %b: !tn.batch) {
  // expected-error@+1 {{expects values, or `latent` in [1, 2], the width of the keys, got no values and latent 3}}
  %y, %lse = tn.self_attention %q, %k latent 3, %b scale 1.0 : tensor<1x1x2xf32>, tensor<1x1x2xf32> -> tensor<1x1x3xf32>, tensor<1x1xf32>
  return
}

// -----

func.func @self_attention_c6(%q: tensor<1x1x2xf32>, %k: tensor<1x1x2xf32>, %b: !tn.batch) {
  // expected-error@+1 {{expects y of type 'tensor<1x1x1xf32>', got 'tensor<1x1x2xf32>'}}
  %y, %lse = tn.self_attention %q, %k latent 1, %b scale 1.0 : tensor<1x1x2xf32>, tensor<1x1x2xf32> -> tensor<1x1x2xf32>, tensor<1x1xf32>
  return
}
