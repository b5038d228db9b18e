//===- OpsTest.cpp - The generated functions ------------------------------===//

#include "tests/frontend/Fixture.h"

namespace tenon::tests {
namespace {
using ::testing::HasSubstr;

const Dim T = Dim::symbol("T", 1, 512);

TEST(Ops, ResultHasTheTypeThatTheOpSays) {
  EXPECT_THAT(
      textOf([](Arguments &in) { return silu(in.tensor("x", {T, 8})); }),
      HasSubstr("tn.silu %arg0 : tensor<?x8xf32, #tn.dims<T, 8>>"));
}

TEST(Ops, AttributesKeepTheirDefaults) {
  std::string text = textOf([](Arguments &in) {
    return matmul(in.tensor("a", {T, 8}), in.tensor("b", {8, 4}));
  });
  EXPECT_THAT(text, HasSubstr("tn.matmul %arg0, %arg1 : "));
  EXPECT_THAT(text, HasSubstr("-> tensor<?x4xf32, #tn.dims<T, 4>>"));
}

TEST(Ops, OptionalOperandAndFlags) {
  std::string text = textOf([](Arguments &in) {
    return matmul(in.tensor("a", {T, 8}), in.tensor("b", {4, 8}),
                  in.tensor("bias", {4}), /*transposeA=*/false,
                  /*transposeB=*/true);
  });
  EXPECT_THAT(text, HasSubstr("bias %arg2 {transpose_b}"));
}

TEST(Ops, ReshapeComputesOneAxis) {
  EXPECT_THAT(textOf([](Arguments &in) {
                return reshape(in.tensor("x", {T, 12}), {T, 3, -1});
              }),
              HasSubstr("-> tensor<?x3x4xf32, #tn.dims<T, 3, 4>>"));
}

TEST(Ops, TransposeMovesSymbols) {
  EXPECT_THAT(textOf([](Arguments &in) {
                return transpose(in.tensor("x", {T, 2, 3}), {1, 0, 2});
              }),
              HasSubstr("-> tensor<2x?x3xf32, #tn.dims<2, T, 3>>"));
}

TEST(Ops, ConcatAddsExtents) {
  EXPECT_THAT(textOf([](Arguments &in) {
                Tensor x = in.tensor("x", {T, 3}), y = in.tensor("y", {T, 5});
                return concat({x, y}, 1);
              }),
              HasSubstr("-> tensor<?x8xf32, #tn.dims<T, 8>>"));
}

TEST(Ops, SeveralResultsHaveNames) {
  EXPECT_THAT(textOf([](Arguments &in) {
                return topK(in.tensor("x", {T, 16}), 4).indices;
              }),
              HasSubstr("tensor<?x4xi32, #tn.dims<T, 4>>"));
}

TEST(Ops, CompareAndSelect) {
  std::string text = textOf([](Arguments &in) {
    Tensor a = in.tensor("a", {4}), b = in.tensor("b", {4});
    return select(compare(a, b, Predicate::LT), a, b);
  });
  EXPECT_THAT(text, HasSubstr("tn.compare lt %arg0, %arg1"));
  EXPECT_THAT(text, HasSubstr("tn.select"));
}

TEST(Ops, CastAndGather) {
  std::string text = textOf([](Arguments &in) {
    Tensor table = in.tensor("table", {32, 8}, bf16);
    Tensor index = in.tensor("index", {T}, i32);
    return gather(table, index).to(f32);
  });
  EXPECT_THAT(text, HasSubstr("-> tensor<?x8xbf16, #tn.dims<T, 8>>"));
  EXPECT_THAT(text, HasSubstr("tn.cast"));
}
} // namespace
} // namespace tenon::tests
