// RUN: %test_op | FileCheck %s

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
