// RUN: %test_op | FileCheck %s

// CHECK: @while contract: tensor<i32> [4]
// CHECK: @while contract: tensor<i32> [20]
// CHECK: @while real: tensor<i32> [4]
// CHECK: @while real: tensor<i32> [20]
// CHECK: tn.while limit 9(%{{.*}}, %{{.*}} : tensor<i32>, tensor<i32>) {
func.func @while(%end: tensor<i32>) -> (tensor<i32>, tensor<i32>)
    attributes {tn.test_inputs = [
        dense<4> : tensor<i32>]} {
  %one = tn.constant dense<1> : tensor<i32>
  %i = tn.constant dense<0> : tensor<i32>
  %a = tn.constant dense<10> : tensor<i32>
  %y:2 = tn.while limit 9 (%i, %a : tensor<i32>, tensor<i32>) {
  ^bb0(%j: tensor<i32>, %b: tensor<i32>):
    %p = tn.compare lt %j, %end : tensor<i32> -> tensor<i1>
    tn.yield %p : tensor<i1>
  } do {
  ^bb0(%j: tensor<i32>, %b: tensor<i32>):
    %k = tn.add %j, %one : tensor<i32>
    %s = tn.add %b, %k : tensor<i32>
    tn.yield %k, %s : tensor<i32>, tensor<i32>
  } -> tensor<i32>, tensor<i32>
  return %y#0, %y#1 : tensor<i32>, tensor<i32>
}

// -----

// The limit ends it.
// CHECK: @limit contract: tensor<i32> [2]
// CHECK: @limit contract: tensor<i32> [13]
// CHECK: @limit real: tensor<i32> [2]
// CHECK: @limit real: tensor<i32> [13]
func.func @limit(%end: tensor<i32>) -> (tensor<i32>, tensor<i32>)
    attributes {tn.test_inputs = [
        dense<4> : tensor<i32>]} {
  %one = tn.constant dense<1> : tensor<i32>
  %i = tn.constant dense<0> : tensor<i32>
  %a = tn.constant dense<10> : tensor<i32>
  %y:2 = tn.while limit 2 (%i, %a : tensor<i32>, tensor<i32>) {
  ^bb0(%j: tensor<i32>, %b: tensor<i32>):
    %p = tn.compare lt %j, %end : tensor<i32> -> tensor<i1>
    tn.yield %p : tensor<i1>
  } do {
  ^bb0(%j: tensor<i32>, %b: tensor<i32>):
    %k = tn.add %j, %one : tensor<i32>
    %s = tn.add %b, %k : tensor<i32>
    tn.yield %k, %s : tensor<i32>, tensor<i32>
  } -> tensor<i32>, tensor<i32>
  return %y#0, %y#1 : tensor<i32>, tensor<i32>
}

// -----

func.func @while_c1(%x: tensor<i32>, %z: tensor<i64>, %c: tensor<i1>,
    %d: tensor<1xi1>) {
  // expected-error@+1 {{expects results of types ('tensor<i32>'), got ('tensor<i64>')}}
  %y = tn.while limit 1 (%x : tensor<i32>) {
  ^bb0(%a: tensor<i32>):
    tn.yield %c : tensor<i1>
  } do {
  ^bb0(%a: tensor<i32>):
    tn.yield %x : tensor<i32>
  } -> tensor<i64>
  return
}

// -----

func.func @while_c1_condition(%x: tensor<i32>, %z: tensor<i64>, %c: tensor<i1>,
    %d: tensor<1xi1>) {
  // expected-error@+1 {{expects condition arguments of types ('tensor<i32>'), got ('tensor<i64>')}}
  %y = tn.while limit 1 (%x : tensor<i32>) {
  ^bb0(%a: tensor<i64>):
    tn.yield %c : tensor<i1>
  } do {
  ^bb0(%a: tensor<i32>):
    tn.yield %x : tensor<i32>
  } -> tensor<i32>
  return
}

// -----

func.func @while_c1_body(%x: tensor<i32>, %z: tensor<i64>, %c: tensor<i1>,
    %d: tensor<1xi1>) {
  // expected-error@+1 {{expects body arguments of types ('tensor<i32>'), got ('tensor<i64>')}}
  %y = tn.while limit 1 (%x : tensor<i32>) {
  ^bb0(%a: tensor<i32>):
    tn.yield %c : tensor<i1>
  } do {
  ^bb0(%a: tensor<i64>):
    tn.yield %x : tensor<i32>
  } -> tensor<i32>
  return
}

// -----

func.func @while_c1_yield(%x: tensor<i32>, %z: tensor<i64>, %c: tensor<i1>,
    %d: tensor<1xi1>) {
  // expected-error@+1 {{expects the body to yield values of types ('tensor<i32>'), got ('tensor<i64>')}}
  %y = tn.while limit 1 (%x : tensor<i32>) {
  ^bb0(%a: tensor<i32>):
    tn.yield %c : tensor<i1>
  } do {
  ^bb0(%a: tensor<i32>):
    tn.yield %z : tensor<i64>
  } -> tensor<i32>
  return
}

// -----

func.func @while_c2(%x: tensor<i32>, %z: tensor<i64>, %c: tensor<i1>,
    %d: tensor<1xi1>) {
  // expected-error@+1 {{expects the condition to yield one scalar i1, got ('tensor<1xi1>')}}
  %y = tn.while limit 1 (%x : tensor<i32>) {
  ^bb0(%a: tensor<i32>):
    tn.yield %d : tensor<1xi1>
  } do {
  ^bb0(%a: tensor<i32>):
    tn.yield %x : tensor<i32>
  } -> tensor<i32>
  return
}

// -----

func.func @while_c3(%x: tensor<i32>, %z: tensor<i64>, %c: tensor<i1>,
    %d: tensor<1xi1>) {
  // expected-error@+1 {{expects limit >= 0, got -1}}
  %y = tn.while limit -1 (%x : tensor<i32>) {
  ^bb0(%a: tensor<i32>):
    tn.yield %c : tensor<i1>
  } do {
  ^bb0(%a: tensor<i32>):
    tn.yield %x : tensor<i32>
  } -> tensor<i32>
  return
}
