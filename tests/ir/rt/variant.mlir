// RUN: %test_rt | FileCheck %s

// CHECK: rt.variant "one" where [#tn.symbol<"T", 1 to 1>] {
// CHECK-NEXT: ^bb0(%{{.*}}: !rt.event):
rt.entry @variant symbols [#tn.symbol<"T", 1 to 512>] arguments [] results [] {
  rt.variant "one" where [#tn.symbol<"T", 1 to 1>] {
  ^bb0(%e: !rt.event):
    rt.return %e
  }
}

// -----

rt.entry @variant_c1 symbols [] arguments [] results [] {
  // expected-error@+1 {{expects a block that takes one event and ends in rt.return}}
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    rt.yield %e
  }
}

// -----

rt.entry @variant_c1_event symbols [] arguments [] results [] {
  // expected-error@+1 {{expects a block that takes one event and ends in rt.return}}
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event, %f: !rt.event):
    rt.return %e
  }
}

// -----

rt.entry @variant_c2 symbols [#tn.symbol<"T", 1 to 9>] arguments [] results [] {
  // expected-error@+1 {{expects bounds of the entry's symbols, got #tn.symbol<"S", 1 to 1>}}
  rt.variant "any" where [#tn.symbol<"S", 1 to 1>] {
  ^bb0(%e: !rt.event):
    rt.return %e
  }
}
