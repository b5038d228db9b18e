// RUN: %test_rt | FileCheck %s

// CHECK: rt.condition %{{.*}} after %{{.*}}
rt.entry @condition symbols [] arguments [#rt.value<"c", tensor<i1>>]
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    %c = rt.buffer argument(0) : !rt.buffer<tensor<i1>>
    %g = rt.while limit 9 after %e {
    ^bb0(%k: !rt.event):
      %v, %h = rt.load %c[0] after %e : !rt.buffer<tensor<i1>> -> i1
      rt.condition %v after %h
    } do {
    ^bb0(%i: !rt.event):
      rt.yield %i
    }
    rt.return %e
  }
}

// -----

func.func @condition_elsewhere(%v: i1, %e: !rt.event) {
  // expected-error@+1 {{expects parent op 'rt.while'}}
  rt.condition %v after %e
}
