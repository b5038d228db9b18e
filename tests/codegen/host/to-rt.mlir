// RUN: tenon-opt %s --split-input-file --verify-diagnostics --tn-fuse \
// RUN:   --tn-to-rt | FileCheck %s

// One kernel for both calls of a layer; a batch is three arguments; a cache is
// the state it is; the last result is written where the caller wants it.
// CHECK: tn.parameter @w
// CHECK: tn.state @keys
// CHECK: rt.kernel @k0_silu symbols [#tn.symbol<"T", 1 to 9>] {
// CHECK: rt.kernel @k1_cache_append
// CHECK-NOT: rt.kernel
// CHECK: rt.entry @calls symbols [#tn.symbol<"T", 1 to 9>, #tn.symbol<"S"
// CHECK-SAME: arguments [#rt.value<"x", tensor<?x1x2xf16, #tn.dims<T, 1, 2>>>,
// CHECK-SAME: #rt.value<"batch.sequence", tensor<?xi32, #tn.dims<T>>>,
// CHECK-SAME: #rt.value<"batch.position", tensor<?xi32, #tn.dims<T>>>,
// CHECK-SAME: #rt.value<"batch.pages", tensor<?x?xi32, #tn.dims<S, P>>>]
// CHECK: rt.variant "any" where [] {
// CHECK-NEXT: ^bb0(%[[START:.*]]: !rt.event):
// CHECK-NEXT: %[[X:.*]] = rt.buffer argument(0)
// CHECK-NEXT: %[[B0:.*]] = rt.buffer argument(1)
// CHECK-NEXT: %[[B1:.*]] = rt.buffer argument(2)
// CHECK-NEXT: %[[B2:.*]] = rt.buffer argument(3)
// CHECK-NEXT: %[[KEYS:.*]] = rt.buffer state of @keys
// CHECK-NEXT: %[[Y:.*]] = rt.buffer temporary "silu"
// CHECK-NEXT: %[[E0:.*]] = rt.launch @k0_silu(%[[X]], %[[Y]]) after %[[START]] at "layers.0"
// CHECK-NEXT: %[[Z:.*]] = rt.buffer result(0) "silu"
// CHECK-NEXT: %[[E1:.*]] = rt.launch @k0_silu(%[[Y]], %[[Z]]) after %[[E0]] at "layers.1"
// CHECK-NEXT: %[[E2:.*]] = rt.launch @k1_cache_append(%[[KEYS]], %[[Z]], %[[B0]], %[[B1]], %[[B2]]) after %[[E1]]
// CHECK-NEXT: rt.return %[[E2]]
!t = tensor<?x1x2xf16, #tn.dims<T, 1, 2>>
!k = !tn.cache<keys, 1 x 2 x f16>
tn.parameter @w : tensor<4xf32>
tn.state @keys : !k
func.func private @layer(%x: !t) -> !t
    attributes {tn.symbols = [#tn.symbol<"T", 1 to 9>]} {
  %y = tn.silu %x : !t
  return %y : !t
}
func.func @calls(%x: !t {tn.name = "x"}, %b: !tn.batch, %k: !k) -> (!t, !k)
    attributes {tn.symbols = [#tn.symbol<"T", 1 to 9>]} {
  %y = call @layer(%x) : (!t) -> !t loc("layers.0")
  %z = call @layer(%y) : (!t) -> !t loc("layers.1")
  %n = tn.cache_append %k, %z, %b : !k, !t
  return %z, %n : !t, !k
}

// -----

// What the regions compute goes through a buffer declared before them.
// CHECK-LABEL: rt.entry @branch
// CHECK: %[[C:.*]] = rt.buffer argument(0)
// CHECK: %[[X:.*]] = rt.buffer argument(1)
// CHECK: %[[Y:.*]] = rt.buffer result(0) "carried"
// CHECK: %[[FLAG:.*]], %[[E0:.*]] = rt.load %[[C]][0]
// CHECK: %[[END:.*]] = rt.if %[[FLAG]] after %[[E0]] {
// CHECK:   %[[T:.*]] = rt.buffer temporary "neg"
// CHECK:   %[[E1:.*]] = rt.launch @k0_neg(%[[X]], %[[T]]) after %[[E0]]
// CHECK:   %[[E2:.*]] = rt.copy %[[T]] to %[[Y]] after %[[E1]]
// CHECK:   rt.yield %[[E2]]
// CHECK: } else {
// CHECK:   %[[E3:.*]] = rt.copy %[[X]] to %[[Y]] after %[[E0]]
// CHECK:   rt.yield %[[E3]]
// CHECK: rt.return %[[END]]
func.func @branch(%c: tensor<i1>, %x: tensor<4xf32>) -> tensor<4xf32> {
  %y = tn.if %c : tensor<i1> -> (tensor<4xf32>) {
    %n = tn.neg %x : tensor<4xf32>
    tn.yield %n : tensor<4xf32>
  } else {
    tn.yield %x : tensor<4xf32>
  }
  return %y : tensor<4xf32>
}

// -----

// Values that swap places are copied out of the way first.
// CHECK-LABEL: rt.entry @loop
// CHECK: %[[A:.*]] = rt.buffer result(0) "carried"
// CHECK: %[[B:.*]] = rt.buffer result(1) "carried"
// CHECK: rt.copy %{{.*}} to %[[A]]
// CHECK: %[[E0:.*]] = rt.copy %{{.*}} to %[[B]]
// CHECK: %[[END:.*]] = rt.while limit 5 after %[[E0]] {
// CHECK: ^bb0(%[[E1:.*]]: !rt.event):
// CHECK:   %[[GO:.*]], %[[E2:.*]] = rt.load %{{.*}}[0] after %[[E1]]
// CHECK:   rt.condition %[[GO]] after %[[E2]]
// CHECK: } do {
// CHECK: ^bb0(%[[E3:.*]]: !rt.event):
// CHECK:   %[[STOP:.*]], %[[E4:.*]] = rt.emit %[[A]] after %[[E3]]
// CHECK:   rt.store %[[STOP]] to %{{.*}}[0] after %[[E4]]
// CHECK:   %[[S:.*]] = rt.buffer temporary "staged"
// CHECK:   rt.copy %[[B]] to %[[S]]
// CHECK:   %[[T:.*]] = rt.buffer temporary "staged"
// CHECK:   rt.copy %[[A]] to %[[T]]
// CHECK:   rt.copy %[[S]] to %[[A]]
// CHECK:   rt.copy %[[T]] to %[[B]]
// CHECK:   rt.yield
// CHECK: rt.return %[[END]]
!i = tensor<4xi32>
func.func @loop(%c: tensor<i1>, %x: !i, %y: !i) -> (!i, !i) {
  %r:2 = tn.while limit 5 (%x, %y : !i, !i) {
  ^bb0(%a: !i, %b: !i):
    tn.yield %c : tensor<i1>
  } do {
  ^bb0(%a: !i, %b: !i):
    %stop = tn.emit %a : !i -> tensor<i1>
    tn.yield %b, %a : !i, !i
  } -> !i, !i
  return %r#0, %r#1 : !i, !i
}

// -----

// An argument that is a result, and a value that is two, are copied; a packed
// weight is what @prepare fills.
// CHECK: rt.entry @prepare symbols [] arguments [] results []
// CHECK: %[[W:.*]] = rt.buffer parameter of @w
// CHECK: %[[P:.*]] = rt.buffer prepared of @w.packed "pack"
// CHECK: rt.launch @k0_pack(%[[W]], %[[P]])
// CHECK: rt.entry @copies
// CHECK: %[[N:.*]] = rt.buffer result(0) "neg"
// CHECK: %[[M:.*]] = rt.buffer result(1)
// CHECK: rt.copy %[[N]] to %[[M]]
// CHECK: %[[Y:.*]] = rt.buffer result(2)
// CHECK: rt.copy %{{.*}} to %[[Y]]
tn.parameter @w : tensor<4x8xf32>
tn.parameter @w.packed : tensor<4x8xf32, #tn.panels<32>> {tn.prepared = 0 : i64}
func.func @prepare() -> tensor<4x8xf32, #tn.panels<32>> {
  %w = tn.get_parameter @w : tensor<4x8xf32>
  %p = tn.pack %w : tensor<4x8xf32> -> tensor<4x8xf32, #tn.panels<32>>
  return %p : tensor<4x8xf32, #tn.panels<32>>
}
func.func @copies(%x: tensor<4xf32>)
    -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %n = tn.neg %x : tensor<4xf32>
  return %n, %n, %x : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// -----

!k = !tn.cache<keys, 1 x 2 x f16>
tn.state @a : !k
// expected-error@+1 {{expects each cache argument to be a state of the module, got argument 1}}
func.func @no_state(%a: !k, %b: !k) -> (!k, !k) attributes {tn.symbols = []} {
  return %a, %b : !k, !k
}
