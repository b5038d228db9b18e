// RUN: tenon-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: @identities
//  CHECK-SAME:   (%[[X:.*]]: tensor<2x3xf32>)
//  CHECK-NEXT:   return %[[X]], %[[X]]
func.func @identities(%x: tensor<2x3xf32>)
    -> (tensor<2x3xf32>, tensor<2x3xf32>) {
  %c = tn.cast %x : tensor<2x3xf32> -> tensor<2x3xf32>
  %r = tn.reshape %x : tensor<2x3xf32> -> tensor<2x3xf32>
  return %c, %r : tensor<2x3xf32>, tensor<2x3xf32>
}

// A cast that rounds stays, also between casts.
// CHECK-LABEL: @rounds
//       CHECK:   tn.cast
//       CHECK:   tn.cast
func.func @rounds(%x: tensor<2xf32>) -> tensor<2xf32> {
  %h = tn.cast %x : tensor<2xf32> -> tensor<2xbf16>
  %y = tn.cast %h : tensor<2xbf16> -> tensor<2xf32>
  return %y : tensor<2xf32>
}

// CHECK-LABEL: @reshapes
//  CHECK-SAME:   (%[[X:.*]]: tensor<2x3xf32>)
//  CHECK-NEXT:   %[[Y:.*]] = tn.reshape %[[X]] : tensor<2x3xf32> -> tensor<3x2xf32>
//  CHECK-NEXT:   return %[[Y]], %[[X]]
func.func @reshapes(%x: tensor<2x3xf32>)
    -> (tensor<3x2xf32>, tensor<2x3xf32>) {
  %a = tn.reshape %x : tensor<2x3xf32> -> tensor<6xf32>
  %b = tn.reshape %a : tensor<6xf32> -> tensor<3x2xf32>
  %c = tn.reshape %a : tensor<6xf32> -> tensor<2x3xf32>
  return %b, %c : tensor<3x2xf32>, tensor<2x3xf32>
}

// CHECK-LABEL: @constant
//  CHECK-NEXT:   %[[C:.*]] = tn.constant dense<{{\[}}[1, 2], [3, 4]]> : tensor<2x2xi32>
//  CHECK-NEXT:   return %[[C]]
func.func @constant() -> tensor<2x2xi32> {
  %c = tn.constant dense<[1, 2, 3, 4]> : tensor<4xi32>
  %r = tn.reshape %c : tensor<4xi32> -> tensor<2x2xi32>
  return %r : tensor<2x2xi32>
}
