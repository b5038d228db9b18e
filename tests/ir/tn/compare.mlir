// RUN: %test_op | FileCheck %s

// CHECK: @eq contract: tensor<4xi1> [0, 1, 0, 0]
// CHECK: @eq real: tensor<4xi1> [0, 1, 0, 0]
// CHECK: tn.compare eq %{{.*}}, %{{.*}} : tensor<4xf32> -> tensor<4xi1>
func.func @eq(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xi1>
    attributes {tn.test_inputs = [
        dense<[1.0, 2.0, 3.0, 0x7FC00000]> : tensor<4xf32>,
        dense<[2.0, 2.0, 2.0, 2.0]> : tensor<4xf32>]} {
  %y = tn.compare eq %a, %b : tensor<4xf32> -> tensor<4xi1>
  return %y : tensor<4xi1>
}

// -----

// CHECK: @ne contract: tensor<4xi1> [1, 0, 1, 1]
// CHECK: @ne real: tensor<4xi1> [1, 0, 1, 1]
// CHECK: tn.compare ne %{{.*}}, %{{.*}} : tensor<4xf32> -> tensor<4xi1>
func.func @ne(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xi1>
    attributes {tn.test_inputs = [
        dense<[1.0, 2.0, 3.0, 0x7FC00000]> : tensor<4xf32>,
        dense<[2.0, 2.0, 2.0, 2.0]> : tensor<4xf32>]} {
  %y = tn.compare ne %a, %b : tensor<4xf32> -> tensor<4xi1>
  return %y : tensor<4xi1>
}

// -----

// CHECK: @lt contract: tensor<4xi1> [1, 0, 0, 0]
// CHECK: @lt real: tensor<4xi1> [1, 0, 0, 0]
// CHECK: tn.compare lt %{{.*}}, %{{.*}} : tensor<4xf32> -> tensor<4xi1>
func.func @lt(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xi1>
    attributes {tn.test_inputs = [
        dense<[1.0, 2.0, 3.0, 0x7FC00000]> : tensor<4xf32>,
        dense<[2.0, 2.0, 2.0, 2.0]> : tensor<4xf32>]} {
  %y = tn.compare lt %a, %b : tensor<4xf32> -> tensor<4xi1>
  return %y : tensor<4xi1>
}

// -----

// CHECK: @le contract: tensor<4xi1> [1, 1, 0, 0]
// CHECK: @le real: tensor<4xi1> [1, 1, 0, 0]
// CHECK: tn.compare le %{{.*}}, %{{.*}} : tensor<4xf32> -> tensor<4xi1>
func.func @le(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xi1>
    attributes {tn.test_inputs = [
        dense<[1.0, 2.0, 3.0, 0x7FC00000]> : tensor<4xf32>,
        dense<[2.0, 2.0, 2.0, 2.0]> : tensor<4xf32>]} {
  %y = tn.compare le %a, %b : tensor<4xf32> -> tensor<4xi1>
  return %y : tensor<4xi1>
}

// -----

// CHECK: @gt contract: tensor<4xi1> [0, 0, 1, 0]
// CHECK: @gt real: tensor<4xi1> [0, 0, 1, 0]
// CHECK: tn.compare gt %{{.*}}, %{{.*}} : tensor<4xf32> -> tensor<4xi1>
func.func @gt(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xi1>
    attributes {tn.test_inputs = [
        dense<[1.0, 2.0, 3.0, 0x7FC00000]> : tensor<4xf32>,
        dense<[2.0, 2.0, 2.0, 2.0]> : tensor<4xf32>]} {
  %y = tn.compare gt %a, %b : tensor<4xf32> -> tensor<4xi1>
  return %y : tensor<4xi1>
}

// -----

// CHECK: @ge contract: tensor<4xi1> [0, 1, 1, 0]
// CHECK: @ge real: tensor<4xi1> [0, 1, 1, 0]
// CHECK: tn.compare ge %{{.*}}, %{{.*}} : tensor<4xf32> -> tensor<4xi1>
func.func @ge(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xi1>
    attributes {tn.test_inputs = [
        dense<[1.0, 2.0, 3.0, 0x7FC00000]> : tensor<4xf32>,
        dense<[2.0, 2.0, 2.0, 2.0]> : tensor<4xf32>]} {
  %y = tn.compare ge %a, %b : tensor<4xf32> -> tensor<4xi1>
  return %y : tensor<4xi1>
}

// -----

// Integers are signed.
// CHECK: @lt_i64 contract: tensor<2xi1> [1, 0]
// CHECK: @lt_i64 real: tensor<2xi1> [1, 0]
func.func @lt_i64(%a: tensor<2xi64>, %b: tensor<2xi64>) -> tensor<2xi1>
    attributes {tn.test_inputs = [
        dense<[-1, 3]> : tensor<2xi64>,
        dense<[0, 3]> : tensor<2xi64>]} {
  %y = tn.compare lt %a, %b : tensor<2xi64> -> tensor<2xi1>
  return %y : tensor<2xi1>
}

// -----

func.func @compare_c1(%a: tensor<2xf32>, %b: tensor<3xf32>) {
  // expected-error@+1 {{failed to verify that all of {a, b} have same type}}
  %y = "tn.compare"(%a, %b) {predicate = 0 : i32}
      : (tensor<2xf32>, tensor<3xf32>) -> tensor<2xi1>
  return
}

// -----

func.func @compare_c2(%a: tensor<2xf32>) {
  // expected-error@+1 {{expects}}
  %y = tn.compare eq %a, %a : tensor<2xf32> -> tensor<3xi1>
  return
}
