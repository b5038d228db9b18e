//===- SessionTest.cpp - Arrays and weights that sessions take ------------===//

#include "frontend/session/Array.h"
#include "frontend/session/Weights.h"
#include "tests/frontend/Fixture.h"

#include <algorithm>

namespace tenon::tests {
namespace {

TEST(Array, HoldsItsValues) {
  Array x = Array::of(std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3});
  EXPECT_EQ(x.elements(), 6);
  EXPECT_EQ(x.values<float>()[4], 5);
  EXPECT_EQ(Array(base::ElementType::I32, {3}).values<int32_t>()[2], 0);
}

struct TwoWeights : Module {
  explicit TwoWeights(bool swapped) : Module(nullptr, "model") {
    if (swapped)
      b = param("b", {64});
    a = param("a", {4, 64});
    if (!swapped)
      b = param("b", {64});
  }
  Tensor a, b;
};

TracedProgram traceTwo(bool swapped, base::ElementType element) {
  TwoWeights model(swapped);
  Entry entry{"f", [&](Arguments &in) -> Results {
                Tensor x = in.tensor("x", {2, 64});
                return {{"y", linear(x * model.b, model.a)}};
              }};
  ParameterTypes types = {{"a", {element, {4, 64}}},
                          {"b", {base::ElementType::F32, {64}}}};
  TraceOptions options;
  options.types = &types;
  auto program = trace(model, {entry}, options);
  EXPECT_TRUE(program.ok()) << program.status();
  return *std::move(program);
}

TEST(RandomWeights, DependOnNameAndSeedAlone) {
  TracedProgram first = traceTwo(false, base::ElementType::F32);
  TracedProgram second = traceTwo(true, base::ElementType::F32);
  auto a = Weights::random(first, 7), b = Weights::random(second, 7),
       c = Weights::random(first, 8);
  ASSERT_TRUE(a.ok() && b.ok() && c.ok());
  EXPECT_TRUE(std::ranges::equal(a->find("a")->bytes, b->find("a")->bytes));
  EXPECT_FALSE(std::ranges::equal(a->find("a")->bytes, c->find("a")->bytes));
  EXPECT_EQ(a->find("c"), nullptr);
}

TEST(RandomWeights, PackBlocks) {
  TracedProgram program = traceTwo(false, base::ElementType::Q8_0);
  auto weights = Weights::random(program, 7);
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_EQ(weights->find("a")->bytes.size(), 4u * 2 * 34);
}
} // namespace
} // namespace tenon::tests
