// RUN: %test_rt | FileCheck %s

// CHECK: rt.if %{{.*}} after %{{.*}} {
// CHECK: } else {
rt.entry @if symbols [] arguments [#rt.value<"c", tensor<i1>>]
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

rt.entry @if_c1 symbols [] arguments [#rt.value<"c", tensor<i1>>]
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    %c = rt.buffer argument(0) : !rt.buffer<tensor<i1>>
    %v, %f = rt.load %c[0] after %e : !rt.buffer<tensor<i1>> -> i1
    // expected-error@+1 {{expects both regions to end in rt.yield}}
    %g = rt.if %v after %f {
      rt.yield %f
    } else {
      rt.return %f
    }
    rt.return %e
  }
}
