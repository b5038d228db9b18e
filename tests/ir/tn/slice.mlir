// RUN: %test_op | FileCheck %s

// CHECK: @slice contract: tensor<2x2xi32> [1, 4, 6, 9]
// CHECK: @slice contract: tensor<1x5xi32> [5, 6, 7, 8, 9]
// CHECK: @slice real: tensor<2x2xi32> [1, 4, 6, 9]
// CHECK: @slice real: tensor<1x5xi32> [5, 6, 7, 8, 9]
// CHECK: tn.slice %{{.*}} axis 1 from 1 size 2 step 3 : tensor<2x5xi32> -> tensor<2x2xi32>
// CHECK: tn.slice %{{.*}} axis 0 from 1 size 1 : tensor<2x5xi32> -> tensor<1x5xi32>
func.func @slice(%x: tensor<2x5xi32>) -> (tensor<2x2xi32>, tensor<1x5xi32>)
    attributes {tn.test_inputs = [
        dense<[[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]> : tensor<2x5xi32>]} {
  %y0 = tn.slice %x axis 1 from 1 size 2 step 3 : tensor<2x5xi32>
      -> tensor<2x2xi32>
  %y1 = tn.slice %x axis 0 from 1 size 1 : tensor<2x5xi32> -> tensor<1x5xi32>
  return %y0, %y1 : tensor<2x2xi32>, tensor<1x5xi32>
}

// -----

func.func @slice_c1(%x: tensor<2xf32>) {
  // expected-error@+1 {{expects an axis below 1, the rank of x, got 1}}
  %y = tn.slice %x axis 1 from 0 size 1 : tensor<2xf32> -> tensor<1xf32>
  return
}

// -----

func.func @slice_c2(%x: tensor<5xf32>) {
  // expected-error@+1 {{expects offset >= 0, size >= 1, step >= 1 within axis 0}}
  %y = tn.slice %x axis 0 from 1 size 3 step 2 : tensor<5xf32> -> tensor<3xf32>
  return
}

// -----

func.func @slice_c2_dynamic(%x: tensor<?xf32, #tn.dims<T>>) {
  // expected-error@+1 {{expects offset >= 0, size >= 1, step >= 1 within axis 0}}
  %y = tn.slice %x axis 0 from 0 size 1 : tensor<?xf32, #tn.dims<T>>
      -> tensor<1xf32>
  return
}

// -----

func.func @slice_c3(%x: tensor<2x5xf32>) {
  // expected-error@+1 {{expects y of type 'tensor<2x2xf32>', got 'tensor<2x3xf32>'}}
  %y = tn.slice %x axis 1 from 0 size 2 : tensor<2x5xf32> -> tensor<2x3xf32>
  return
}
