// RUN: %test_op | FileCheck %s

// The second group has no rows.
// CHECK: @grouped_matmul contract: tensor<3x2xf32> [1, 2, 3, 4, 55, 56]
// CHECK: @grouped_matmul real: tensor<3x2xf32> [1, 2, 3, 4, 55, 56]
// CHECK: tn.grouped_matmul %{{.*}}, %{{.*}}, %{{.*}} : tensor<3x2xf32>, tensor<3x2x2xf32>, tensor<4xi32> -> tensor<3x2xf32>
func.func @grouped_matmul(%a: tensor<3x2xf32>, %b: tensor<3x2x2xf32>,
    %o: tensor<4xi32>) -> tensor<3x2xf32>
    attributes {tn.test_inputs = [
        dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>,
        dense<[[[1.0, 0.0], [0.0, 1.0]], [[9.0, 9.0], [9.0, 9.0]],
               [[5.0, 10.0], [5.0, 1.0]]]> : tensor<3x2x2xf32>,
        dense<[0, 2, 2, 3]> : tensor<4xi32>]} {
  %y = tn.grouped_matmul %a, %b, %o : tensor<3x2xf32>, tensor<3x2x2xf32>,
      tensor<4xi32> -> tensor<3x2xf32>
  return %y : tensor<3x2xf32>
}

// -----

// Assignments of one token, in three groups of rows.
// CHECK: @transposed contract: tensor<1x3x1xf32> [2, 20, 300]
// CHECK: @transposed real: tensor<1x3x1xf32> [2, 20, 300]
// CHECK: tn.grouped_matmul %{{.*}}, %{{.*}}, %{{.*}} {transpose_b} : tensor<1x3x2xf32>, tensor<3x1x2xf32>, tensor<4xi32> -> tensor<1x3x1xf32>
func.func @transposed(%a: tensor<1x3x2xf32>, %b: tensor<3x1x2xf32>,
    %o: tensor<4xi32>) -> tensor<1x3x1xf32>
    attributes {tn.test_inputs = [
        dense<[[[1.0, 1.0], [1.0, 1.0], [2.0, 1.0]]]> : tensor<1x3x2xf32>,
        dense<[[[1.0, 1.0]], [[10.0, 10.0]], [[100.0, 100.0]]]>
        : tensor<3x1x2xf32>,
        dense<[0, 1, 2, 3]> : tensor<4xi32>]} {
  %y = tn.grouped_matmul %a, %b, %o {transpose_b} : tensor<1x3x2xf32>,
      tensor<3x1x2xf32>, tensor<4xi32> -> tensor<1x3x1xf32>
  return %y : tensor<1x3x1xf32>
}

// -----

// CHECK: @descends contract fails: index in tn.grouped_matmul, row 2, value 1
// CHECK: @descends real fails: index in tn.grouped_matmul, row 2, value 1
// CHECK: @short contract fails: index in tn.grouped_matmul, row 3, value 2
// CHECK: @short real fails: index in tn.grouped_matmul, row 3, value 2
func.func @descends(%a: tensor<3x1xf32>, %b: tensor<3x1x1xf32>)
    -> tensor<3x1xf32>
    attributes {tn.test_inputs = [dense<1.0> : tensor<3x1xf32>,
                                  dense<1.0> : tensor<3x1x1xf32>]} {
  %o = tn.constant dense<[0, 2, 1, 3]> : tensor<4xi32>
  %y = tn.grouped_matmul %a, %b, %o : tensor<3x1xf32>, tensor<3x1x1xf32>,
      tensor<4xi32> -> tensor<3x1xf32>
  return %y : tensor<3x1xf32>
}
func.func @short(%a: tensor<3x1xf32>, %b: tensor<3x1x1xf32>) -> tensor<3x1xf32>
    attributes {tn.test_inputs = [dense<1.0> : tensor<3x1xf32>,
                                  dense<1.0> : tensor<3x1x1xf32>]} {
  %o = tn.constant dense<[0, 1, 2, 2]> : tensor<4xi32>
  %y = tn.grouped_matmul %a, %b, %o : tensor<3x1xf32>, tensor<3x1x1xf32>,
      tensor<4xi32> -> tensor<3x1xf32>
  return %y : tensor<3x1xf32>
}

// -----

func.func @grouped_matmul_c1(%a: tensor<3x2xf32>, %b: tensor<2x2xf32>,
    %o: tensor<3xi32>) {
  // expected-error@+1 {{expects a of rank >= 2 and b of rank 3, got 'tensor<3x2xf32>' and 'tensor<2x2xf32>'}}
  %y = tn.grouped_matmul %a, %b, %o : tensor<3x2xf32>, tensor<2x2xf32>,
      tensor<3xi32> -> tensor<3x2xf32>
  return
}

// -----

func.func @grouped_matmul_c2(%a: tensor<3x2xf32>, %b: tensor<2x2x3xf32>,
    %o: tensor<3xi32>) {
  // expected-error@+1 {{expects axis 1 of a equal to axis 2 of b}}
  %y = tn.grouped_matmul %a, %b, %o {transpose_b} : tensor<3x2xf32>,
      tensor<2x2x3xf32>, tensor<3xi32> -> tensor<3x2xf32>
  return
}

// -----

func.func @grouped_matmul_c3(%a: tensor<3x2xf32>, %b: tensor<2x2x2xf32>,
    %o: tensor<2xi32>) {
  // expected-error@+1 {{expects offsets of one more than the groups of b, got 'tensor<2xi32>' and 'tensor<2x2x2xf32>'}}
  %y = tn.grouped_matmul %a, %b, %o : tensor<3x2xf32>, tensor<2x2x2xf32>,
      tensor<2xi32> -> tensor<3x2xf32>
  return
}

// -----

func.func @grouped_matmul_c4(%a: tensor<3x256xf32>,
    %b: tensor<2x2x256x!tn.block<q8_k>>, %o: tensor<3xi32>) {
  // expected-error@+1 {{expects a blocked b of a format of weights}}
  %y = tn.grouped_matmul %a, %b, %o {transpose_b} : tensor<3x256xf32>,
      tensor<2x2x256x!tn.block<q8_k>>, tensor<3xi32> -> tensor<3x2xf32>
  return
}

// -----

func.func @grouped_matmul_c5(%a: tensor<3x2xf32>, %b: tensor<2x2x2xf32>,
    %o: tensor<3xi32>) {
  // expected-error@+1 {{expects y of type 'tensor<3x2xf32>', got 'tensor<2x2xf32>'}}
  %y = tn.grouped_matmul %a, %b, %o : tensor<3x2xf32>, tensor<2x2x2xf32>,
      tensor<3xi32> -> tensor<2x2xf32>
  return
}

// -----

func.func @grouped_matmul_c6(%a: tensor<3x32x!tn.block<q8_0>>,
    %b: tensor<2x2x32xf32>, %o: tensor<3xi32>) {
  // expected-error@+1 {{expects a blocked b with a blocked a}}
  %y = tn.grouped_matmul %a, %b, %o {transpose_b}
      : tensor<3x32x!tn.block<q8_0>>, tensor<2x2x32xf32>, tensor<3xi32>
      -> tensor<3x2xf32>
  return
}
