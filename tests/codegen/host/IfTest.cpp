//===- IfTest.cpp - Branches, compiled ------------------------------------===//

#include "tests/codegen/host/ControlTest.h"

namespace tenon::testing {
namespace {

TEST_F(ControlTest, IfTakesEitherBranch) {
  expectSame(R"(
func.func @f(%c: tensor<i1>, %x: tensor<3x7xf32>) -> tensor<3x7xf32> {
  %y = tn.if %c : tensor<i1> -> (tensor<3x7xf32>) {
    %e = tn.exp %x : tensor<3x7xf32>
    tn.yield %e : tensor<3x7xf32>
  } else {
    %n = tn.neg %x : tensor<3x7xf32>
    tn.yield %n : tensor<3x7xf32>
  }
  %z = tn.mul %y, %y : tensor<3x7xf32>
  return %z : tensor<3x7xf32>
})",
             {{flag(true), floats({3, 7})}, {flag(false), floats({3, 7})}});
}

// The condition is computed, the extents are symbols, one branch is empty.
TEST_F(ControlTest, IfOnAComputedCondition) {
  expectSame(R"(
!t = tensor<?x5xf32, #tn.dims<T, 5>>
func.func @f(%i: tensor<i32>, %j: tensor<i32>, %x: !t) -> !t
    attributes {tn.symbols = [#tn.symbol<"T", 1 to 9>]} {
  %c = tn.compare lt %i, %j : tensor<i32> -> tensor<i1>
  %y = tn.if %c : tensor<i1> -> (!t) {
    tn.yield %x : !t
  } else {
    %n = tn.silu %x : !t
    tn.yield %n : !t
  }
  return %y : !t
})",
             {{number(1), number(2), floats({4, 5})},
              {number(2), number(1), floats({9, 5})},
              {number(-1), number(0), floats({1, 5})}});
}

// An argument, a parameter and a constant, straight from a region, and one
// value twice.
TEST_F(ControlTest, RegionsYieldWhatTheyDidNotCompute) {
  expectSame(R"(
tn.parameter @w : tensor<4xf32>
func.func @f(%c: tensor<i1>, %x: tensor<4xf32>)
    -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %w = tn.get_parameter @w : tensor<4xf32>
  %k = tn.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %y:3 = tn.if %c : tensor<i1> -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
    tn.yield %x, %w, %w : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  } else {
    tn.yield %k, %x, %k : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  }
  return %y#0, %y#1, %y#2 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
})",
             {{flag(true), floats({4})}, {flag(false), floats({4})}});
}

// What a function returns without computing it, and twice.
TEST_F(ControlTest, ReturnsArgumentsParametersAndConstants) {
  expectSame(R"(
tn.parameter @w : tensor<4xf32>
func.func @f(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>,
    tensor<4xf32>, tensor<2x2xf32>, tensor<4xf32>, tensor<4xf32>) {
  %w = tn.get_parameter @w : tensor<4xf32>
  %k = tn.constant dense<2.0> : tensor<4xf32>
  %n = tn.neg %x : tensor<4xf32>
  %r = tn.reshape %n : tensor<4xf32> -> tensor<2x2xf32>
  return %x, %w, %k, %r, %n, %n : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>,
      tensor<2x2xf32>, tensor<4xf32>, tensor<4xf32>
})",
             {{floats({4})}, {floats({4})}});
}

TEST_F(ControlTest, IfInIf) {
  expectSame(R"(
func.func @f(%a: tensor<i1>, %b: tensor<i1>, %x: tensor<6xf32>)
    -> (tensor<6xf32>, tensor<6xf32>) {
  %s = tn.sigmoid %x : tensor<6xf32>
  %y:2 = tn.if %a : tensor<i1> -> (tensor<6xf32>, tensor<6xf32>) {
    %u = tn.exp %x : tensor<6xf32>
    %i:2 = tn.if %b : tensor<i1> -> (tensor<6xf32>, tensor<6xf32>) {
      %v = tn.add %u, %s : tensor<6xf32>
      tn.yield %v, %u : tensor<6xf32>, tensor<6xf32>
    } else {
      tn.yield %u, %s : tensor<6xf32>, tensor<6xf32>
    }
    %m = tn.mul %i#0, %i#1 : tensor<6xf32>
    tn.yield %m, %i#0 : tensor<6xf32>, tensor<6xf32>
  } else {
    %j = tn.if %b : tensor<i1> -> (tensor<6xf32>) {
      tn.yield %s : tensor<6xf32>
    } else {
      tn.yield %x : tensor<6xf32>
    }
    tn.yield %j, %j : tensor<6xf32>, tensor<6xf32>
  }
  return %y#1, %y#0 : tensor<6xf32>, tensor<6xf32>
})",
             {{flag(true), flag(true), floats({6})},
              {flag(true), flag(false), floats({6})},
              {flag(false), flag(true), floats({6})},
              {flag(false), flag(false), floats({6})}});
}

// Both branches change the same cache; what it holds shows in attention.
TEST_F(ControlTest, IfAppendsToACache) {
  expectSame(R"(
!k = !tn.cache<keys, 1 x 2 x f32>
!v = !tn.cache<values, 1 x 2 x f32>
!t = tensor<1x1x2xf32>
tn.state @k : !k
tn.state @v : !v
func.func @f(%c: tensor<i1>, %x: !t, %b: !tn.batch, %k: !k, %v: !v)
    -> (!t, !k, !v) attributes {tn.symbols = []} {
  %n:2 = tn.if %c : tensor<i1> -> (!k, !v) {
    %e = tn.exp %x : !t
    %k0 = tn.cache_append %k, %e, %b : !k, !t
    %v0 = tn.cache_append %v, %x, %b : !v, !t
    tn.yield %k0, %v0 : !k, !v
  } else {
    %k1 = tn.cache_append %k, %x, %b : !k, !t
    tn.yield %k1, %v : !k, !v
  }
  %y = tn.attention %x, %n#0, %n#1, %b scale 0.5 : !t, !k, !v -> !t
  return %y, %n#0, %n#1 : !t, !k, !v
})",
             {{flag(true), floats({1, 1, 2}), batch(0, 1)},
              {flag(false), floats({1, 1, 2}), batch(1, 1)},
              {flag(true), floats({1, 1, 2}), batch(2, 1)}});
}

// A cache is memory: a branch cannot choose one of two.
TEST_F(ControlTest, IfCannotChooseACache) {
  expectError(R"(
!k = !tn.cache<keys, 1 x 2 x f32>
!t = tensor<1x1x2xf32>
tn.state @a : !k
tn.state @b : !k
func.func @f(%c: tensor<i1>, %x: !t, %b: !tn.batch, %k: !k, %l: !k)
    -> (!k, !k) attributes {tn.symbols = []} {
  %n:2 = tn.if %c : tensor<i1> -> (!k, !k) {
    tn.yield %k, %l : !k, !k
  } else {
    tn.yield %l, %k : !k, !k
  }
  return %n#0, %n#1 : !k, !k
})",
              "expects a region to yield the cache");
}

TEST_F(ControlTest, EntriesCannotSwapCaches) {
  expectError(R"(
!k = !tn.cache<keys, 1 x 2 x f32>
tn.state @a : !k
tn.state @b : !k
func.func @f(%k: !k, %l: !k) -> (!k, !k) attributes {tn.symbols = []} {
  return %l, %k : !k, !k
})",
              "expects to return its caches in the order of its arguments");
}

} // namespace
} // namespace tenon::testing
