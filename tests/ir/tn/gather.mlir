// RUN: %test_op | FileCheck %s

// CHECK: @gather contract: tensor<1x2x2xf32> [5, 6, 1, 2]
// CHECK: @gather real: tensor<1x2x2xf32> [5, 6, 1, 2]
// CHECK: tn.gather %{{.*}}, %{{.*}} : tensor<3x2xf32>, tensor<1x2xi32> -> tensor<1x2x2xf32>
func.func @gather(%t: tensor<3x2xf32>, %i: tensor<1x2xi32>) -> tensor<1x2x2xf32>
    attributes {tn.test_inputs = [
        dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>,
        dense<[[2, 0]]> : tensor<1x2xi32>]} {
  %y = tn.gather %t, %i : tensor<3x2xf32>, tensor<1x2xi32> -> tensor<1x2x2xf32>
  return %y : tensor<1x2x2xf32>
}

// -----

// An index outside reads row 0; the first is the failure of the step.
// CHECK: @outside contract: tensor<3x2xf32> [3, 4, 1, 2, 1, 2]
// CHECK: @outside contract fails: index in tn.gather, row 1, value 3
// CHECK: @outside real: tensor<3x2xf32> [3, 4, 1, 2, 1, 2]
// CHECK: @outside real fails: index in tn.gather, row 1, value 3
func.func @outside(%t: tensor<3x2xf32>, %i: tensor<3xi32>) -> tensor<3x2xf32>
    attributes {tn.test_inputs = [
        dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>,
        dense<[1, 3, -1]> : tensor<3xi32>]} {
  %y = tn.gather %t, %i : tensor<3x2xf32>, tensor<3xi32> -> tensor<3x2xf32>
  return %y : tensor<3x2xf32>
}

// -----

// A blocked table means its unpacked values.
// CHECK: @blocked contract: tensor<1x32xbf16> [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3]
// CHECK: @blocked real: tensor<1x32xbf16> [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3]
func.func @blocked(%t: tensor<1x32x!tn.block<q8_0>>, %i: tensor<1xi32>)
    -> tensor<1x32xbf16> attributes {tn.test_inputs = [
        dense<[0, 60, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3]> : tensor<34xi8>, dense<0>
            : tensor<1xi32>]} {
  %y = tn.gather %t, %i
      : tensor<1x32x!tn.block<q8_0>>, tensor<1xi32> -> tensor<1x32xbf16>
  return %y : tensor<1x32xbf16>
}

// -----

func.func @gather_c1(%t: tensor<f32>, %i: tensor<2xi32>) {
  // expected-error@+1 {{expects table of rank >= 1}}
  %y = tn.gather %t, %i : tensor<f32>, tensor<2xi32> -> tensor<2xf32>
  return
}

// -----

func.func @gather_c2(%t: tensor<3x2xf32>, %i: tensor<4xi32>) {
  // expected-error@+1 {{expects y of type 'tensor<4x2xf32>', got 'tensor<4x3xf32>'}}
  %y = tn.gather %t, %i : tensor<3x2xf32>, tensor<4xi32> -> tensor<4x3xf32>
  return
}

// -----

func.func @gather_c3(%t: tensor<3x2xf32>, %i: tensor<4xi32>) {
  // expected-error@+1 {{expects y of the table's element type}}
  %y = tn.gather %t, %i : tensor<3x2xf32>, tensor<4xi32> -> tensor<4x2xf16>
  return
}

// -----

func.func @gather_c3_blocked(%t: tensor<3x32x!tn.block<q8_0>>,
    %i: tensor<4xi32>) {
  // expected-error@+1 {{expects y of a float type}}
  %y = tn.gather %t, %i : tensor<3x32x!tn.block<q8_0>>, tensor<4xi32>
      -> tensor<4x32xi32>
  return
}

// -----

func.func @gather_c4(%t: tensor<32x!tn.block<q8_0>>, %i: tensor<4xi32>) {
  // expected-error@+1 {{expects a blocked table of rank 2}}
  %y = tn.gather %t, %i : tensor<32x!tn.block<q8_0>>, tensor<4xi32>
      -> tensor<4xf32>
  return
}
