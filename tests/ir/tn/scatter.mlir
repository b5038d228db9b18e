// RUN: %test_op | FileCheck %s

// The last of equal indices wins; one outside writes nothing.
// CHECK: @scatter contract: tensor<3x1xf32> [20, 2, 30]
// CHECK: @scatter contract fails: index in tn.scatter, row 3, value 7
// CHECK: @scatter real: tensor<3x1xf32> [20, 2, 30]
// CHECK: @scatter real fails: index in tn.scatter, row 3, value 7
// CHECK: tn.scatter %{{.*}}, %{{.*}}, %{{.*}} : tensor<3x1xf32>, tensor<4xi32>, tensor<4x1xf32> -> tensor<3x1xf32>
func.func @scatter(%b: tensor<3x1xf32>, %i: tensor<4xi32>, %r: tensor<4x1xf32>)
    -> tensor<3x1xf32>
    attributes {tn.test_inputs = [
        dense<[[1.0], [2.0], [3.0]]> : tensor<3x1xf32>,
        dense<[2, 0, 2, 7]> : tensor<4xi32>,
        dense<[[10.0], [20.0], [30.0], [40.0]]> : tensor<4x1xf32>]} {
  %y = tn.scatter %b, %i, %r : tensor<3x1xf32>, tensor<4xi32>, tensor<4x1xf32>
      -> tensor<3x1xf32>
  return %y : tensor<3x1xf32>
}

// -----

// CHECK: @add contract: tensor<3x1xf32> [21, 2, 43]
// CHECK: @add contract fails: index in tn.scatter, row 3, value 7
// CHECK: @add real: tensor<3x1xf32> [21, 2, 43]
// CHECK: @add real fails: index in tn.scatter, row 3, value 7
// CHECK: tn.scatter %{{.*}}, %{{.*}}, %{{.*}} {add} : tensor<3x1xf32>, tensor<4xi32>, tensor<4x1xf32> -> tensor<3x1xf32>
func.func @add(%b: tensor<3x1xf32>, %i: tensor<4xi32>, %r: tensor<4x1xf32>)
    -> tensor<3x1xf32>
    attributes {tn.test_inputs = [
        dense<[[1.0], [2.0], [3.0]]> : tensor<3x1xf32>,
        dense<[2, 0, 2, 7]> : tensor<4xi32>,
        dense<[[10.0], [20.0], [30.0], [40.0]]> : tensor<4x1xf32>]} {
  %y = tn.scatter %b, %i, %r {add} : tensor<3x1xf32>, tensor<4xi32>,
      tensor<4x1xf32> -> tensor<3x1xf32>
  return %y : tensor<3x1xf32>
}

// -----

func.func @scatter_c1(%b: tensor<3xf32>, %i: tensor<4xi32>,
    %r: tensor<4x1xf32>) {
  // expected-error@+1 {{expects base of rank 2}}
  %y = tn.scatter %b, %i, %r : tensor<3xf32>, tensor<4xi32>, tensor<4x1xf32>
      -> tensor<3xf32>
  return
}

// -----

func.func @scatter_c2(%b: tensor<3x1xf32>, %i: tensor<4xi32>,
    %r: tensor<4x2xf32>) {
  // expected-error@+1 {{expects axis 1 of rows equal to axis 1 of base}}
  %y = tn.scatter %b, %i, %r : tensor<3x1xf32>, tensor<4xi32>, tensor<4x2xf32>
      -> tensor<3x1xf32>
  return
}

// -----

func.func @scatter_c2_type(%b: tensor<3x1xf32>, %i: tensor<4xi32>,
    %r: tensor<4x1xf16>) {
  // expected-error@+1 {{expects rows of base's element type}}
  %y = tn.scatter %b, %i, %r : tensor<3x1xf32>, tensor<4xi32>, tensor<4x1xf16>
      -> tensor<3x1xf32>
  return
}

// -----

func.func @scatter_c3(%b: tensor<3x1xf32>, %i: tensor<4xi32>,
    %r: tensor<4x1xf32>) {
  // expected-error@+1 {{expects y of type 'tensor<3x1xf32>', got 'tensor<4x1xf32>'}}
  %y = tn.scatter %b, %i, %r : tensor<3x1xf32>, tensor<4xi32>, tensor<4x1xf32>
      -> tensor<4x1xf32>
  return
}
