// RUN: %test_op | FileCheck %s

// The sink asks to stop at the third token.
// CHECK: @emit contract: tensor<i1> [0]
// CHECK: @emit contract: tensor<i1> [1]
// CHECK: @emit contract emits [7, 8, 9]
// CHECK: @emit real: tensor<i1> [0]
// CHECK: @emit real: tensor<i1> [1]
// CHECK: @emit real emits [7, 8, 9]
// CHECK: tn.emit %{{.*}} : tensor<2xi32> -> tensor<i1>
func.func @emit(%a: tensor<2xi32>, %b: tensor<1xi32>)
    -> (tensor<i1>, tensor<i1>) attributes {tn.test_emit_limit = 3,
    tn.test_inputs = [dense<[7, 8]> : tensor<2xi32>, dense<9>
        : tensor<1xi32>]} {
  %s = tn.emit %a : tensor<2xi32> -> tensor<i1>
  %t = tn.emit %b : tensor<1xi32> -> tensor<i1>
  return %s, %t : tensor<i1>, tensor<i1>
}

// -----

func.func @emit_c1(%t: tensor<1x2xi32>) {
  // expected-error@+1 {{expects tokens of rank 1}}
  %s = tn.emit %t : tensor<1x2xi32> -> tensor<i1>
  return
}

// -----

func.func @emit_c2(%t: tensor<2xi32>) {
  // expected-error@+1 {{expects a scalar i1 stop}}
  %s = tn.emit %t : tensor<2xi32> -> tensor<2xi1>
  return
}
