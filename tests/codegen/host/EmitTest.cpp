//===- EmitTest.cpp - Streaming, compiled ---------------------------------===//

#include "tests/codegen/host/ControlTest.h"

namespace tenon::testing {
namespace {

// What is streamed is an argument, a constant, and computed; whether to stop
// is a result.
TEST_F(ControlTest, EmitsInOrder) {
  expectSame(R"(
func.func @f(%x: tensor<3xi32>) -> (tensor<i1>, tensor<i1>, tensor<i1>) {
  %k = tn.constant dense<[5, 6]> : tensor<2xi32>
  %y = tn.add %x, %x : tensor<3xi32>
  %a = tn.emit %x : tensor<3xi32> -> tensor<i1>
  %b = tn.emit %k : tensor<2xi32> -> tensor<i1>
  %c = tn.emit %y : tensor<3xi32> -> tensor<i1>
  return %a, %b, %c : tensor<i1>, tensor<i1>, tensor<i1>
})",
             {{{numbers({1, -2, 3})}, -1},
              {{numbers({4, 5, 6})}, 4},
              {{numbers({7, 8, 9})}, 0}});
}

// Tokens are drawn one by one until the sink asks to stop or the limit comes.
TEST_F(ControlTest, SinksStopALoop) {
  expectSame(R"(
!i = tensor<?xi32, #tn.dims<R>>
!p = tensor<i1>
func.func @f(%x: !i, %d: !i) -> (!i, !p)
    attributes {tn.symbols = [#tn.symbol<"R", 1 to 4>]} {
  %no = tn.constant dense<false> : !p
  %r:2 = tn.while limit 6 (%x, %no : !i, !p) {
  ^bb0(%t: !i, %stop: !p):
    %true = tn.constant dense<true> : !p
    %go = tn.select %stop, %no, %true : !p, !p
    tn.yield %go : !p
  } do {
  ^bb0(%t: !i, %stop: !p):
    %s = tn.emit %t : !i -> !p
    %n = tn.add %t, %d : !i
    tn.yield %n, %s : !i, !p
  } -> !i, !p
  return %r#0, %r#1 : !i, !p
})",
             {{{numbers({1, 10}), numbers({1, 2})}, -1},
              {{numbers({1, 10}), numbers({1, 2})}, 3},
              {{numbers({5}), numbers({-1})}, 1},
              {{numbers({5, 6, 7, 8}), numbers({1, 1, 1, 1})}, 24}});
}

// One branch streams, the other does not.
TEST_F(ControlTest, BranchesEmit) {
  expectSame(R"(
func.func @f(%c: tensor<i1>, %x: tensor<2xi32>) -> tensor<i1> {
  %y = tn.if %c : tensor<i1> -> (tensor<i1>) {
    %s = tn.emit %x : tensor<2xi32> -> tensor<i1>
    tn.yield %s : tensor<i1>
  } else {
    tn.yield %c : tensor<i1>
  }
  return %y : tensor<i1>
})",
             {{{flag(true), numbers({1, 2})}, 1},
              {{flag(true), numbers({1, 2})}, -1},
              {{flag(false), numbers({1, 2})}, 1}});
}

} // namespace
} // namespace tenon::testing
