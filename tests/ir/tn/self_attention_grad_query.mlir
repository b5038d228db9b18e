// RUN: %test_op | FileCheck %s

// Token 0 sees itself alone: its slope is 0. Token 1 weighs the values by 1/4 and
// 3/4; with dp = (4, 8) and delta = 7 its slopes are -3/4 and 3/4.
// CHECK: @self_attention_grad_query contract: tensor<2x1x2xf32> [0, 0, 0.8239{{[0-9]*}}, {{1.5|1.5000[0-9]*|1.4999[0-9]*}}]
// CHECK: @self_attention_grad_query real: tensor<2x1x2xf32> [0, 0, 0.8239{{[0-9]*}}, {{1.5|1.5000[0-9]*|1.4999[0-9]*}}]
// CHECK: tn.self_attention_grad_query %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} scale 5.000000e-01 : tensor<2x1x2xf32>, tensor<2x1x2xf32>, tensor<2x1x2xf32>, tensor<2x1xf32>, tensor<2x1x2xf32>
func.func @self_attention_grad_query(%q: tensor<2x1x2xf32>, %k: tensor<2x1x2xf32>,
    %v: tensor<2x1x2xf32>, %dy: tensor<2x1x2xf32>, %l: tensor<2x1xf32>,
    %d: tensor<2x1xf32>, %b: !tn.batch) -> tensor<2x1x2xf32>
    attributes {tn.test_inputs = [
        dense<[[[1.0, 0.0]], [[1.0, 0.0]]]> : tensor<2x1x2xf32>,
        dense<[[[0.0, 1.0]], [[2.1972245773362196, 5.0]]]> : tensor<2x1x2xf32>,
        dense<[[[4.0, 0.0]], [[0.0, 8.0]]]> : tensor<2x1x2xf32>,
        dense<1.0> : tensor<2x1x2xf32>,
        dense<[[0.0], [1.3862943611198906]]> : tensor<2x1xf32>,
        dense<[[4.0], [7.0]]> : tensor<2x1xf32>,
        {sequence = dense<[0, 0]> : tensor<2xi32>, position = dense<[0, 1]>
        : tensor<2xi32>, pages = dense<[[0]]> : tensor<1x1xi32>}]} {
  %dq = tn.self_attention_grad_query %q, %k, %v, %dy, %l, %d, %b scale 0.5
      : tensor<2x1x2xf32>, tensor<2x1x2xf32>, tensor<2x1x2xf32>, tensor<2x1xf32>, tensor<2x1x2xf32>
  return %dq : tensor<2x1x2xf32>
}

// -----

// A sequence that does not begin at 0.
// CHECK: @late contract fails: order in tn.self_attention_grad_query, row 0, value 1
// CHECK: @late real fails: order in tn.self_attention_grad_query, row 0, value 1
func.func @late(%q: tensor<1x1x1xf32>, %l: tensor<1x1xf32>, %b: !tn.batch)
    -> tensor<1x1x1xf32>
    attributes {tn.test_inputs = [
        dense<1.0> : tensor<1x1x1xf32>, dense<1.0> : tensor<1x1xf32>,
        {sequence = dense<0> : tensor<1xi32>, position = dense<1> : tensor<1xi32>,
        pages = dense<[[0]]> : tensor<1x1xi32>}]} {
  %x = tn.self_attention_grad_query %q, %q, %q, %q, %l, %l, %b scale 1.0
      : tensor<1x1x1xf32>, tensor<1x1x1xf32>, tensor<1x1x1xf32>, tensor<1x1xf32>, tensor<1x1x1xf32>
  return %x : tensor<1x1x1xf32>
}

// -----

func.func @self_attention_grad_query_c1(%q: tensor<2x2xf32>, %k: tensor<2x1x2xf32>, %l: tensor<2x2xf32>,
    %b: !tn.batch) {
  // expected-error@+1 {{expects q of rank 3, got 'tensor<2x2xf32>'}}
  %dq = tn.self_attention_grad_query %q, %k, %k, %q, %l, %l, %b scale 1.0 : tensor<2x2xf32>, tensor<2x1x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x1x2xf32>
  return
}

// -----

func.func @self_attention_grad_query_c1_heads(%q: tensor<2x3x2xf32>, %k: tensor<2x2x2xf32>,
    %l: tensor<2x3xf32>, %b: !tn.batch) {
  // expected-error@+1 {{expects heads of q to be a multiple of those of k}}
  %dq = tn.self_attention_grad_query %q, %k, %k, %q, %l, %l, %b scale 1.0 : tensor<2x3x2xf32>, tensor<2x2x2xf32>, tensor<2x3x2xf32>, tensor<2x3xf32>, tensor<2x2x2xf32>
  return
}

// -----

func.func @self_attention_grad_query_c1_width(%q: tensor<2x2x4xf32>, %k: tensor<2x2x2xf32>,
    %l: tensor<2x2xf32>, %b: !tn.batch) {
  // expected-error@+1 {{expects axis 2 of q equal to axis 2 of k}}
  %dq = tn.self_attention_grad_query %q, %k, %k, %q, %l, %l, %b scale 1.0 : tensor<2x2x4xf32>, tensor<2x2x2xf32>, tensor<2x2x4xf32>, tensor<2x2xf32>, tensor<2x2x2xf32>
  return
}

// -----

func.func @self_attention_grad_query_c1_tokens(%q: tensor<3x2x2xf32>, %k: tensor<2x2x2xf32>,
    %l: tensor<3x2xf32>, %b: !tn.batch) {
  // expected-error@+1 {{expects axis 0 of q equal to axis 0 of k}}
  %dq = tn.self_attention_grad_query %q, %k, %k, %q, %l, %l, %b scale 1.0 : tensor<3x2x2xf32>, tensor<2x2x2xf32>, tensor<3x2x2xf32>, tensor<3x2xf32>, tensor<2x2x2xf32>
  return
}

// -----

func.func @self_attention_grad_query_c2(%q: tensor<2x2x2xf32>, %k: tensor<2x1x2xf32>, %l: tensor<2x1xf32>,
    %b: !tn.batch) {
  // expected-error@+1 {{expects lse of type 'tensor<2x2xf32>', got 'tensor<2x1xf32>'}}
  %dq = tn.self_attention_grad_query %q, %k, %k, %q, %l, %l, %b scale 1.0 : tensor<2x2x2xf32>, tensor<2x1x2xf32>, tensor<2x2x2xf32>, tensor<2x1xf32>, tensor<2x1x2xf32>
  return
}

// -----

func.func @self_attention_grad_query_c3(%q: tensor<1x1x2xf32>, %k: tensor<1x1x2xf32>, %l: tensor<1x1xf32>,
    %b: !tn.batch) {
  // expected-error@+1 {{expects window >= 0, got -1}}
  %dq = tn.self_attention_grad_query %q, %k, %k, %q, %l, %l, %b scale 1.0 window -1 : tensor<1x1x2xf32>, tensor<1x1x2xf32>, tensor<1x1x2xf32>, tensor<1x1xf32>, tensor<1x1x2xf32>
  return
}

// -----

func.func @self_attention_grad_query_c3_globals(%q: tensor<1x1x2xf32>, %k: tensor<1x1x2xf32>, %l: tensor<1x1xf32>,
    %b: !tn.batch) {
  // expected-error@+1 {{expects globals >= 0, and 0 without a window, got -1 and window 3}}
  %dq = tn.self_attention_grad_query %q, %k, %k, %q, %l, %l, %b scale 1.0 window 3 globals -1 : tensor<1x1x2xf32>, tensor<1x1x2xf32>, tensor<1x1x2xf32>, tensor<1x1xf32>, tensor<1x1x2xf32>
  return
}

// -----

func.func @self_attention_grad_query_c4(%q: tensor<1x1x2xf32>, %k: tensor<1x1x2xf32>, %l: tensor<1x1xf32>,
    %b: !tn.batch) {
  // expected-error@+1 {{expects a positive scale, got 0.0}}
  %dq = tn.self_attention_grad_query %q, %k, %k, %q, %l, %l, %b scale 0.0 : tensor<1x1x2xf32>, tensor<1x1x2xf32>, tensor<1x1x2xf32>, tensor<1x1xf32>, tensor<1x1x2xf32>
  return
}

// -----

func.func @self_attention_grad_query_c5(%q: tensor<1x1x2xf32>, %d: tensor<1x1x3xf32>, %n: tensor<1x1xf32>, %b: !tn.batch) {
  // expected-error@+1 {{expects values, or `latent` in [1, 2], the width of the keys, got no values and latent 3}}
  %dq = tn.self_attention_grad_query %q, %q latent 3, %d, %n, %n, %b scale 1.0 : tensor<1x1x2xf32>, tensor<1x1x2xf32>, tensor<1x1x3xf32>, tensor<1x1xf32>
  return
}

// -----

func.func @self_attention_grad_query_c6(%q: tensor<1x1x2xf32>, %d: tensor<1x1x3xf32>, %n: tensor<1x1xf32>, %b: !tn.batch) {
  // expected-error@+1 {{expects dy of type 'tensor<1x1x2xf32>', got 'tensor<1x1x3xf32>'}}
  %dq = tn.self_attention_grad_query %q, %q, %q, %d, %n, %n, %b scale 1.0 : tensor<1x1x2xf32>, tensor<1x1x2xf32>, tensor<1x1x3xf32>, tensor<1x1xf32>, tensor<1x1x2xf32>
  return
}
