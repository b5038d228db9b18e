// RUN: %test_op | FileCheck %s

// CHECK: @if contract: tensor<1xf32> [3]
// CHECK: @if contract: tensor<1xf32> [-3]
// CHECK: @if real: tensor<1xf32> [3]
// CHECK: @if real: tensor<1xf32> [-3]
// CHECK: tn.if %{{.*}} : tensor<i1> -> (tensor<1xf32>) {
// CHECK: } else {
func.func @if(%c: tensor<i1>, %d: tensor<i1>, %x: tensor<1xf32>)
    -> (tensor<1xf32>, tensor<1xf32>)
    attributes {tn.test_inputs = [
        dense<true> : tensor<i1>,
        dense<false> : tensor<i1>,
        dense<[3.0]> : tensor<1xf32>]} {
  %y0 = tn.if %c : tensor<i1> -> (tensor<1xf32>) {
    tn.yield %x : tensor<1xf32>
  } else {
    %n = tn.neg %x : tensor<1xf32>
    tn.yield %n : tensor<1xf32>
  }
  %y1 = tn.if %d : tensor<i1> -> (tensor<1xf32>) {
    tn.yield %x : tensor<1xf32>
  } else {
    %n = tn.neg %x : tensor<1xf32>
    tn.yield %n : tensor<1xf32>
  }
  return %y0, %y1 : tensor<1xf32>, tensor<1xf32>
}

// -----

func.func @if_c1(%c: tensor<1xi1>, %x: tensor<1xf32>, %z: tensor<1xf32>) {
  // expected-error@+1 {{expects a scalar i1 condition}}
  %y = tn.if %c : tensor<1xi1> -> (tensor<1xf32>) {
    tn.yield %x : tensor<1xf32>
  } else {
    tn.yield %z : tensor<1xf32>
  }
  return
}

// -----

func.func @if_c2(%c: tensor<i1>, %x: tensor<2xf32>, %z: tensor<1xf32>) {
  // expected-error@+1 {{expects a region to yield values of types ('tensor<1xf32>'), got ('tensor<2xf32>')}}
  %y = tn.if %c : tensor<i1> -> (tensor<1xf32>) {
    tn.yield %x : tensor<2xf32>
  } else {
    tn.yield %z : tensor<1xf32>
  }
  return
}

// -----

func.func @if_c2_yield(%c: tensor<i1>) {
  // expected-error@+1 {{expects every region to end in tn.yield}}
  tn.if %c : tensor<i1> {
    "llvm.unreachable"() : () -> ()
  } else {
    tn.yield
  }
  return
}
