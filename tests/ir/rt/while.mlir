// RUN: %test_rt | FileCheck %s

// CHECK: rt.while limit 9 after %{{.*}} {
// CHECK-NEXT: ^bb0(%{{.*}}: !rt.event):
// CHECK: rt.condition %{{.*}} after %{{.*}}
// CHECK: } do {
rt.entry @while symbols [] arguments [#rt.value<"c", tensor<i1>>]
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

rt.entry @while_c1 symbols [] arguments [#rt.value<"c", tensor<i1>>]
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    %c = rt.buffer argument(0) : !rt.buffer<tensor<i1>>
    // expected-error@+1 {{expects limit >= 0, got -1}}
    %g = rt.while limit -1 after %e {
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

rt.entry @while_c2 symbols [] arguments [#rt.value<"c", tensor<i1>>]
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    %c = rt.buffer argument(0) : !rt.buffer<tensor<i1>>
    // expected-error@+1 {{expects regions that take one event, a condition that ends in rt.condition and a body that ends in rt.yield}}
    %g = rt.while limit 9 after %e {
    ^bb0(%k: !rt.event, %l: !rt.event):
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

rt.entry @while_c2_body symbols [] arguments [#rt.value<"c", tensor<i1>>]
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    %c = rt.buffer argument(0) : !rt.buffer<tensor<i1>>
    // expected-error@+1 {{expects regions that take one event, a condition that ends in rt.condition and a body that ends in rt.yield}}
    %g = rt.while limit 9 after %e {
    ^bb0(%k: !rt.event):
      %v, %h = rt.load %c[0] after %e : !rt.buffer<tensor<i1>> -> i1
      rt.condition %v after %h
    } do {
    ^bb0(%i: !rt.event, %l: !rt.event):
      rt.yield %i
    }
    rt.return %e
  }
}

// -----

rt.entry @while_c2_condition symbols [] arguments [#rt.value<"c", tensor<i1>>]
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    %c = rt.buffer argument(0) : !rt.buffer<tensor<i1>>
    // expected-error@+1 {{expects regions that take one event, a condition that ends in rt.condition and a body that ends in rt.yield}}
    %g = rt.while limit 9 after %e {
    ^bb0(%k: !rt.event):
      %v, %h = rt.load %c[0] after %e : !rt.buffer<tensor<i1>> -> i1
      rt.yield %h
    } do {
    ^bb0(%i: !rt.event):
      rt.yield %i
    }
    rt.return %e
  }
}
