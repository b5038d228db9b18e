// RUN: %test_rt | FileCheck %s

// CHECK: rt.yield %{{.*}}
rt.entry @yield symbols [] arguments [#rt.value<"c", tensor<i1>>]
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    %c = rt.buffer argument(0) : !rt.buffer<tensor<i1>>
    %v, %f = rt.load %c[0] after %e : !rt.buffer<tensor<i1>> -> i1
    %g = rt.if %v after %f {
      rt.yield %f
    } else {
      rt.yield %f
    }
    rt.return %e
  }
}

// -----

func.func @yield_elsewhere(%e: !rt.event) {
  // expected-error@+1 {{expects parent op to be one of 'rt.if, rt.while'}}
  rt.yield %e
}
