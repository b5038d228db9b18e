// RUN: %test_op | FileCheck %s

// Sequence 0 has pages 2 and 0, sequence 1 has page 1: the rows go where the new
// positions are.
// CHECK: @reposition contract: cache {3: [1, 2], 69: [3, 4]}
// CHECK: @reposition real: cache {3: [1, 2], 69: [3, 4]}
// CHECK: tn.reposition %{{.*}}, %{{.*}} : tensor<2xi32>
func.func @reposition(%c: !tn.cache<keys, 1 x 2 x f16>, %x: tensor<2x1x2xf16>,
    %b: !tn.batch, %p: tensor<2xi32>) -> !tn.cache<keys, 1 x 2 x f16>
    attributes {tn.test_inputs = [
        {slots = 192},
        dense<[[[1.0, 2.0]], [[3.0, 4.0]]]> : tensor<2x1x2xf16>,
        {sequence = dense<[0, 1]> : tensor<2xi32>, position = dense<[7, 8]>
        : tensor<2xi32>, pages = dense<[[2, 0], [1, -1]]> : tensor<2x2xi32>},
        dense<[67, 5]> : tensor<2xi32>]} {
  %m = tn.reposition %b, %p : tensor<2xi32>
  %y = tn.cache_append %c, %x, %m : !tn.cache<keys, 1 x 2 x f16>,
      tensor<2x1x2xf16>
  return %y : !tn.cache<keys, 1 x 2 x f16>
}

// -----

func.func @reposition_c1(%b: !tn.batch, %p: tensor<2x1xi32>) {
  // expected-error@+1 {{expects position of rank 1}}
  %m = tn.reposition %b, %p : tensor<2x1xi32>
  return
}
