// RUN: tenon-opt %s --tn-choose-compute-types=activations=q8 | FileCheck %s
// RUN: tenon-opt %s --tn-choose-compute-types | FileCheck %s --check-prefix=F32
// RUN: tenon-opt %s --tn-choose-compute-types=activations=bf16 | FileCheck %s --check-prefix=BF16
// RUN: not tenon-opt %s --tn-choose-compute-types=activations=q4 2>&1 | FileCheck %s --check-prefix=WRONG

// F32-NOT: tn.quantize
// WRONG: expects activations of f32, bf16 or q8, got 'q4'

// BF16-NOT: tn.quantize

// CHECK-LABEL: @blocked
// CHECK: %[[Q:.*]] = tn.quantize %arg0 : tensor<4x32xbf16> -> tensor<4x32x!tn.block<q8_0>>
// CHECK: tn.matmul %[[Q]], %arg1 {transpose_b}
func.func @blocked(%x: tensor<4x32xbf16>, %w: tensor<8x32x!tn.block<q4_0>>)
    -> tensor<4x8xbf16> {
  %y = tn.matmul %x, %w {transpose_b} : tensor<4x32xbf16>,
      tensor<8x32x!tn.block<q4_0>> -> tensor<4x8xbf16>
  return %y : tensor<4x8xbf16>
}

// K formats meet scales of 256 elements.
// CHECK-LABEL: @super_blocks
// CHECK: %[[Q:.*]] = tn.quantize %arg0 : tensor<4x256xf32> -> tensor<4x256x!tn.block<q8_k>>
// CHECK: tn.matmul %[[Q]], %arg1 {transpose_b}
func.func @super_blocks(%x: tensor<4x256xf32>,
    %w: tensor<8x256x!tn.block<q6_k>>) -> tensor<4x8xf32> {
  %y = tn.matmul %x, %w {transpose_b} : tensor<4x256xf32>,
      tensor<8x256x!tn.block<q6_k>> -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// Groups of any size are met by scales of 32.
// CHECK-LABEL: @groups
// CHECK: %[[Q:.*]] = tn.quantize %arg0 : tensor<4x128xf32> -> tensor<4x128x!tn.block<q8_0>>
// CHECK: tn.matmul %[[Q]], %arg1 {transpose_b}
func.func @groups(%x: tensor<4x128xf32>,
    %w: tensor<8x128x!tn.block<int4_g128>>) -> tensor<4x8xf32> {
  %y = tn.matmul %x, %w {transpose_b} : tensor<4x128xf32>,
      tensor<8x128x!tn.block<int4_g128>> -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// A plain weight, and activations that are quantised already, stay.
// CHECK-LABEL: @plain
// CHECK-NOT: tn.quantize
// CHECK: tn.matmul %arg0, %arg1
// CHECK: tn.matmul %arg2, %arg3
func.func @plain(%x: tensor<4x32xf32>, %w: tensor<32x8xf32>,
    %q: tensor<4x32x!tn.block<q8_0>>, %b: tensor<8x32x!tn.block<q8_0>>)
    -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %y = tn.matmul %x, %w : tensor<4x32xf32>, tensor<32x8xf32>
      -> tensor<4x8xf32>
  %z = tn.matmul %q, %b {transpose_b} : tensor<4x32x!tn.block<q8_0>>,
      tensor<8x32x!tn.block<q8_0>> -> tensor<4x8xf32>
  return %y, %z : tensor<4x8xf32>, tensor<4x8xf32>
}

// Blocks lie along n, not along k.
// CHECK-LABEL: @rows
// CHECK-NOT: tn.quantize
// CHECK: tn.matmul %arg0, %arg1 :
func.func @rows(%x: tensor<4x8xf32>, %w: tensor<8x32x!tn.block<q4_0>>)
    -> tensor<4x32xf32> {
  %y = tn.matmul %x, %w : tensor<4x8xf32>, tensor<8x32x!tn.block<q4_0>>
      -> tensor<4x32xf32>
  return %y : tensor<4x32xf32>
}

// k is not the last axis of the left operand.
// CHECK-LABEL: @transposed
// CHECK-NOT: tn.quantize
func.func @transposed(%x: tensor<32x4xf32>, %w: tensor<8x32x!tn.block<q8_0>>)
    -> tensor<4x8xf32> {
  %y = tn.matmul %x, %w {transpose_a, transpose_b} : tensor<32x4xf32>,
      tensor<8x32x!tn.block<q8_0>> -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// bf16 weights get bf16 activations, other plain ones keep theirs.
// BF16-LABEL: @halves
// BF16: %[[C:.*]] = tn.cast %arg0 : tensor<4x32xf32> -> tensor<4x32xbf16>
// BF16: tn.matmul %[[C]], %arg1
// BF16: tn.matmul %arg0, %arg2
// CHECK-LABEL: @halves
// CHECK-NOT: tn.cast
func.func @halves(%x: tensor<4x32xf32>, %w: tensor<8x32xbf16>,
    %v: tensor<8x32xf16>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %y = tn.matmul %x, %w {transpose_b} : tensor<4x32xf32>, tensor<8x32xbf16>
      -> tensor<4x8xf32>
  %z = tn.matmul %x, %v {transpose_b} : tensor<4x32xf32>, tensor<8x32xf16>
      -> tensor<4x8xf32>
  return %y, %z : tensor<4x8xf32>, tensor<4x8xf32>
}
