// RUN: %test_op | FileCheck %s

// Towards zero, saturating; NaN is 0.
// CHECK: @to_i32 contract: tensor<6xi32> [1, -1, 0, 2147483647, -2147483648, 0]
// CHECK: @to_i32 real: tensor<6xi32> [1, -1, 0, 2147483647, -2147483648, 0]
// CHECK: tn.cast %{{.*}} : tensor<6xf32> -> tensor<6xi32>
func.func @to_i32(%x: tensor<6xf32>) -> tensor<6xi32>
    attributes {tn.test_inputs = [
        dense<[1.9, -1.9, 0x7FC00000, 3000000000.0, -3000000000.0, 0.0]>
        : tensor<6xf32>]} {
  %y = tn.cast %x : tensor<6xf32> -> tensor<6xi32>
  return %y : tensor<6xi32>
}

// -----

// Towards zero, saturating, to bytes too, which are signed.
// CHECK: @to_i8 contract: tensor<5xi8> [1, -1, 0, 127, -128]
// CHECK: @to_i8 real: tensor<5xi8> [1, -1, 0, 127, -128]
func.func @to_i8(%x: tensor<5xf32>) -> tensor<5xi8>
    attributes {tn.test_inputs = [
        dense<[1.9, -1.9, 0x7FC00000, 128.0, -200.0]> : tensor<5xf32>]} {
  %y = tn.cast %x : tensor<5xf32> -> tensor<5xi8>
  return %y : tensor<5xi8>
}

// -----

// Ties to even; real does not round.
// CHECK: @to_bf16 contract: tensor<2xbf16> [1, 1.015625]
// CHECK: @to_bf16 real: tensor<2xbf16> [1.00390625, 1.01171875]
func.func @to_bf16(%x: tensor<2xf32>) -> tensor<2xbf16>
    attributes {tn.test_inputs = [
        dense<[1.00390625, 1.01171875]> : tensor<2xf32>]} {
  %y = tn.cast %x : tensor<2xf32> -> tensor<2xbf16>
  return %y : tensor<2xbf16>
}

// -----

// CHECK: @to_i1 contract: tensor<3xi1> [0, 1, 1]
// CHECK: @to_i1 real: tensor<3xi1> [0, 1, 1]
func.func @to_i1(%x: tensor<3xi32>) -> tensor<3xi1>
    attributes {tn.test_inputs = [
        dense<[0, 2, -1]> : tensor<3xi32>]} {
  %y = tn.cast %x : tensor<3xi32> -> tensor<3xi1>
  return %y : tensor<3xi1>
}

// -----

// CHECK: @from_i1 contract: tensor<2xf16> [0, 1]
// CHECK: @from_i1 real: tensor<2xf16> [0, 1]
func.func @from_i1(%x: tensor<2xi1>) -> tensor<2xf16>
    attributes {tn.test_inputs = [
        dense<[false, true]> : tensor<2xi1>]} {
  %y = tn.cast %x : tensor<2xi1> -> tensor<2xf16>
  return %y : tensor<2xf16>
}

// -----

// CHECK: @wraps contract: tensor<2xi32> [2, -2147483648]
// CHECK: @wraps real: tensor<2xi32> [2, -2147483648]
func.func @wraps(%x: tensor<2xi64>) -> tensor<2xi32>
    attributes {tn.test_inputs = [
        dense<[4294967298, 2147483648]> : tensor<2xi64>]} {
  %y = tn.cast %x : tensor<2xi64> -> tensor<2xi32>
  return %y : tensor<2xi32>
}

// -----

func.func @cast_c1(%x: tensor<2xf32>) {
  // expected-error@+1 {{expects}}
  %y = tn.cast %x : tensor<2xf32> -> tensor<3xi32>
  return
}
