// RUN: %test_rt | FileCheck %s

// CHECK: rt.copy %{{.*}} to %{{.*}} after %{{.*}} : <tensor<4xf32>>, <tensor<4xf32>>
rt.entry @copy symbols [] arguments [#rt.value<"x", tensor<4xf32>>]
    results [#rt.value<"x", tensor<4xf32>>] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    %a = rt.buffer argument(0) : !rt.buffer<tensor<4xf32>>
    %b = rt.buffer result(0) : !rt.buffer<tensor<4xf32>>
    %f = rt.copy %a to %b after %e : !rt.buffer<tensor<4xf32>>,
        !rt.buffer<tensor<4xf32>>
    rt.return %e
  }
}

// CHECK: rt.entry @prepare
// CHECK: rt.copy
tn.parameter @p : tensor<4xf32> {tn.prepared = 0 : i64}
rt.entry @prepare symbols [] arguments []
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    %a = rt.buffer temporary : !rt.buffer<tensor<4xf32>>
    %b = rt.buffer prepared of @p : !rt.buffer<tensor<4xf32>>
    %f = rt.copy %a to %b after %e : !rt.buffer<tensor<4xf32>>,
        !rt.buffer<tensor<4xf32>>
    rt.return %e
  }
}

// -----

rt.entry @copy_c1 symbols [] arguments [#rt.value<"x", tensor<4xf32>>]
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    %a = rt.buffer argument(0) : !rt.buffer<tensor<4xf32>>
    %b = rt.buffer temporary : !rt.buffer<tensor<4xi32>>
    // expected-error@+1 {{expects equal element types, got 'f32' and 'i32'}}
    %f = rt.copy %a to %b after %e : !rt.buffer<tensor<4xf32>>,
        !rt.buffer<tensor<4xi32>>
    rt.return %e
  }
}

// -----

rt.entry @copy_c2 symbols [] arguments [#rt.value<"x", tensor<4xf32>>]
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    %a = rt.buffer temporary : !rt.buffer<tensor<4xf32>>
    %b = rt.buffer argument(0) : !rt.buffer<tensor<4xf32>>
    // expected-error@+1 {{expects to copy into a result, a temporary or a state, or into a prepared value in 'prepare'}}
    %f = rt.copy %a to %b after %e : !rt.buffer<tensor<4xf32>>,
        !rt.buffer<tensor<4xf32>>
    rt.return %e
  }
}

// -----

tn.parameter @p : tensor<4xf32> {tn.prepared = 0 : i64}
rt.entry @copy_c2_prepared symbols [] arguments []
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    %a = rt.buffer temporary : !rt.buffer<tensor<4xf32>>
    %b = rt.buffer prepared of @p : !rt.buffer<tensor<4xf32>>
    // expected-error@+1 {{expects to copy into a result, a temporary or a state, or into a prepared value in 'prepare'}}
    %f = rt.copy %a to %b after %e : !rt.buffer<tensor<4xf32>>,
        !rt.buffer<tensor<4xf32>>
    rt.return %e
  }
}
