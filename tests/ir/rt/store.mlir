// RUN: %test_rt | FileCheck %s

// CHECK: rt.store %{{.*}} to %{{.*}}[0] after %{{.*}} : i32, !rt.buffer<tensor<4xi32>>
rt.entry @store symbols [] arguments []
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    %a = rt.buffer temporary : !rt.buffer<tensor<4xi32>>
    %v, %f = rt.load %a[3] after %e : !rt.buffer<tensor<4xi32>> -> i32
    %g = rt.store %v to %a[0] after %f : i32, !rt.buffer<tensor<4xi32>>
    rt.return %e
  }
}

// -----

rt.entry @store_c1 symbols [] arguments []
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    %a = rt.buffer temporary : !rt.buffer<tensor<4xi32>>
    %b = rt.buffer temporary : !rt.buffer<tensor<i1>>
    %v, %f = rt.load %a[3] after %e : !rt.buffer<tensor<4xi32>> -> i32
    // expected-error@+1 {{expects a value of the buffer's element type 'i1', got 'i32'}}
    %g = rt.store %v to %b[0] after %f : i32, !rt.buffer<tensor<i1>>
    rt.return %e
  }
}

// -----

rt.entry @store_c2 symbols [] arguments [#rt.value<"i", tensor<4xi32>>]
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    %a = rt.buffer argument(0) : !rt.buffer<tensor<4xi32>>
    %v, %f = rt.load %a[3] after %e : !rt.buffer<tensor<4xi32>> -> i32
    // expected-error@+1 {{expects to store into a result or a temporary}}
    %g = rt.store %v to %a[0] after %f : i32, !rt.buffer<tensor<4xi32>>
    rt.return %e
  }
}
