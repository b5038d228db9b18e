// RUN: %test_rt | FileCheck %s

// CHECK: rt.return %{{.*}}
rt.entry @return symbols [] arguments []
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    rt.return %e
  }
}

// -----

func.func @return_elsewhere(%e: !rt.event) {
  // expected-error@+1 {{expects parent op 'rt.variant'}}
  rt.return %e
}
