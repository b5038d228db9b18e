// RUN: %test_op | FileCheck %s

// CHECK: @half contract: tensor<1x1x4xf32> [-3.14403{{[0-9]*}}, -2.28527{{[0-9]*}}, -0.33914{{[0-9]*}}, 3.84415{{[0-9]*}}]
// CHECK: @half real: tensor<1x1x4xf32> [-3.14403{{[0-9]*}}, -2.28527{{[0-9]*}}, -0.33914{{[0-9]*}}, 3.84415{{[0-9]*}}]
// CHECK: tn.rope half %{{.*}}, %{{.*}}, %{{.*}} : tensor<1x1x4xf32>, tensor<2xf32>
func.func @half(%x: tensor<1x1x4xf32>, %b: !tn.batch, %f: tensor<2xf32>)
    -> tensor<1x1x4xf32>
    attributes {tn.test_inputs = [
        dense<[[[1.0, 2.0, 3.0, 4.0]]]> : tensor<1x1x4xf32>,
        {sequence = dense<[0]> : tensor<1xi32>, position = dense<[2]>
        : tensor<1xi32>, pages = dense<[[0]]> : tensor<1x1xi32>},
        dense<[1.0, 0.5]> : tensor<2xf32>]} {
  %y = tn.rope half %x, %b, %f : tensor<1x1x4xf32>, tensor<2xf32>
  return %y : tensor<1x1x4xf32>
}

// -----

// CHECK: @interleaved contract: tensor<1x1x4xf32> [-2.23474{{[0-9]*}}, 0.07700{{[0-9]*}}, -1.74497{{[0-9]*}}, 4.68562{{[0-9]*}}]
// CHECK: @interleaved real: tensor<1x1x4xf32> [-2.23474{{[0-9]*}}, 0.07700{{[0-9]*}}, -1.74497{{[0-9]*}}, 4.68562{{[0-9]*}}]
// CHECK: tn.rope interleaved %{{.*}}, %{{.*}}, %{{.*}} : tensor<1x1x4xf32>, tensor<2xf32>
func.func @interleaved(%x: tensor<1x1x4xf32>, %b: !tn.batch, %f: tensor<2xf32>)
    -> tensor<1x1x4xf32>
    attributes {tn.test_inputs = [
        dense<[[[1.0, 2.0, 3.0, 4.0]]]> : tensor<1x1x4xf32>,
        {sequence = dense<[0]> : tensor<1xi32>, position = dense<[2]>
        : tensor<1xi32>, pages = dense<[[0]]> : tensor<1x1xi32>},
        dense<[1.0, 0.5]> : tensor<2xf32>]} {
  %y = tn.rope interleaved %x, %b, %f : tensor<1x1x4xf32>, tensor<2xf32>
  return %y : tensor<1x1x4xf32>
}

// -----

// At position 0 only the amplitude remains.
// CHECK: @amplitude contract: tensor<2x1x2xf32> [1.5, 3, 4.5, 6]
// CHECK: @amplitude real: tensor<2x1x2xf32> [1.5, 3, 4.5, 6]
// CHECK: amplitude 1.500000e+00
func.func @amplitude(%x: tensor<2x1x2xf32>, %b: !tn.batch, %f: tensor<1xf32>)
    -> tensor<2x1x2xf32>
    attributes {tn.test_inputs = [
        dense<[[[1.0, 2.0]], [[3.0, 4.0]]]> : tensor<2x1x2xf32>,
        {sequence = dense<[0, 1]> : tensor<2xi32>, position = dense<[0, 0]>
        : tensor<2xi32>, pages = dense<[[0], [1]]> : tensor<2x1xi32>},
        dense<[1.0]> : tensor<1xf32>]} {
  %y = tn.rope half %x, %b, %f amplitude 1.5 : tensor<2x1x2xf32>, tensor<1xf32>
  return %y : tensor<2x1x2xf32>
}

// -----

func.func @rope_c1(%x: tensor<2x4xf32>, %b: !tn.batch, %f: tensor<2xf32>) {
  // expected-error@+1 {{expects x of rank 3}}
  %y = tn.rope half %x, %b, %f : tensor<2x4xf32>, tensor<2xf32>
  return
}

// -----

func.func @rope_c1_odd(%x: tensor<1x2x3xf32>, %b: !tn.batch,
    %f: tensor<1xf32>) {
  // expected-error@+1 {{expects x of even width}}
  %y = tn.rope half %x, %b, %f : tensor<1x2x3xf32>, tensor<1xf32>
  return
}

// -----

func.func @rope_c2(%x: tensor<1x2x4xf32>, %b: !tn.batch, %f: tensor<4xf32>) {
  // expected-error@+1 {{expects frequency of type 'tensor<2xf32>', got 'tensor<4xf32>'}}
  %y = tn.rope half %x, %b, %f : tensor<1x2x4xf32>, tensor<4xf32>
  return
}

// -----

func.func @rope_c3(%x: tensor<1x2x4xf32>, %b: !tn.batch, %f: tensor<2xf32>) {
  // expected-error@+1 {{expects a positive amplitude}}
  %y = tn.rope half %x, %b, %f amplitude 0.0 : tensor<1x2x4xf32>, tensor<2xf32>
  return
}
