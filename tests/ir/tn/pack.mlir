// RUN: %test_op | FileCheck %s

// Logically the identity.
// CHECK: @pack contract: tensor<1x2xf32> [3, 6]
// CHECK: @pack real: tensor<1x2xf32> [3, 6]
// CHECK: tn.pack %{{.*}} : tensor<2x1xf32> -> tensor<2x1xf32, #tn.panels<32>>
func.func @pack(%x: tensor<2x1xf32>, %a: tensor<1x1xf32>) -> tensor<1x2xf32>
    attributes {tn.test_inputs = [
        dense<[[1.0], [2.0]]> : tensor<2x1xf32>,
        dense<[[3.0]]> : tensor<1x1xf32>]} {
  %w = tn.pack %x : tensor<2x1xf32> -> tensor<2x1xf32, #tn.panels<32>>
  %y = tn.matmul %a, %w {transpose_b} : tensor<1x1xf32>, tensor<2x1xf32,
      #tn.panels<32>> -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

func.func @pack_c1(%x: tensor<2x4xf32>) {
  // expected-error@+1 {{expects x without encoding and y with #tn.panels}}
  %y = tn.pack %x : tensor<2x4xf32> -> tensor<2x4xf32>
  return
}

// -----

func.func @pack_c2(%x: tensor<2x4xf32>) {
  // expected-error@+1 {{expects y of type 'tensor<2x4xf32, #tn.panels<32>>'}}
  %y = tn.pack %x : tensor<2x4xf32> -> tensor<2x8xf32, #tn.panels<32>>
  return
}

// -----

func.func @pack_c3(%x: tensor<2x256x!tn.block<q8_k>>) {
  // expected-error@+1 {{expects x of a format of weights}}
  %y = tn.pack %x : tensor<2x256x!tn.block<q8_k>>
      -> tensor<2x256x!tn.block<q8_k>, #tn.panels<32>>
  return
}
