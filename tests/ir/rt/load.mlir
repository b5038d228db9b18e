// RUN: %test_rt | FileCheck %s

// CHECK: rt.load %{{.*}}[3] after %{{.*}} : !rt.buffer<tensor<4xi32>> -> i32
rt.entry @load symbols [] arguments []
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    %a = rt.buffer temporary : !rt.buffer<tensor<4xi32>>
    %v, %f = rt.load %a[3] after %e : !rt.buffer<tensor<4xi32>> -> i32
    rt.return %e
  }
}

// -----

rt.entry @load_c1 symbols [] arguments []
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    %a = rt.buffer temporary : !rt.buffer<tensor<4xi32>>
    // expected-error@+1 {{expects a value of the buffer's element type 'i32', got 'i1'}}
    %v, %f = rt.load %a[3] after %e : !rt.buffer<tensor<4xi32>> -> i1
    rt.return %e
  }
}

// -----

rt.entry @load_of_floats symbols [] arguments []
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    %a = rt.buffer temporary : !rt.buffer<tensor<4xf32>>
    // expected-error@+1 {{must be buffer of i1, i32 or i64}}
    %v, %f = rt.load %a[3] after %e : !rt.buffer<tensor<4xf32>> -> i32
    rt.return %e
  }
}
