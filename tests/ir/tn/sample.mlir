// RUN: %test_op | FileCheck %s

// u = 0.399 in every row. Without temperature the argmax; then of four equal logits
// the second (0.399 * 4 lies in it); of the first two the first; of the shortest prefix
// of a quarter the first; min-p leaves the first at least; top-p of a half leaves two.
// CHECK: @sample contract: tensor<6xi32> [1, 1, 0, 0, 0, 0]
// CHECK: @sample real: tensor<6xi32> [1, 1, 0, 0, 0, 0]
// CHECK: tn.sample %{{.*}} : tensor<6x4xf32>, tensor<6xf32>, tensor<6xi32>, tensor<6xf32>, tensor<6xf32>, tensor<6xi64>, tensor<6xi32> -> tensor<6xi32>
func.func @sample(%l: tensor<6x4xf32>, %t: tensor<6xf32>, %k: tensor<6xi32>,
    %p: tensor<6xf32>, %m: tensor<6xf32>, %s: tensor<6xi64>, %n: tensor<6xi32>)
    -> tensor<6xi32>
    attributes {tn.test_inputs = [
        dense<[[1.0, 3.0, 3.0, 2.0], [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]>
            : tensor<6x4xf32>,
        dense<[0.0, 1.0, 1.0, 1.0, 1.0, 1.0]> : tensor<6xf32>,
        dense<[0, 0, 2, 0, 0, 9]> : tensor<6xi32>,
        dense<[1.0, 1.0, 1.0, 0.25, 1.0, 0.5]> : tensor<6xf32>,
        dense<[0.0, 0.0, 0.0, 0.0, 2.0, 1.0]> : tensor<6xf32>,
        dense<[0, 0, 0, 0, 0, 0]> : tensor<6xi64>,
        dense<[0, 0, 0, 0, 0, 0]> : tensor<6xi32>]} {
  %y = tn.sample %l, %t, %k, %p, %m, %s, %n : tensor<6x4xf32>, tensor<6xf32>,
      tensor<6xi32>, tensor<6xf32>, tensor<6xf32>, tensor<6xi64>, tensor<6xi32>
      -> tensor<6xi32>
  return %y : tensor<6xi32>
}

// -----

// Candidates are ordered by logit: the largest comes first.
// CHECK: @order contract: tensor<1xi32> [2]
// CHECK: @order real: tensor<1xi32> [2]
// CHECK: tn.sample %{{.*}} : tensor<1x4xf32>, tensor<1xf32>, tensor<1xi32>, tensor<1xf32>, tensor<1xf32>, tensor<1xi64>, tensor<1xi32> -> tensor<1xi32>
func.func @order(%l: tensor<1x4xf32>, %t: tensor<1xf32>, %k: tensor<1xi32>,
    %p: tensor<1xf32>, %m: tensor<1xf32>, %s: tensor<1xi64>, %n: tensor<1xi32>)
    -> tensor<1xi32>
    attributes {tn.test_inputs = [
        dense<[[0.0, 0.0, 10.0, 0.0]]> : tensor<1x4xf32>,
        dense<[1.0]> : tensor<1xf32>,
        dense<[0]> : tensor<1xi32>,
        dense<[1.0]> : tensor<1xf32>,
        dense<[0.0]> : tensor<1xf32>,
        dense<[0]> : tensor<1xi64>,
        dense<[0]> : tensor<1xi32>]} {
  %y = tn.sample %l, %t, %k, %p, %m, %s, %n : tensor<1x4xf32>, tensor<1xf32>,
      tensor<1xi32>, tensor<1xf32>, tensor<1xf32>, tensor<1xi64>, tensor<1xi32>
      -> tensor<1xi32>
  return %y : tensor<1xi32>
}

// -----

// What has no weight is never drawn while another has.
// CHECK: @last contract: tensor<1xi32> [0]
// CHECK: @last real: tensor<1xi32> [0]
// CHECK: tn.sample %{{.*}} : tensor<1x2xf32>, tensor<1xf32>, tensor<1xi32>, tensor<1xf32>, tensor<1xf32>, tensor<1xi64>, tensor<1xi32> -> tensor<1xi32>
func.func @last(%l: tensor<1x2xf32>, %t: tensor<1xf32>, %k: tensor<1xi32>,
    %p: tensor<1xf32>, %m: tensor<1xf32>, %s: tensor<1xi64>, %n: tensor<1xi32>)
    -> tensor<1xi32>
    attributes {tn.test_inputs = [
        dense<[[0.0, 0xFF800000]]> : tensor<1x2xf32>,
        dense<[1.0]> : tensor<1xf32>,
        dense<[0]> : tensor<1xi32>,
        dense<[1.0]> : tensor<1xf32>,
        dense<[0.0]> : tensor<1xf32>,
        dense<[0]> : tensor<1xi64>,
        dense<[0]> : tensor<1xi32>]} {
  %y = tn.sample %l, %t, %k, %p, %m, %s, %n : tensor<1x2xf32>, tensor<1xf32>,
      tensor<1xi32>, tensor<1xf32>, tensor<1xf32>, tensor<1xi64>, tensor<1xi32>
      -> tensor<1xi32>
  return %y : tensor<1xi32>
}

// -----

// NaN is a failure of the step.
// CHECK: @nan contract: tensor<1xi32> [{{.*}}]
// CHECK: @nan contract fails: nan in tn.sample, row 0, value 0
// CHECK: @nan real: tensor<1xi32> [{{.*}}]
// CHECK: @nan real fails: nan in tn.sample, row 0, value 0
// CHECK: tn.sample %{{.*}} : tensor<1x2xf32>, tensor<1xf32>, tensor<1xi32>, tensor<1xf32>, tensor<1xf32>, tensor<1xi64>, tensor<1xi32> -> tensor<1xi32>
func.func @nan(%l: tensor<1x2xf32>, %t: tensor<1xf32>, %k: tensor<1xi32>,
    %p: tensor<1xf32>, %m: tensor<1xf32>, %s: tensor<1xi64>, %n: tensor<1xi32>)
    -> tensor<1xi32>
    attributes {tn.test_inputs = [
        dense<[[0.0, 0x7FC00000]]> : tensor<1x2xf32>,
        dense<[1.0]> : tensor<1xf32>,
        dense<[0]> : tensor<1xi32>,
        dense<[1.0]> : tensor<1xf32>,
        dense<[0.0]> : tensor<1xf32>,
        dense<[0]> : tensor<1xi64>,
        dense<[0]> : tensor<1xi32>]} {
  %y = tn.sample %l, %t, %k, %p, %m, %s, %n : tensor<1x2xf32>, tensor<1xf32>,
      tensor<1xi32>, tensor<1xf32>, tensor<1xf32>, tensor<1xi64>, tensor<1xi32>
      -> tensor<1xi32>
  return %y : tensor<1xi32>
}

// -----

func.func @sample_c1(%l: tensor<2x8xbf16>, %t: tensor<2xf32>, %k: tensor<2xi32>,
    %p: tensor<2xf32>, %m: tensor<2xf32>, %s: tensor<2xi64>,
    %n: tensor<2xi32>) {
  // expected-error@+1 {{expects logits of shape [R, V] of f32}}
  %y = tn.sample %l, %t, %k, %p, %m, %s, %n : tensor<2x8xbf16>, tensor<2xf32>,
      tensor<2xi32>, tensor<2xf32>, tensor<2xf32>, tensor<2xi64>, tensor<2xi32>
      -> tensor<2xi32>
  return
}

// -----

func.func @sample_c1_rows(%l: tensor<2x8xf32>, %t: tensor<2xf32>,
    %k: tensor<2xi32>, %p: tensor<3xf32>, %m: tensor<2xf32>, %s: tensor<2xi64>,
    %n: tensor<2xi32>) {
  // expected-error@+1 {{expects top_p of type 'tensor<2xf32>', got 'tensor<3xf32>'}}
  %y = tn.sample %l, %t, %k, %p, %m, %s, %n : tensor<2x8xf32>, tensor<2xf32>,
      tensor<2xi32>, tensor<3xf32>, tensor<2xf32>, tensor<2xi64>, tensor<2xi32>
      -> tensor<2xi32>
  return
}

// -----

func.func @sample_c2(%l: tensor<2x8xf32>, %t: tensor<2xf32>, %k: tensor<2xi32>,
    %p: tensor<2xf32>, %m: tensor<2xf32>, %s: tensor<2xi64>,
    %n: tensor<2xi32>) {
  // expected-error@+1 {{expects y of type 'tensor<2xi32>', got 'tensor<3xi32>'}}
  %y = tn.sample %l, %t, %k, %p, %m, %s, %n : tensor<2x8xf32>, tensor<2xf32>,
      tensor<2xi32>, tensor<2xf32>, tensor<2xf32>, tensor<2xi64>, tensor<2xi32>
      -> tensor<3xi32>
  return
}
