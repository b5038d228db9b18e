//===- RandomParametersTest.cpp - Weights drawn for measuring -------------===//

#include "runtime/exec/RandomParameters.h"
#include "tests/runtime/exec/Programs.h"

#include <cmath>
#include <set>

namespace tenon::exec {
namespace {

/// Unpacks what the lookup gives for a parameter.
std::vector<float> values(const ParameterLookup &lookup,
                          const base::Parameter &parameter) {
  StatusOr<TensorView> view = lookup(parameter);
  if (!view.ok()) {
    ADD_FAILURE() << view.status();
    return {};
  }
  EXPECT_EQ(view->element, parameter.element);
  EXPECT_TRUE(std::ranges::equal(view->shape, parameter.shape));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(view->data) % 64, 0u);
  int64_t count = 1;
  for (int64_t extent : parameter.shape)
    count *= extent;
  std::vector<float> result(count);
  Status status =
      base::unpack(parameter.element, view->data, count, result.data());
  EXPECT_TRUE(status.ok()) << status;
  return result;
}

/// A matrix of each type a model's weights have, norms and a bias.
ProgramBuilder parameters() {
  ProgramBuilder b;
  auto add = [&](std::string name, ElementType type,
                 std::vector<int64_t> shape) {
    b.program.parameters.push_back({name, name, type, std::move(shape)});
  };
  for (ElementType type : {ElementType::F32, ElementType::BF16,
                           ElementType::Q8_0, ElementType::Q4_K})
    for (const char *name : {"first", "second"})
      add(concat(name, ".", base::info(type).name), type, {1024, 2048});
  add("norm.weight", ElementType::F32, {640});
  add("query.bias", ElementType::F32, {640});
  Variant &none = b.entry("none").variants.emplace_back();
  none.body = {host(Opcode::Return)};
  return b;
}

class RandomParameters : public ::testing::Test {
protected:
  void SetUp() override {
    auto program = parameters().load();
    ASSERT_TRUE(program.ok()) << program.status();
    loaded = *program;
    auto opened = hal::openDevice("cpu");
    ASSERT_TRUE(opened.ok()) << opened.status();
    device = *opened;
  }

  ParameterLookup draw(uint64_t seed) {
    auto lookup = randomParameters(loaded, *device, seed);
    EXPECT_TRUE(lookup.ok()) << lookup.status();
    return lookup.ok() ? *lookup : nullptr;
  }

  std::shared_ptr<const LoadedProgram> loaded;
  std::shared_ptr<hal::Device> device;
};

TEST_F(RandomParameters, MatricesAreNoiseOfADeviation) {
  ParameterLookup lookup = draw(1);
  for (const base::Parameter &parameter : loaded->program().parameters) {
    if (parameter.name == "norm.weight")
      continue;
    std::vector<float> drawn = values(lookup, parameter);
    double sum = 0, squares = 0;
    for (float value : drawn) {
      sum += value;
      squares += value * value;
    }
    auto count = static_cast<double>(drawn.size());
    EXPECT_NEAR(sum / count, 0, 0.1 / std::sqrt(count)) << parameter.name;
    EXPECT_NEAR(std::sqrt(squares / count), 0.02, 2e-3) << parameter.name;
  }
}

TEST_F(RandomParameters, NormsAreOnes) {
  const base::Parameter &norm = loaded->program().parameters[8];
  EXPECT_EQ(values(draw(1), norm), std::vector<float>(640, 1.0f));
}

TEST_F(RandomParameters, DependOnTheSeedAndTheParameter) {
  const auto &parameters = loaded->program().parameters;
  std::set<std::vector<float>> drawn;
  for (uint64_t seed : {1, 2, 1})
    for (size_t i : {0, 1})
      drawn.insert(values(draw(seed), parameters[i]));
  EXPECT_EQ(drawn.size(), 4u);
}

TEST_F(RandomParameters, RowsDiffer) {
  std::vector<float> drawn = values(draw(1), loaded->program().parameters[0]);
  std::set<std::vector<float>> rows;
  for (size_t row = 0; row < 1024; ++row)
    rows.emplace(drawn.begin() + row * 2048, drawn.begin() + (row + 1) * 2048);
  EXPECT_EQ(rows.size(), 1024u);
}

} // namespace
} // namespace tenon::exec
