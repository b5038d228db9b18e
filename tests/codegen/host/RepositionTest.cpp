//===- RepositionTest.cpp - Batches that move, compiled -------------------===//

#include "tests/codegen/host/ControlTest.h"

namespace tenon::testing {
namespace {

// Each trip appends at the next positions and attends to all before them.
TEST_F(ControlTest, LoopsStepThroughPositions) {
  expectSame(R"(
!k = !tn.cache<keys, 1 x 4 x f32>
!v = !tn.cache<values, 1 x 4 x f32>
!t = tensor<?x1x4xf32, #tn.dims<T, 1, 4>>
!p = tensor<?xi32, #tn.dims<T>>
tn.state @k : !k
tn.state @v : !v
func.func @f(%end: tensor<i32>, %x: !t, %b: !tn.batch, %p: !p, %k: !k, %v: !v)
    -> (!t, !p, !k, !v) attributes {tn.symbols = [#tn.symbol<"T", 1 to 9>]} {
  %zero = tn.constant dense<0> : tensor<i32>
  %one = tn.constant dense<1> : tensor<i32>
  %ones = tn.broadcast %one : tensor<i32> -> !p
  %r:5 = tn.while limit 70 (%zero, %x, %p, %k, %v
      : tensor<i32>, !t, !p, !k, !v) {
  ^bb0(%i: tensor<i32>, %a: !t, %q: !p, %c: !k, %d: !v):
    %go = tn.compare lt %i, %end : tensor<i32> -> tensor<i1>
    tn.yield %go : tensor<i1>
  } do {
  ^bb0(%i: tensor<i32>, %a: !t, %q: !p, %c: !k, %d: !v):
    %j = tn.add %i, %one : tensor<i32>
    %n = tn.reposition %b, %q : !p
    %k1 = tn.cache_append %c, %a, %n : !k, !t
    %v1 = tn.cache_append %d, %a, %n : !v, !t
    %y = tn.attention %a, %k1, %v1, %n scale 0.5 : !t, !k, !v -> !t
    %z = tn.add %y, %x : !t
    %q1 = tn.add %q, %ones : !p
    tn.yield %j, %z, %q1, %k1, %v1 : tensor<i32>, !t, !p, !k, !v
  } -> tensor<i32>, !t, !p, !k, !v
  return %r#1, %r#2, %r#3, %r#4 : !t, !p, !k, !v
})",
             {{number(4), floats({1, 1, 4}), batch(0, 1), numbers({0})},
              {number(1), floats({2, 1, 4}), batch(0, 2), numbers({4, 5})},
              {number(64), floats({1, 1, 4}), batch(9, 1), numbers({6})}});
}

TEST_F(ControlTest, BatchesTakeAPositionForEachToken) {
  expectError(R"(
!t = tensor<?x1x4xf32, #tn.dims<T, 1, 4>>
func.func @f(%x: !t, %b: !tn.batch, %f: tensor<2xf32>,
             %p: tensor<?xi32, #tn.dims<U>>) -> !t
    attributes {tn.symbols = [#tn.symbol<"T", 1 to 9>,
                              #tn.symbol<"U", 1 to 9>]} {
  %n = tn.reposition %b, %p : tensor<?xi32, #tn.dims<U>>
  %y = tn.rope half %x, %n, %f : !t, tensor<2xf32>
  return %y : !t
})",
              "expects as many positions as the batch has tokens");
}

} // namespace
} // namespace tenon::testing
