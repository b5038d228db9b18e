// RUN: %test_rt | FileCheck %s

// CHECK: rt.buffer argument(0) : <tensor<4xf32>>
// CHECK: rt.buffer result(0) "neg" : <tensor<?x8xf32, #tn.dims<T, 8>>>
// CHECK: rt.buffer parameter of @w : <tensor<4xf32>>
// CHECK: rt.buffer prepared of @p : <tensor<32x4xf32, #tn.panels<32>>>
// CHECK: rt.buffer constant = dense<1.000000e+00> : tensor<4xf32> : <tensor<4xf32>>
// CHECK: rt.buffer temporary "neg" : <tensor<4xf32>>
// CHECK: rt.buffer state of @s : <!tn.cache<keys, 1 x 2 x f32>>
tn.parameter @w : tensor<4xf32>
tn.parameter @p : tensor<32x4xf32> {tn.prepared = 0 : i64}
tn.state @s : !tn.cache<keys, 1 x 2 x f32>
rt.entry @buffer symbols [#tn.symbol<"T", 1 to 9>] arguments [#rt.value<"x", tensor<4xf32>>]
    results [#rt.value<"y", tensor<?x8xf32, #tn.dims<T, 8>>>] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    %a = rt.buffer argument(0) : !rt.buffer<tensor<4xf32>>
    %r = rt.buffer result(0) "neg" : !rt.buffer<tensor<?x8xf32, #tn.dims<T, 8>>>
    %w = rt.buffer parameter of @w : !rt.buffer<tensor<4xf32>>
    %p = rt.buffer prepared of @p : !rt.buffer<tensor<32x4xf32, #tn.panels<32>>>
    %k = rt.buffer constant = dense<1.0> : tensor<4xf32> : !rt.buffer<tensor<4xf32>>
    %t = rt.buffer temporary "neg" : !rt.buffer<tensor<4xf32>>
    %s = rt.buffer state of @s : !rt.buffer<!tn.cache<keys, 1 x 2 x f32>>
    rt.return %e
  }
}

// -----

rt.entry @buffer_c1 symbols [] arguments [#rt.value<"x", tensor<4xf32>>]
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    // expected-error@+1 {{expects an index below the entry's number of them of an argument or a result, and of no other}}
    %a = rt.buffer argument(1) : !rt.buffer<tensor<4xf32>>
    rt.return %e
  }
}

// -----

rt.entry @buffer_c1_none symbols [] arguments []
    results [#rt.value<"x", tensor<4xf32>>] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    // expected-error@+1 {{expects an index below the entry's number of them of an argument or a result, and of no other}}
    %a = rt.buffer result : !rt.buffer<tensor<4xf32>>
    rt.return %e
  }
}

// -----

rt.entry @buffer_c1_other symbols [] arguments [#rt.value<"x", tensor<4xf32>>]
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    // expected-error@+1 {{expects an index below the entry's number of them of an argument or a result, and of no other}}
    %a = rt.buffer temporary(0) : !rt.buffer<tensor<4xf32>>
    rt.return %e
  }
}

// -----

tn.state @s : !tn.cache<keys, 1 x 2 x f32>
rt.entry @buffer_c2 symbols [] arguments []
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    // expected-error@+1 {{expects to name what it is of: a parameter, a prepared parameter or a state, and no other to do so}}
    %a = rt.buffer parameter of @s : !rt.buffer<tensor<4xf32>>
    rt.return %e
  }
}

// -----

tn.parameter @w : tensor<4xf32>
rt.entry @buffer_c2_prepared symbols [] arguments []
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    // expected-error@+1 {{expects to name what it is of: a parameter, a prepared parameter or a state, and no other to do so}}
    %a = rt.buffer prepared of @w : !rt.buffer<tensor<4xf32>>
    rt.return %e
  }
}

// -----

tn.parameter @w : tensor<4xf32>
rt.entry @buffer_c2_state symbols [] arguments []
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    // expected-error@+1 {{expects to name what it is of: a parameter, a prepared parameter or a state, and no other to do so}}
    %a = rt.buffer state of @w : !rt.buffer<!tn.cache<keys, 1 x 2 x f32>>
    rt.return %e
  }
}

// -----

tn.parameter @w : tensor<4xf32>
rt.entry @buffer_c2_other symbols [] arguments []
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    // expected-error@+1 {{expects to name what it is of: a parameter, a prepared parameter or a state, and no other to do so}}
    %a = rt.buffer temporary of @w : !rt.buffer<tensor<4xf32>>
    rt.return %e
  }
}

// -----

rt.entry @buffer_c3 symbols [] arguments []
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    // expected-error@+1 {{expects a value of its type of a constant, and of no other}}
    %a = rt.buffer constant = dense<1.0> : tensor<2xf32> : !rt.buffer<tensor<4xf32>>
    rt.return %e
  }
}

// -----

rt.entry @buffer_c3_none symbols [] arguments []
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    // expected-error@+1 {{expects a value of its type of a constant, and of no other}}
    %a = rt.buffer constant : !rt.buffer<tensor<4xf32>>
    rt.return %e
  }
}

// -----

rt.entry @buffer_c3_other symbols [] arguments []
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    // expected-error@+1 {{expects a value of its type of a constant, and of no other}}
    %a = rt.buffer temporary = dense<1.0> : tensor<4xf32> : !rt.buffer<tensor<4xf32>>
    rt.return %e
  }
}

// -----

rt.entry @buffer_c4 symbols [#tn.symbol<"T", 1 to 9>] arguments []
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    // expected-error@+1 {{expects axis 0 of 'tensor<?xf32, #tn.dims<S>>' to have a symbol of the entry 'buffer_c4'}}
    %a = rt.buffer temporary : !rt.buffer<tensor<?xf32, #tn.dims<S>>>
    rt.return %e
  }
}

// -----

rt.entry @buffer_c5 symbols [] arguments []
    results [] {
  rt.variant "any" where [] {
  ^bb0(%e: !rt.event):
    // expected-error@+1 {{expects a cache to be a state, got temporary}}
    %a = rt.buffer temporary : !rt.buffer<!tn.cache<keys, 1 x 2 x f32>>
    rt.return %e
  }
}

// -----

// expected-error@+1 {{expects to be in an rt.entry}}
%a = rt.buffer temporary : !rt.buffer<tensor<4xf32>>

// -----

// expected-error@+1 {{expects a tensor or a cache in a buffer, got 'f32'}}
func.func private @content(!rt.buffer<f32>)
