// RUN: %test_op | FileCheck %s

// The first word of Philox-4x32-10 for key and counter 0 is 0x6627e8d5, as Salmon et
// al. 2011 publish it (kat_vectors); the high word of the seed counts.
// CHECK: @random contract: tensor<3xf32> [0.399046421, 0.972241163, 0.991672397]
// CHECK: @random real: tensor<3xf32> [0.399046421, 0.972241163, 0.991672397]
// CHECK: tn.random %{{.*}}, %{{.*}} : tensor<3xi64>, tensor<3xi32> -> tensor<3xf32>
func.func @random(%s: tensor<3xi64>, %p: tensor<3xi32>) -> tensor<3xf32>
    attributes {tn.test_inputs = [
        dense<[0, 0, 4294967296]> : tensor<3xi64>,
        dense<[0, 1, 0]> : tensor<3xi32>]} {
  %y = tn.random %s, %p : tensor<3xi64>, tensor<3xi32> -> tensor<3xf32>
  return %y : tensor<3xf32>
}

// -----

func.func @random_c1(%s: tensor<2xi64>, %p: tensor<3xi32>) {
  // expected-error@+1 {{expects position of type 'tensor<2xi32>'}}
  %y = tn.random %s, %p : tensor<2xi64>, tensor<3xi32> -> tensor<2xf32>
  return
}

// -----

func.func @random_c1_result(%s: tensor<2xi64>, %p: tensor<2xi32>) {
  // expected-error@+1 {{expects y of type 'tensor<2xf32>'}}
  %y = tn.random %s, %p : tensor<2xi64>, tensor<2xi32> -> tensor<2xbf16>
  return
}

// -----

func.func @random_c1_rank(%s: tensor<2x1xi64>, %p: tensor<2x1xi32>) {
  // expected-error@+1 {{expects seed of rank 1}}
  %y = tn.random %s, %p : tensor<2x1xi64>, tensor<2x1xi32> -> tensor<2x1xf32>
  return
}
