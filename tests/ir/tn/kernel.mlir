// RUN: %test_op | FileCheck %s

// CHECK: @kernel contract: tensor<2xf32> [4, 6]
// CHECK: @kernel contract: tensor<2xf32> [3, 8]
// CHECK: @kernel real: tensor<2xf32> [4, 6]
// CHECK: @kernel real: tensor<2xf32> [3, 8]
// CHECK: tn.kernel(%{{.*}}, %{{.*}}) : (tensor<2xf32>, tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
// CHECK: label = "add|mul"
// CHECK: schedules = [#tn.schedule<rows, tile = 16 x 0, registers = [1, 1, 1]>, #tn.schedule<rows, tile = 8 x 0, registers = [], stream = 4096>]
func.func @kernel(%a: tensor<2xf32>, %b: tensor<2xf32>)
    -> (tensor<2xf32>, tensor<2xf32>)
    attributes {tn.test_inputs = [
        dense<[1.0, 2.0]> : tensor<2xf32>,
        dense<[3.0, 4.0]> : tensor<2xf32>]} {
  %y:2 = tn.kernel(%a, %b) : (tensor<2xf32>, tensor<2xf32>)
      -> (tensor<2xf32>, tensor<2xf32>) {
  ^bb0(%x: tensor<2xf32>, %z: tensor<2xf32>):
    %s = tn.add %x, %z : tensor<2xf32>
    tn.yield %s : tensor<2xf32>
  }, {
  ^bb0(%x: tensor<2xf32>, %z: tensor<2xf32>):
    %p = tn.mul %x, %z : tensor<2xf32>
    tn.yield %p : tensor<2xf32>
  } {label = "add|mul", schedules = [
      #tn.schedule<rows, tile = 16 x 0, registers = [1, 1, 1]>,
      #tn.schedule<rows, tile = 8 x 0, registers = [], stream = 4096>]}
  return %y#0, %y#1 : tensor<2xf32>, tensor<2xf32>
}

// -----

func.func @kernel_c1(%a: tensor<2xf32>, %b: tensor<2xf32>) {
  // expected-error@+1 {{expects a nest's arguments of types}}
  %y = tn.kernel(%a, %b) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32> {
  ^bb0(%x: tensor<2xf32>):
    tn.yield %x : tensor<2xf32>
  } {label = ""}
  return
}

// -----

func.func @kernel_c2(%a: tensor<2xf32>, %b: tensor<2xf32>) {
  // expected-error@+1 {{expects results of types ('tensor<2xf32>', 'tensor<2xf32>'), what the nests yield, got ('tensor<2xf32>')}}
  %y = tn.kernel(%a, %b) : (tensor<2xf32>, tensor<2xf32>) -> (tensor<2xf32>) {
  ^bb0(%x: tensor<2xf32>, %z: tensor<2xf32>):
    %s = tn.add %x, %z : tensor<2xf32>
    tn.yield %s : tensor<2xf32>
  }, {
  ^bb0(%x: tensor<2xf32>, %z: tensor<2xf32>):
    %p = tn.mul %x, %z : tensor<2xf32>
    tn.yield %p : tensor<2xf32>
  } {label = "add|mul"}
  return
}

// -----

func.func @kernel_c2_yield(%a: tensor<2xf32>, %b: tensor<2xf32>) {
  // expected-error@+1 {{expects every nest to end in tn.yield}}
  tn.kernel(%a) : (tensor<2xf32>) -> () {
  ^bb0(%x: tensor<2xf32>):
    "llvm.unreachable"() : () -> ()
  } {label = ""}
  return
}

// -----

func.func @kernel_c3(%a: tensor<2xf32>, %b: tensor<2xf32>) {
  // expected-error@+1 {{expects 2 schedules, one for each nest, got 1}}
  %y:2 = tn.kernel(%a, %b) : (tensor<2xf32>, tensor<2xf32>)
      -> (tensor<2xf32>, tensor<2xf32>) {
  ^bb0(%x: tensor<2xf32>, %z: tensor<2xf32>):
    %s = tn.add %x, %z : tensor<2xf32>
    tn.yield %s : tensor<2xf32>
  }, {
  ^bb0(%x: tensor<2xf32>, %z: tensor<2xf32>):
    %p = tn.mul %x, %z : tensor<2xf32>
    tn.yield %p : tensor<2xf32>
  } {label = "add|mul", schedules = [#tn.schedule<rows, tile = 16 x 0,
      registers = [1, 1, 1]>]}
  return
}

// -----

func.func @kernel_c4(%c: !tn.cache<keys, 1 x 2 x f32>, %x: tensor<1x1x2xf32>,
    %b: !tn.batch) {
  // expected-error@+1 {{expects operand 0, which a nest changes, in one nest only, got 2}}
  %y:2 = tn.kernel(%c, %x, %b) : (!tn.cache<keys, 1 x 2 x f32>,
      tensor<1x1x2xf32>, !tn.batch) -> (!tn.cache<keys, 1 x 2 x f32>,
      !tn.cache<keys, 1 x 2 x f32>) {
  ^bb0(%c0: !tn.cache<keys, 1 x 2 x f32>, %x0: tensor<1x1x2xf32>,
      %b0: !tn.batch):
    %a = tn.cache_append %c0, %x0, %b0 : !tn.cache<keys, 1 x 2 x f32>,
        tensor<1x1x2xf32>
    tn.yield %a : !tn.cache<keys, 1 x 2 x f32>
  }, {
  ^bb0(%c0: !tn.cache<keys, 1 x 2 x f32>, %x0: tensor<1x1x2xf32>,
      %b0: !tn.batch):
    tn.yield %c0 : !tn.cache<keys, 1 x 2 x f32>
  } {label = ""}
  return
}

// -----

// A kernel that only reads a cache does not change it, whatever else it returns.
// CHECK-LABEL: @reads
func.func @reads(%c: !tn.cache<keys, 1 x 2 x f32>, %d: !tn.cache<keys,
    1 x 2 x f32>,
    %x: tensor<1x1x2xf32>, %b: !tn.batch) -> (!tn.cache<keys, 1 x 2 x f32>,
    !tn.cache<keys, 1 x 2 x f32>) attributes {tn.symbols = []} {
  %y = tn.kernel(%c, %d, %x, %b)
      : (!tn.cache<keys, 1 x 2 x f32>, !tn.cache<keys, 1 x 2 x f32>,
         tensor<1x1x2xf32>, !tn.batch) -> !tn.cache<keys, 1 x 2 x f32> {
  ^bb0(%c0: !tn.cache<keys, 1 x 2 x f32>, %d0: !tn.cache<keys, 1 x 2 x f32>,
       %x0: tensor<1x1x2xf32>, %b0: !tn.batch):
    %a = tn.cache_append %c0, %x0, %b0
        : !tn.cache<keys, 1 x 2 x f32>, tensor<1x1x2xf32>
    tn.yield %a : !tn.cache<keys, 1 x 2 x f32>
  } {label = ""}
  return %y, %d : !tn.cache<keys, 1 x 2 x f32>, !tn.cache<keys, 1 x 2 x f32>
}

// -----

// expected-error@+1 {{expects stream >= 0 bytes, got -1}}
func.func private @schedule_c1() attributes {s = #tn.schedule<rows, tile = 8 x 0, registers = [], stream = -1>}

// -----

// expected-error@+1 {{expects stream in nests of rows alone, got it in matmul}}
func.func private @schedule_c2() attributes {s = #tn.schedule<matmul, tile = 8 x 32, registers = [1, 1, 1], stream = 1>}
