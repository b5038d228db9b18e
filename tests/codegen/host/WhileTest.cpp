//===- WhileTest.cpp - Loops, compiled ------------------------------------===//

#include "tests/codegen/host/ControlTest.h"

namespace tenon::testing {
namespace {

// No trip, some trips, and the limit of 5 reached; the loop's values are
// results as they are.
TEST_F(ControlTest, WhileCountsItsTrips) {
  expectSame(R"(
!t = tensor<?x3xf32, #tn.dims<T, 3>>
func.func @f(%from: tensor<i32>, %end: tensor<i32>, %x: !t)
    -> (tensor<i32>, !t) attributes {tn.symbols = [#tn.symbol<"T", 1 to 9>]} {
  %one = tn.constant dense<1> : tensor<i32>
  %y:2 = tn.while limit 5 (%from, %x : tensor<i32>, !t) {
  ^bb0(%i: tensor<i32>, %a: !t):
    %p = tn.compare lt %i, %end : tensor<i32> -> tensor<i1>
    tn.yield %p : tensor<i1>
  } do {
  ^bb0(%i: tensor<i32>, %a: !t):
    %j = tn.add %i, %one : tensor<i32>
    %b = tn.tanh %a : !t
    %c = tn.add %a, %b : !t
    tn.yield %j, %c : tensor<i32>, !t
  } -> tensor<i32>, !t
  return %y#0, %y#1 : tensor<i32>, !t
})",
             {{number(3), number(3), floats({2, 3})},
              {number(0), number(3), floats({9, 3})},
              {number(0), number(5), floats({1, 3})},
              {number(0), number(99), floats({7, 3})}});
}

TEST_F(ControlTest, WhileOfLimitZero) {
  expectSame(R"(
func.func @f(%p: tensor<i1>, %x: tensor<4xf32>) -> tensor<4xf32> {
  %y = tn.while limit 0 (%x : tensor<4xf32>) {
  ^bb0(%a: tensor<4xf32>):
    tn.yield %p : tensor<i1>
  } do {
  ^bb0(%a: tensor<4xf32>):
    %b = tn.neg %a : tensor<4xf32>
    tn.yield %b : tensor<4xf32>
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
})",
             {{flag(true), floats({4})}});
}

// Each trip swaps two values and moves a third through a ring.
TEST_F(ControlTest, CarriedValuesSwapPlaces) {
  expectSame(R"(
!t = tensor<4xf32>
func.func @f(%end: tensor<i32>, %x: !t, %y: !t, %z: !t)
    -> (!t, !t, !t, !t, !t) {
  %zero = tn.constant dense<0> : tensor<i32>
  %one = tn.constant dense<1> : tensor<i32>
  %r:6 = tn.while limit 9 (%zero, %x, %y, %x, %y, %z
      : tensor<i32>, !t, !t, !t, !t, !t) {
  ^bb0(%i: tensor<i32>, %a: !t, %b: !t, %c: !t, %d: !t, %e: !t):
    %p = tn.compare lt %i, %end : tensor<i32> -> tensor<i1>
    tn.yield %p : tensor<i1>
  } do {
  ^bb0(%i: tensor<i32>, %a: !t, %b: !t, %c: !t, %d: !t, %e: !t):
    %j = tn.add %i, %one : tensor<i32>
    tn.yield %j, %b, %a, %d, %e, %c : tensor<i32>, !t, !t, !t, !t, !t
  } -> tensor<i32>, !t, !t, !t, !t, !t
  return %r#1, %r#2, %r#3, %r#4, %r#5 : !t, !t, !t, !t, !t
})",
             {{number(0), floats({4}), floats({4}), floats({4})},
              {number(1), floats({4}), floats({4}), floats({4})},
              {number(2), floats({4}), floats({4}), floats({4})},
              {number(3), floats({4}), floats({4}), floats({4})}});
}

// One value into both places; a constant, an argument and a parameter carried
// and yielded, so that no carried place is theirs.
TEST_F(ControlTest, BodiesYieldWhatTheyDidNotCompute) {
  expectSame(R"(
!t = tensor<4xf32>
tn.parameter @w : !t
func.func @f(%end: tensor<i32>, %x: !t) -> (!t, !t, !t, !t) {
  %zero = tn.constant dense<0> : tensor<i32>
  %one = tn.constant dense<1> : tensor<i32>
  %k = tn.constant dense<[1.0, 2.0, 3.0, 4.0]> : !t
  %w = tn.get_parameter @w : !t
  %r:5 = tn.while limit 9 (%zero, %k, %x, %w, %x
      : tensor<i32>, !t, !t, !t, !t) {
  ^bb0(%i: tensor<i32>, %a: !t, %b: !t, %c: !t, %d: !t):
    %p = tn.compare lt %i, %end : tensor<i32> -> tensor<i1>
    tn.yield %p : tensor<i1>
  } do {
  ^bb0(%i: tensor<i32>, %a: !t, %b: !t, %c: !t, %d: !t):
    %j = tn.add %i, %one : tensor<i32>
    %n = tn.sub %a, %d : !t
    %v = tn.get_parameter @w : !t
    tn.yield %j, %n, %n, %x, %v : tensor<i32>, !t, !t, !t, !t
  } -> tensor<i32>, !t, !t, !t, !t
  %s = tn.add %k, %x : !t
  %u = tn.add %r#3, %s : !t
  return %r#1, %r#2, %u, %r#4 : !t, !t, !t, !t
})",
             {{number(0), floats({4})},
              {number(1), floats({4})},
              {number(4), floats({4})}});
}

// `s` is made before the loop and read in it, after temporaries of its size
// came and went: only a lifetime through the loop keeps it.
TEST_F(ControlTest, LoopsReadWhatWasMadeBeforeThem) {
  expectSame(R"(
!t = tensor<64xf32>
func.func @f(%end: tensor<i32>, %x: !t) -> !t {
  %zero = tn.constant dense<0> : tensor<i32>
  %one = tn.constant dense<1> : tensor<i32>
  %row = tn.reduce sum %x : !t -> tensor<f32>
  %s = tn.softmax %x : !t
  %r:2 = tn.while limit 9 (%zero, %x : tensor<i32>, !t) {
  ^bb0(%i: tensor<i32>, %a: !t):
    %p = tn.compare lt %i, %end : tensor<i32> -> tensor<i1>
    tn.yield %p : tensor<i1>
  } do {
  ^bb0(%i: tensor<i32>, %a: !t):
    %j = tn.add %i, %one : tensor<i32>
    %b = tn.add %a, %s : !t
    %c = tn.softmax %b : !t
    %d = tn.mul %c, %a : !t
    %e = tn.softmax %d : !t
    %g = tn.add %e, %a : !t
    %h = tn.softmax %g : !t
    tn.yield %j, %h : tensor<i32>, !t
  } -> tensor<i32>, !t
  %b = tn.broadcast %row : tensor<f32> -> !t
  %y = tn.add %r#1, %b : !t
  return %y : !t
})",
             {{number(0), floats({64})},
              {number(1), floats({64})},
              {number(5), floats({64})}});
}

// A loop in a loop, a branch in it, and a value of the outer body read in the
// inner one.
TEST_F(ControlTest, LoopsAndBranchesNest) {
  expectSame(R"(
!t = tensor<16xf32>
!i = tensor<i32>
func.func @f(%outer: !i, %inner: !i, %x: !t) -> (!t, !i) {
  %zero = tn.constant dense<0> : !i
  %one = tn.constant dense<1> : !i
  %r:3 = tn.while limit 9 (%zero, %zero, %x : !i, !i, !t) {
  ^bb0(%i: !i, %n: !i, %a: !t):
    %p = tn.compare lt %i, %outer : !i -> tensor<i1>
    tn.yield %p : tensor<i1>
  } do {
  ^bb0(%i: !i, %n: !i, %a: !t):
    %s = tn.softmax %a : !t
    %u:3 = tn.while limit 4 (%zero, %n, %a : !i, !i, !t) {
    ^bb0(%j: !i, %m: !i, %b: !t):
      %p = tn.compare lt %j, %inner : !i -> tensor<i1>
      tn.yield %p : tensor<i1>
    } do {
    ^bb0(%j: !i, %m: !i, %b: !t):
      %q = tn.compare eq %j, %i : !i -> tensor<i1>
      %c = tn.if %q : tensor<i1> -> (!t) {
        %d = tn.sub %b, %s : !t
        %e = tn.softmax %d : !t
        tn.yield %e : !t
      } else {
        tn.yield %s : !t
      }
      %f = tn.add %b, %c : !t
      %k = tn.add %j, %one : !i
      %o = tn.add %m, %one : !i
      tn.yield %k, %o, %f : !i, !i, !t
    } -> !i, !i, !t
    %k = tn.add %i, %one : !i
    %v = tn.add %u#2, %s : !t
    tn.yield %k, %u#1, %v : !i, !i, !t
  } -> !i, !i, !t
  return %r#2, %r#1 : !t, !i
})",
             {{number(3), number(2), floats({16})},
              {number(2), number(9), floats({16})},
              {number(0), number(9), floats({16})},
              {number(9), number(0), floats({16})}});
}

// A weight of a product inside a loop is packed once, before any call, and a
// function is called from the body.
TEST_F(ControlTest, LoopsMultiplyByWeights) {
  expectSame(R"(
!t = tensor<?x24xf32, #tn.dims<T, 24>>
tn.parameter @w : tensor<24x24xf32>
func.func private @layer(%x: !t, %w: tensor<24x24xf32>) -> !t
    attributes {tn.symbols = [#tn.symbol<"T", 1 to 9>]} {
  %y = tn.matmul %x, %w {transpose_b} : !t, tensor<24x24xf32> -> !t
  %z = tn.tanh %y : !t
  return %z : !t
}
func.func @f(%end: tensor<i32>, %x: !t) -> !t
    attributes {tn.symbols = [#tn.symbol<"T", 1 to 9>]} {
  %w = tn.get_parameter @w : tensor<24x24xf32>
  %zero = tn.constant dense<0> : tensor<i32>
  %one = tn.constant dense<1> : tensor<i32>
  %r:2 = tn.while limit 9 (%zero, %x : tensor<i32>, !t) {
  ^bb0(%i: tensor<i32>, %a: !t):
    %p = tn.compare lt %i, %end : tensor<i32> -> tensor<i1>
    tn.yield %p : tensor<i1>
  } do {
  ^bb0(%i: tensor<i32>, %a: !t):
    %j = tn.add %i, %one : tensor<i32>
    %b = func.call @layer(%a, %w) : (!t, tensor<24x24xf32>) -> !t
    %c = func.call @layer(%b, %w) : (!t, tensor<24x24xf32>) -> !t
    tn.yield %j, %c : tensor<i32>, !t
  } -> tensor<i32>, !t
  return %r#1 : !t
})",
             {{number(3), floats({5, 24})}, {number(1), floats({1, 24})}});
}

// The loop carries two caches, appends to them and attends to what it wrote.
TEST_F(ControlTest, LoopsCarryCaches) {
  expectSame(R"(
!k = !tn.cache<keys, 1 x 4 x f32>
!v = !tn.cache<values, 1 x 4 x f32>
!t = tensor<?x1x4xf32, #tn.dims<T, 1, 4>>
tn.state @k : !k
tn.state @v : !v
func.func @f(%end: tensor<i32>, %x: !t, %b: !tn.batch, %k: !k, %v: !v)
    -> (!t, !k, !v) attributes {tn.symbols = [#tn.symbol<"T", 1 to 9>]} {
  %zero = tn.constant dense<0> : tensor<i32>
  %one = tn.constant dense<1> : tensor<i32>
  %r:5 = tn.while limit 9 (%zero, %x, %k, %b, %v
      : tensor<i32>, !t, !k, !tn.batch, !v) {
  ^bb0(%i: tensor<i32>, %a: !t, %c: !k, %n: !tn.batch, %d: !v):
    %p = tn.compare lt %i, %end : tensor<i32> -> tensor<i1>
    tn.yield %p : tensor<i1>
  } do {
  ^bb0(%i: tensor<i32>, %a: !t, %c: !k, %n: !tn.batch, %d: !v):
    %j = tn.add %i, %one : tensor<i32>
    %k1 = tn.cache_append %c, %a, %n : !k, !t
    %v1 = tn.cache_append %d, %a, %n : !v, !t
    %y = tn.attention %a, %k1, %v1, %n scale 0.5 : !t, !k, !v -> !t
    %z = tn.add %y, %x : !t
    tn.yield %j, %z, %k1, %n, %v1 : tensor<i32>, !t, !k, !tn.batch, !v
  } -> tensor<i32>, !t, !k, !tn.batch, !v
  %y = tn.attention %r#1, %r#2, %r#4, %r#3 scale 0.5 : !t, !k, !v -> !t
  return %y, %r#2, %r#4 : !t, !k, !v
})",
             {{number(2), floats({3, 1, 4}), batch(0, 3)},
              {number(1), floats({1, 1, 4}), batch(3, 1)},
              {number(0), floats({1, 1, 4}), batch(3, 1)},
              {number(9), floats({9, 1, 4}), batch(60, 9)}});
}

// A cache is memory: a loop cannot change which of two is which.
TEST_F(ControlTest, LoopsCannotSwapCaches) {
  expectError(R"(
!k = !tn.cache<keys, 1 x 2 x f32>
tn.state @a : !k
tn.state @b : !k
func.func @f(%p: tensor<i1>, %k: !k, %l: !k) -> (!k, !k)
    attributes {tn.symbols = []} {
  %r:2 = tn.while limit 3 (%k, %l : !k, !k) {
  ^bb0(%a: !k, %b: !k):
    tn.yield %p : tensor<i1>
  } do {
  ^bb0(%a: !k, %b: !k):
    tn.yield %b, %a : !k, !k
  } -> !k, !k
  return %r#0, %r#1 : !k, !k
})",
              "expects a region to yield the cache");
}

} // namespace
} // namespace tenon::testing
