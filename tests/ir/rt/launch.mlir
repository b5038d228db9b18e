// RUN: %test_rt | FileCheck %s

// A batch is three buffers of i32; a cache that is a result is an operand.
// CHECK: rt.launch @k(%{{.*}}) after %{{.*}} at "layers.0" : !rt.buffer<tensor<4xf32>>, !rt.buffer<tensor<4xi32>>
rt.kernel @k symbols [#tn.symbol<"T", 1 to 9>] {
^bb0(%x: tensor<4xf32>, %b: !tn.batch, %c: !tn.cache<keys, 1 x 2 x f16>):
  %y:2 = tn.kernel(%x, %b, %c) : (tensor<4xf32>, !tn.batch,
      !tn.cache<keys, 1 x 2 x f16>) -> (tensor<4xi32>,
      !tn.cache<keys, 1 x 2 x f16>) {
  ^bb0(%a: tensor<4xf32>, %d: !tn.batch, %k: !tn.cache<keys, 1 x 2 x f16>):
    %i = tn.cast %a : tensor<4xf32> -> tensor<4xi32>
    tn.yield %i, %k : tensor<4xi32>, !tn.cache<keys, 1 x 2 x f16>
  } {label = "cast"}
}
tn.state @s : !tn.cache<keys, 1 x 2 x f16>
rt.entry @launch symbols [#tn.symbol<"T", 1 to 9>] arguments []
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    %x = rt.buffer temporary : !rt.buffer<tensor<4xf32>>
    %i = rt.buffer temporary : !rt.buffer<tensor<4xi32>>
    %s = rt.buffer state of @s : !rt.buffer<!tn.cache<keys, 1 x 2 x f16>>
    %f = rt.launch @k(%x, %i, %i, %i, %s, %i) after %e at "layers.0" : !rt.buffer<tensor<4xf32>>,
        !rt.buffer<tensor<4xi32>>, !rt.buffer<tensor<4xi32>>, !rt.buffer<tensor<4xi32>>,
        !rt.buffer<!tn.cache<keys, 1 x 2 x f16>>, !rt.buffer<tensor<4xi32>>
    rt.return %e
  }
}

// -----

rt.kernel @k symbols [#tn.symbol<"T", 1 to 9>] {
^bb0(%x: tensor<4xf32>, %b: !tn.batch, %c: !tn.cache<keys, 1 x 2 x f16>):
  %y:2 = tn.kernel(%x, %b, %c) : (tensor<4xf32>, !tn.batch,
      !tn.cache<keys, 1 x 2 x f16>) -> (tensor<4xi32>,
      !tn.cache<keys, 1 x 2 x f16>) {
  ^bb0(%a: tensor<4xf32>, %d: !tn.batch, %k: !tn.cache<keys, 1 x 2 x f16>):
    %i = tn.cast %a : tensor<4xf32> -> tensor<4xi32>
    tn.yield %i, %k : tensor<4xi32>, !tn.cache<keys, 1 x 2 x f16>
  } {label = "cast"}
}
tn.state @s : !tn.cache<keys, 1 x 2 x f16>
rt.entry @launch_c1 symbols [#tn.symbol<"T", 1 to 9>] arguments []
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    %x = rt.buffer temporary : !rt.buffer<tensor<4xf32>>
    %i = rt.buffer temporary : !rt.buffer<tensor<4xi32>>
    %s = rt.buffer state of @s : !rt.buffer<!tn.cache<keys, 1 x 2 x f16>>
    // expected-error@+1 {{expects an rt.kernel of the module, got @s}}
    %f = rt.launch @s(%x, %i, %i, %i, %s, %i) after %e at "layers.0" : !rt.buffer<tensor<4xf32>>,
        !rt.buffer<tensor<4xi32>>, !rt.buffer<tensor<4xi32>>, !rt.buffer<tensor<4xi32>>,
        !rt.buffer<!tn.cache<keys, 1 x 2 x f16>>, !rt.buffer<tensor<4xi32>>
    rt.return %e
  }
}

// -----

rt.kernel @k symbols [#tn.symbol<"T", 1 to 9>] {
^bb0(%x: tensor<4xf32>, %b: !tn.batch, %c: !tn.cache<keys, 1 x 2 x f16>):
  %y:2 = tn.kernel(%x, %b, %c) : (tensor<4xf32>, !tn.batch,
      !tn.cache<keys, 1 x 2 x f16>) -> (tensor<4xi32>,
      !tn.cache<keys, 1 x 2 x f16>) {
  ^bb0(%a: tensor<4xf32>, %d: !tn.batch, %k: !tn.cache<keys, 1 x 2 x f16>):
    %i = tn.cast %a : tensor<4xf32> -> tensor<4xi32>
    tn.yield %i, %k : tensor<4xi32>, !tn.cache<keys, 1 x 2 x f16>
  } {label = "cast"}
}
tn.state @s : !tn.cache<keys, 1 x 2 x f16>
rt.entry @launch_c2 symbols [#tn.symbol<"T", 1 to 9>] arguments []
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    %x = rt.buffer temporary : !rt.buffer<tensor<4xf32>>
    %i = rt.buffer temporary : !rt.buffer<tensor<4xi32>>
    %s = rt.buffer state of @s : !rt.buffer<!tn.cache<keys, 1 x 2 x f16>>
    // expected-error@+1 {{expects buffers of elements ('f32', 'i32', 'i32', 'i32', 'f16', 'i32'), got ('f32', 'i32')}}
    %f = rt.launch @k(%x, %i) after %e : !rt.buffer<tensor<4xf32>>, !rt.buffer<tensor<4xi32>>
    rt.return %e
  }
}

// -----

rt.kernel @k symbols [#tn.symbol<"T", 1 to 9>] {
^bb0(%x: tensor<4xf32>, %b: !tn.batch, %c: !tn.cache<keys, 1 x 2 x f16>):
  %y:2 = tn.kernel(%x, %b, %c) : (tensor<4xf32>, !tn.batch,
      !tn.cache<keys, 1 x 2 x f16>) -> (tensor<4xi32>,
      !tn.cache<keys, 1 x 2 x f16>) {
  ^bb0(%a: tensor<4xf32>, %d: !tn.batch, %k: !tn.cache<keys, 1 x 2 x f16>):
    %i = tn.cast %a : tensor<4xf32> -> tensor<4xi32>
    tn.yield %i, %k : tensor<4xi32>, !tn.cache<keys, 1 x 2 x f16>
  } {label = "cast"}
}
tn.state @s : !tn.cache<keys, 1 x 2 x f16>
rt.entry @launch_c3 symbols [] arguments []
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    %x = rt.buffer temporary : !rt.buffer<tensor<4xf32>>
    %i = rt.buffer temporary : !rt.buffer<tensor<4xi32>>
    %s = rt.buffer state of @s : !rt.buffer<!tn.cache<keys, 1 x 2 x f16>>
    // expected-error@+1 {{expects the kernel's symbol "T" among those of its entry}}
    %f = rt.launch @k(%x, %i, %i, %i, %s, %i) after %e at "layers.0" : !rt.buffer<tensor<4xf32>>,
        !rt.buffer<tensor<4xi32>>, !rt.buffer<tensor<4xi32>>, !rt.buffer<tensor<4xi32>>,
        !rt.buffer<!tn.cache<keys, 1 x 2 x f16>>, !rt.buffer<tensor<4xi32>>
    rt.return %e
  }
}
