// RUN: %test_op | FileCheck %s

// CHECK: @values contract: tensor<2xf32> [3, 4]
// CHECK: @values contract: tensor<i32> [7]
// CHECK: @values real: tensor<2xf32> [3, 4]
// CHECK: @values real: tensor<i32> [7]
// CHECK: tn.yield %{{.*}}, %{{.*}} : tensor<2xf32>, tensor<i32>
func.func @values(%c: tensor<i1>, %x: tensor<2xf32>, %n: tensor<i32>)
    -> (tensor<2xf32>, tensor<i32>) attributes {tn.test_inputs = [
        dense<true> : tensor<i1>, dense<[3.0, 4.0]> : tensor<2xf32>,
        dense<7> : tensor<i32>]} {
  %y:2 = tn.if %c : tensor<i1> -> (tensor<2xf32>, tensor<i32>) {
    tn.yield %x, %n : tensor<2xf32>, tensor<i32>
  } else {
    %z = tn.neg %x : tensor<2xf32>
    tn.yield %z, %n : tensor<2xf32>, tensor<i32>
  }
  return %y#0, %y#1 : tensor<2xf32>, tensor<i32>
}

// -----

// CHECK-LABEL: func.func @yields
// CHECK: tn.yield
// CHECK: tn.yield
func.func @yields(%c: tensor<i1>) {
  tn.if %c : tensor<i1> {
    tn.yield
  } else {
    tn.yield
  }
  return
}

// -----

func.func @not_last(%c: tensor<i1>) {
  tn.if %c : tensor<i1> {
    // expected-error@+1 {{must be the last operation in the parent block}}
    tn.yield
    tn.yield
  } else {
    tn.yield
  }
  return
}
