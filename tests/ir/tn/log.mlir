// RUN: %test_op | FileCheck %s

// CHECK: @log contract: tensor<5xf32> [0, 2.30258{{[0-9]*}}, -1.38629{{[0-9]*}}, inf, nan]
// CHECK: @log real: tensor<5xf32> [0, 2.30258{{[0-9]*}}, -1.38629{{[0-9]*}}, inf, nan]
// CHECK: tn.log %{{.*}} : tensor<5xf32>
func.func @log(%x: tensor<5xf32>) -> tensor<5xf32>
    attributes {tn.test_inputs = [
        dense<[1.0, 10.0, 0.25, 0x7F800000, 0x7FC00000]> : tensor<5xf32>]} {
  %y = tn.log %x : tensor<5xf32>
  return %y : tensor<5xf32>
}

// -----

// Computed in f32 and rounded once to the type of y; real does not round.
// CHECK: @log_bf16 contract: tensor<1xbf16> [0.40625]
// CHECK: @log_bf16 real: tensor<1xbf16> [0.40546{{[0-9]*}}]
func.func @log_bf16(%x: tensor<1xbf16>) -> tensor<1xbf16>
    attributes {tn.test_inputs = [
        dense<[1.5]> : tensor<1xbf16>]} {
  %y = tn.log %x : tensor<1xbf16>
  return %y : tensor<1xbf16>
}

// -----

func.func @log_c1(%x: tensor<2xi32>) {
  // expected-error@+1 {{operand #0 must be ranked tensor of 32-bit float or 16-bit float or bfloat16 type values, but got 'tensor<2xi32>'}}
  %y = tn.log %x : tensor<2xi32>
  return
}
