//===- ExprTest.cpp - Expressions are exact or an error -------------------===//

#include "runtime/base/Program.h"

#include <gtest/gtest.h>

namespace tenon::base {
namespace {

using Op = Expr::Op;

int64_t valueOf(Op op, int64_t a, int64_t b) {
  // Symbols, so that nothing is folded.
  auto value =
      Expr::binary(op, Expr::symbol(0), Expr::symbol(1)).evaluate({a, b}, {});
  EXPECT_TRUE(value.ok()) << value.status();
  return value.ok() ? *value : INT64_MIN;
}

tenon_status_code_t failureOf(Op op, int64_t a, int64_t b) {
  return Expr::binary(op, Expr::symbol(0), Expr::symbol(1))
      .evaluate({a, b}, {})
      .status()
      .code();
}

TEST(Expr, ComputesEveryOperation) {
  EXPECT_EQ(valueOf(Op::Add, 2, 3), 5);
  EXPECT_EQ(valueOf(Op::Sub, 2, 3), -1);
  EXPECT_EQ(valueOf(Op::Mul, -2, 3), -6);
  EXPECT_EQ(valueOf(Op::Min, 2, 3), 2);
  EXPECT_EQ(valueOf(Op::Max, 2, 3), 3);
  EXPECT_EQ(valueOf(Op::Less, 2, 3), 1);
  EXPECT_EQ(valueOf(Op::Less, 3, 3), 0);
  EXPECT_EQ(valueOf(Op::Equal, 3, 3), 1);
}

TEST(Expr, DivisionRoundsAsItSaysOnBothSidesOfZero) {
  EXPECT_EQ(valueOf(Op::FloorDiv, 7, 4), 1);
  EXPECT_EQ(valueOf(Op::FloorDiv, -7, 4), -2);
  EXPECT_EQ(valueOf(Op::CeilDiv, 7, 4), 2);
  EXPECT_EQ(valueOf(Op::CeilDiv, 8, 4), 2);
  EXPECT_EQ(valueOf(Op::CeilDiv, -7, 4), -1);
  EXPECT_EQ(valueOf(Op::Mod, -7, 4), 1);
  EXPECT_EQ(valueOf(Op::CeilDiv, INT64_MAX, 1), INT64_MAX);
  EXPECT_EQ(valueOf(Op::FloorDiv, INT64_MIN, 1), INT64_MIN);
}

TEST(Expr, ReportsOverflowAndDivisorsBelowOne) {
  EXPECT_EQ(failureOf(Op::Add, INT64_MAX, 1), TENON_OUT_OF_RANGE);
  EXPECT_EQ(failureOf(Op::Sub, INT64_MIN, 1), TENON_OUT_OF_RANGE);
  EXPECT_EQ(failureOf(Op::Mul, INT64_MAX, 2), TENON_OUT_OF_RANGE);
  EXPECT_EQ(failureOf(Op::FloorDiv, 1, 0), TENON_OUT_OF_RANGE);
  EXPECT_EQ(failureOf(Op::CeilDiv, 1, 0), TENON_OUT_OF_RANGE);
  EXPECT_EQ(failureOf(Op::Mod, 1, 0), TENON_OUT_OF_RANGE);
  EXPECT_EQ(failureOf(Op::FloorDiv, INT64_MIN, -1), TENON_OUT_OF_RANGE);
}

TEST(Expr, FoldsConstantsAndNeutralElements) {
  Expr t = Expr::symbol(0), zero = Expr::constant(0), one = Expr::constant(1);
  EXPECT_EQ(Expr::binary(Op::Mul, Expr::constant(6), Expr::constant(7)),
            Expr::constant(42));
  EXPECT_EQ(Expr::binary(Op::Add, zero, t), t);
  EXPECT_EQ(Expr::binary(Op::Sub, t, zero), t);
  EXPECT_EQ(Expr::binary(Op::Mul, t, one), t);
  EXPECT_EQ(Expr::binary(Op::CeilDiv, t, one), t);
}

TEST(Expr, KeepsAConstantThatOverflowsForEvaluationToReport) {
  Expr expr = Expr::binary(Op::Mul, Expr::constant(INT64_MAX),
                           Expr::constant(INT64_MAX));
  EXPECT_FALSE(expr.isConstant());
  EXPECT_EQ(expr.evaluate({}, {}).status().code(), TENON_OUT_OF_RANGE);
}

TEST(Expr, RefusesMalformedExpressions) {
  auto isValid = [](std::vector<Expr::Term> terms) {
    return Expr(std::move(terms)).isValid(1, 1);
  };
  EXPECT_TRUE(isValid({{Op::Symbol, 0}, {Op::Register, 0}, {Op::Add}}));
  EXPECT_FALSE(isValid({}));
  EXPECT_FALSE(isValid({{Op::Add}}));
  EXPECT_FALSE(isValid({{Op::Constant, 1}, {Op::Add}}));
  EXPECT_FALSE(isValid({{Op::Constant, 1}, {Op::Constant, 1}}));
  EXPECT_FALSE(isValid({{Op::Symbol, 1}}));
  EXPECT_FALSE(isValid({{Op::Symbol, -1}}));
  EXPECT_FALSE(isValid({{Op::Register, 1}}));
  EXPECT_FALSE(isValid({{static_cast<Op>(200), 0}}));
  EXPECT_EQ(Expr().evaluate({}, {}).status().code(), TENON_DATA_LOSS);
}

TEST(Expr, RefusesMoreOperandsThanTheStackHolds) {
  std::vector<Expr::Term> terms(Expr::kMaxDepth, {Op::Constant, 1});
  terms.insert(terms.end(), Expr::kMaxDepth - 1, {Op::Add});
  EXPECT_EQ(*Expr(terms).evaluate({}, {}), int64_t{Expr::kMaxDepth});
  terms.insert(terms.begin(), {Op::Constant, 1});
  terms.push_back({Op::Add});
  EXPECT_FALSE(Expr(terms).isValid(0, 0));
}

TEST(Expr, PrintsInfixWithBracketsOnlyWhereNeeded) {
  Expr t = Expr::symbol(0), four = Expr::constant(4);
  Expr tiles = Expr::binary(Op::CeilDiv, t, four);
  EXPECT_EQ(Expr::binary(Op::Mul, tiles, Expr::constant(640)).print({"T"}),
            "ceildiv(T, 4) * 640");
  Expr sum = Expr::binary(Op::Add, t, four);
  EXPECT_EQ(Expr::binary(Op::Mul, sum, t).print({"T"}), "(T + 4) * T");
  EXPECT_EQ(Expr::binary(Op::Sub, t, sum).print({"T"}), "T - (T + 4)");
  EXPECT_EQ(Expr::binary(Op::Mul, t, Expr::binary(Op::Mul, t, four)).print({}),
            "s0 * (s0 * 4)");
  EXPECT_EQ(Expr::reg(2).print({}), "r2");
  EXPECT_EQ(Expr({{Op::Add}}).print({}), "<malformed>");
}

} // namespace
} // namespace tenon::base
