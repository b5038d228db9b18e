// RUN: %test_op | FileCheck %s

// CHECK: @sum contract: tensor<2xf32> [4, nan]
// CHECK: @sum real: tensor<2xf32> [4, nan]
// CHECK: tn.reduce sum %{{.*}} : tensor<2x3xf32> -> tensor<2xf32>
func.func @sum(%x: tensor<2x3xf32>) -> tensor<2xf32>
    attributes {tn.test_inputs = [
        dense<[[1.0, 5.0, -2.0], [0x7FC00000, 3.0, 4.0]]> : tensor<2x3xf32>]} {
  %y = tn.reduce sum %x : tensor<2x3xf32> -> tensor<2xf32>
  return %y : tensor<2xf32>
}

// -----

// NaN is ignored unless all are.
// CHECK: @max contract: tensor<2xf32> [5, 4]
// CHECK: @max real: tensor<2xf32> [5, 4]
// CHECK: tn.reduce max %{{.*}} : tensor<2x3xf32> -> tensor<2xf32>
func.func @max(%x: tensor<2x3xf32>) -> tensor<2xf32>
    attributes {tn.test_inputs = [
        dense<[[1.0, 5.0, -2.0], [0x7FC00000, 3.0, 4.0]]> : tensor<2x3xf32>]} {
  %y = tn.reduce max %x : tensor<2x3xf32> -> tensor<2xf32>
  return %y : tensor<2xf32>
}

// -----

// NaN is ignored unless all are.
// CHECK: @min contract: tensor<2xf32> [-2, 3]
// CHECK: @min real: tensor<2xf32> [-2, 3]
// CHECK: tn.reduce min %{{.*}} : tensor<2x3xf32> -> tensor<2xf32>
func.func @min(%x: tensor<2x3xf32>) -> tensor<2xf32>
    attributes {tn.test_inputs = [
        dense<[[1.0, 5.0, -2.0], [0x7FC00000, 3.0, 4.0]]> : tensor<2x3xf32>]} {
  %y = tn.reduce min %x : tensor<2x3xf32> -> tensor<2xf32>
  return %y : tensor<2xf32>
}

// -----

// CHECK: @all_nan contract: tensor<f32> [nan]
// CHECK: @all_nan real: tensor<f32> [nan]
func.func @all_nan(%x: tensor<2xf32>) -> tensor<f32>
    attributes {tn.test_inputs = [
        dense<[0x7FC00000, 0x7FC00000]> : tensor<2xf32>]} {
  %y = tn.reduce max %x : tensor<2xf32> -> tensor<f32>
  return %y : tensor<f32>
}

// -----

// 2^24, 127 ones, -2^24: number 128 joins number 0 before any one does, so that no
// one is lost, as all would be in plain ascending order.
// CHECK: @order contract: tensor<f32> [127]
// CHECK: @order real: tensor<f32> [127]
func.func @order() -> tensor<f32>
    attributes {tn.test_inputs = []} {
  %i = tn.iota axis 0 : tensor<129xi32>
  %zero = tn.constant dense<0> : tensor<129xi32>
  %last = tn.constant dense<128> : tensor<129xi32>
  %one = tn.constant dense<1.0> : tensor<129xf32>
  %big = tn.constant dense<1.6777216e7> : tensor<129xf32>
  %minus = tn.constant dense<-1.6777216e7> : tensor<129xf32>
  %first = tn.compare eq %i, %zero : tensor<129xi32> -> tensor<129xi1>
  %end = tn.compare eq %i, %last : tensor<129xi32> -> tensor<129xi1>
  %a = tn.select %first, %big, %one : tensor<129xi1>, tensor<129xf32>
  %x = tn.select %end, %minus, %a : tensor<129xi1>, tensor<129xf32>
  %y = tn.reduce sum %x : tensor<129xf32> -> tensor<f32>
  return %y : tensor<f32>
}

// -----

func.func @reduce_c1(%x: tensor<f32>) {
  // expected-error@+1 {{expects}}
  %y = tn.reduce sum %x : tensor<f32> -> tensor<f32>
  return
}

// -----

func.func @reduce_c2(%x: tensor<2x3xf32>) {
  // expected-error@+1 {{expects}}
  %y = tn.reduce sum %x : tensor<2x3xf32> -> tensor<3xf32>
  return
}
