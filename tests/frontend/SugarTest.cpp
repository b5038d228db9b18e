//===- SugarTest.cpp - Operators, reductions, shapes ----------------------===//

#include "tests/frontend/Fixture.h"

namespace tenon::tests {
namespace {
using ::testing::HasSubstr;
using ::testing::Not;

const Dim T = Dim::symbol("T", 1, 512);

TEST(Sugar, EqualShapesDoNotBroadcast) {
  std::string text = textOf([](Arguments &in) {
    Tensor x = in.tensor("x", {T, 8});
    return x * x - x;
  });
  EXPECT_THAT(text, HasSubstr("tn.mul %arg0, %arg0"));
  EXPECT_THAT(text, Not(HasSubstr("tn.broadcast")));
}

TEST(Sugar, ShapesAlignAtTheRight) {
  std::string text = textOf([](Arguments &in) {
    return in.tensor("x", {T, 8}) + in.tensor("b", {8});
  });
  EXPECT_THAT(text, HasSubstr("tn.broadcast %arg1 : tensor<8xf32> -> "
                              "tensor<?x8xf32, #tn.dims<T, 8>>"));
}

TEST(Sugar, BothSidesMayRepeat) {
  EXPECT_THAT(textOf([](Arguments &in) {
                return in.tensor("a", {3, 1}) * in.tensor("b", {1, 4});
              }),
              HasSubstr("tn.mul %0, %1 : tensor<3x4xf32>"));
}

TEST(Sugar, NumbersTakeTheTensorsType) {
  EXPECT_THAT(
      textOf([](Arguments &in) { return 2 * in.tensor("x", {T, 8}, bf16); }),
      HasSubstr("tn.constant dense<2.000000e+00> : tensor<bf16>"));
}

TEST(Sugar, ReductionsKeepTheAxis) {
  std::string text = textOf([](Arguments &in) {
    Tensor x = in.tensor("x", {T, 8});
    return x / sum(x);
  });
  EXPECT_THAT(text, HasSubstr("tn.reduce sum %arg0"));
  EXPECT_THAT(text, HasSubstr("-> tensor<?x1xf32, #tn.dims<T, 1>>"));
}

TEST(Sugar, OtherAxesMoveToTheEnd) {
  std::string text = textOf([](Arguments &in) {
    return squeeze(max(in.tensor("x", {4, 8, 2}), 0), 0);
  });
  EXPECT_THAT(text, HasSubstr("tn.reduce max"));
  EXPECT_THAT(text, HasSubstr("-> tensor<8x2xf32>"));
}

TEST(Sugar, MeanDividesByTheExtent) {
  EXPECT_THAT(
      textOf([](Arguments &in) { return mean(in.tensor("x", {T, 8})); }),
      HasSubstr("dense<8.000000e+00>"));
}

TEST(Sugar, HeadsSplitAndMerge) {
  std::string text = textOf([](Arguments &in) {
    return mergeHeads(splitHeads(in.tensor("x", {T, 12}), 3));
  });
  EXPECT_THAT(text, HasSubstr("-> tensor<?x3x4xf32, #tn.dims<T, 3, 4>>"));
  EXPECT_THAT(text, HasSubstr("-> tensor<?x12xf32, #tn.dims<T, 12>>"));
}

TEST(Sugar, RopeHasItsFrequencies) {
  std::string text = textOf([](Arguments &in) {
    Batch batch =
        in.batch("batch", T, Dim::symbol("S", 1, 4), Dim::symbol("P", 1, 8));
    return rope(in.tensor("x", {T, 2, 4}), batch, RopeOptions{});
  });
  EXPECT_THAT(text, HasSubstr("dense<[1.000000e+00, 0.00999999977]>"));
  EXPECT_THAT(text, HasSubstr("tn.rope half"));
}
} // namespace
} // namespace tenon::tests
