// RUN: %test_rt | FileCheck %s

// CHECK: rt.entry @entry symbols [#tn.symbol<"T", 1 to 512>] arguments
// CHECK-SAME: [#rt.value<"x", tensor<?x8xf32, #tn.dims<T, 8>>>] results [] {
// CHECK: rt.variant "one" where [#tn.symbol<"T", 1 to 1>] {
// CHECK: rt.variant "any" where [] {
rt.entry @entry symbols [#tn.symbol<"T", 1 to 512>]
    arguments [#rt.value<"x", tensor<?x8xf32, #tn.dims<T, 8>>>] results [] {
  rt.variant "one" where [#tn.symbol<"T", 1 to 1>] {
  ^bb0(%e: !rt.event):
    rt.return %e
  }
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    rt.return %e
  }
}

// -----

// expected-error@+1 {{expects variants only, got 'rt.entry'}}
rt.entry @entry_c1 symbols [] arguments [] results [] {
  rt.entry @inner symbols [] arguments [] results [] {
  ^bb0:
  }
}

// -----

// expected-error@+1 {{expects axis 0 of 'tensor<?x8xf32, #tn.dims<S, 8>>' to have a symbol of the entry 'entry_c2'}}
rt.entry @entry_c2 symbols [#tn.symbol<"T", 1 to 512>] arguments []
    results [#rt.value<"y", tensor<?x8xf32, #tn.dims<S, 8>>>] {
^bb0:
}
