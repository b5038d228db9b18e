// RUN: %test_rt | FileCheck %s

// CHECK: rt.emit %{{.*}} after %{{.*}} : !rt.buffer<tensor<4xi32>>
rt.entry @emit symbols [] arguments []
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    %a = rt.buffer temporary : !rt.buffer<tensor<4xi32>>
    %s, %f = rt.emit %a after %e : !rt.buffer<tensor<4xi32>>
    rt.return %e
  }
}

// -----

rt.entry @emit_of_flags symbols [] arguments []
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    %a = rt.buffer temporary : !rt.buffer<tensor<i1>>
    // expected-error@+1 {{must be buffer of i32}}
    %s, %f = rt.emit %a after %e : !rt.buffer<tensor<i1>>
    rt.return %e
  }
}
