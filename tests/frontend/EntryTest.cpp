//===- EntryTest.cpp - Entries, parameters, options of a trace ------------===//

#include "tests/frontend/Fixture.h"

namespace tenon::tests {
namespace {
using ::testing::HasSubstr;
using ::testing::Not;

const Dim T = Dim::symbol("T", 1, 512, 16);

struct Mlp : Module {
  Mlp()
      : Module(nullptr, "mlp"), up(this, "up", 32, 8, {.bias = true}),
        unused(param("unused", {3})) {}
  Linear up;
  Tensor unused;
};

Entry mlpEntry(const Mlp &model) {
  return {"forward", [&](Arguments &in) -> Results {
            return {{"y", model.up(in.tensor("x", {T, 32}))}};
          }};
}

TEST(Entries, DeclareSymbolsNamesAndParameters) {
  Mlp model;
  auto program = trace(model, {mlpEntry(model)});
  ASSERT_TRUE(program.ok()) << program.status();
  std::string text = program->print();
  EXPECT_THAT(text,
              HasSubstr("tn.symbols = [#tn.symbol<\"T\", 1 to 512 by 16>]"));
  EXPECT_THAT(text, HasSubstr("tn.name = \"x\""));
  EXPECT_THAT(text, HasSubstr("tn.parameter @up.weight : tensor<8x32xf32>"));
  EXPECT_THAT(text, Not(HasSubstr("unused")));
}

TEST(Entries, TheWeightsFileDecidesElementTypes) {
  Mlp model;
  ParameterTypes types = {{"blk.up.weight", {base::ElementType::Q8_0, {8, 32}}},
                          {"blk.up.bias", {base::ElementType::F32, {8}}}};
  TraceOptions options;
  options.types = &types;
  options.source = [](std::string_view name) {
    return "blk." + std::string(name);
  };
  auto program = trace(model, {mlpEntry(model)}, options);
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_THAT(program->print(),
              HasSubstr("tn.parameter @up.weight : "
                        "tensor<8x32x!tn.block<q8_0>> from \"blk.up.weight\""));
  ASSERT_EQ(program->weights().size(), 2u);
  EXPECT_EQ(program->weights()[0].source, "blk.up.weight");
  EXPECT_EQ(program->weights()[0].type.element, base::ElementType::Q8_0);
}

TEST(Entries, VariantsAndMetadataAreTheModules) {
  Mlp model;
  TraceOptions options;
  options.variants = {{"decode", {"T=1..1"}}, {"any", {}}};
  options.metadata = {{"context_tokens", "4096"}};
  auto program = trace(model, {mlpEntry(model)}, options);
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_THAT(program->print(),
              HasSubstr("{bounds = [\"T=1..1\"], name = \"decode\"}"));
  EXPECT_THAT(program->print(), HasSubstr("context_tokens = \"4096\""));
}

TEST(Entries, AModelTracesAgain) {
  Mlp model;
  auto first = trace(model, {mlpEntry(model)});
  auto second = trace(model, {mlpEntry(model)});
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->print(), second->print());
}
} // namespace
} // namespace tenon::tests
