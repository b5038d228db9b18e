// RUN: %test_op | FileCheck %s

// The second group has no rows.
// CHECK: @grouped_outer contract: tensor<3x2x1xf32> [31, 42, 0, 0, 500, 600]
// CHECK: @grouped_outer real: tensor<3x2x1xf32> [31, 42, 0, 0, 500, 600]
// CHECK: tn.grouped_outer %{{.*}}, %{{.*}}, %{{.*}} : tensor<3x2xf32>, tensor<3x1xf32>, tensor<4xi32> -> tensor<3x2x1xf32>
func.func @grouped_outer(%a: tensor<3x2xf32>, %b: tensor<3x1xf32>,
    %o: tensor<4xi32>) -> tensor<3x2x1xf32>
    attributes {tn.test_inputs = [
        dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>,
        dense<[[1.0], [10.0], [100.0]]> : tensor<3x1xf32>,
        dense<[0, 2, 2, 3]> : tensor<4xi32>]} {
  %y = tn.grouped_outer %a, %b, %o : tensor<3x2xf32>, tensor<3x1xf32>,
      tensor<4xi32> -> tensor<3x2x1xf32>
  return %y : tensor<3x2x1xf32>
}

// -----

// CHECK: @long contract fails: index in tn.grouped_outer, row 1, value 3
// CHECK: @long real fails: index in tn.grouped_outer, row 1, value 3
func.func @long(%a: tensor<2x1xf32>, %b: tensor<2x1xf32>) -> tensor<1x1x1xf32>
    attributes {tn.test_inputs = [dense<1.0> : tensor<2x1xf32>,
                                  dense<1.0> : tensor<2x1xf32>]} {
  %o = tn.constant dense<[0, 3]> : tensor<2xi32>
  %y = tn.grouped_outer %a, %b, %o : tensor<2x1xf32>, tensor<2x1xf32>,
      tensor<2xi32> -> tensor<1x1x1xf32>
  return %y : tensor<1x1x1xf32>
}

// -----

func.func @grouped_outer_c1(%a: tensor<3x2xf32>, %b: tensor<2x1xf32>,
    %o: tensor<2xi32>) {
  // expected-error@+1 {{expects axis 0 of a equal to axis 0 of b}}
  %y = tn.grouped_outer %a, %b, %o : tensor<3x2xf32>, tensor<2x1xf32>,
      tensor<2xi32> -> tensor<1x2x1xf32>
  return
}

// -----

func.func @grouped_outer_c1_rank(%a: tensor<3x2xf32>, %b: tensor<3xf32>,
    %o: tensor<2xi32>) {
  // expected-error@+1 {{expects a and b of one rank >= 2, got 'tensor<3x2xf32>' and 'tensor<3xf32>'}}
  %y = tn.grouped_outer %a, %b, %o : tensor<3x2xf32>, tensor<3xf32>,
      tensor<2xi32> -> tensor<1x2x1xf32>
  return
}

// -----

func.func @grouped_outer_c2(%a: tensor<3x2xf32>, %b: tensor<3x1xf32>,
    %o: tensor<2xi32>) {
  // expected-error@+1 {{expects offsets of one more than the groups of y, got 'tensor<2xi32>' and 'tensor<2x2x1xf32>'}}
  %y = tn.grouped_outer %a, %b, %o : tensor<3x2xf32>, tensor<3x1xf32>,
      tensor<2xi32> -> tensor<2x2x1xf32>
  return
}

// -----

func.func @grouped_outer_c3(%a: tensor<3x2xf32>, %b: tensor<3x1xf32>,
    %o: tensor<2xi32>) {
  // expected-error@+1 {{expects axis 1 of y equal to axis 1 of a}}
  %y = tn.grouped_outer %a, %b, %o : tensor<3x2xf32>, tensor<3x1xf32>,
      tensor<2xi32> -> tensor<1x1x2xf32>
  return
}
