//===- OutlineTest.cpp - Equal layers become equal functions --------------===//

#include "tests/frontend/Fixture.h"

#include <regex>

namespace tenon::tests {
namespace {
using ::testing::HasSubstr;

const Dim T = Dim::symbol("T", 1, 512);
const Dim S = Dim::symbol("S", 1, 4);
const Dim P = Dim::symbol("P", 1, 8);

struct Layer : Module {
  Layer(Module *parent, std::string_view name)
      : Module(parent, name), up(this, "up", 8, 8), norm(this, "norm", 8, 1e-6),
        keys(cache("keys", CacheLayout::Keys, 1, 8)),
        values(cache("values", CacheLayout::Values, 1, 8)) {}
  Tensor operator()(const Tensor &x, const Batch &batch) const {
    Tensor k = splitHeads(up(norm(x)), 1);
    keys.append(k, batch);
    values.append(k, batch);
    return x + mergeHeads(attention(k, keys, values, batch, 0.5));
  }
  Linear up;
  RmsNorm norm;
  Cache keys, values;
};

struct Model : Module {
  Model() : Module(nullptr, "model") {
    for (int i = 0; i < 3; ++i)
      layers.emplace_back(this, "layers." + std::to_string(i));
  }
  Tensor operator()(Tensor x, const Batch &batch) const {
    for (const Layer &layer : layers)
      x = outline(layer)(x, batch);
    return x;
  }
  std::vector<Layer> layers;
};

std::string modelText() {
  Model model;
  Entry entry{"forward", [&](Arguments &in) -> Results {
                Tensor x = in.tensor("x", {T, 8});
                return {{"y", model(x, in.batch("batch", T, S, P))}};
              }};
  auto program = trace(model, {entry});
  return program.ok() ? program->print()
                      : std::string(program.status().message());
}

/// The text of a function, with its name taken out.
std::string functionText(const std::string &text, const std::string &name) {
  size_t begin = text.find("func.func private @" + name);
  size_t end = text.find("\n  }\n", begin);
  if (begin == std::string::npos || end == std::string::npos)
    return "no function " + name + " in\n" + text;
  std::string function = text.substr(begin, end - begin);
  return std::regex_replace(function, std::regex("layers\\.[0-9]+"), "layer");
}

TEST(Outline, EqualLayersAreEqualFunctions) {
  std::string text = modelText();
  std::string first = functionText(text, "forward.layers.0");
  EXPECT_THAT(first, HasSubstr("tn.attention"));
  EXPECT_EQ(first, functionText(text, "forward.layers.1"));
  EXPECT_EQ(first, functionText(text, "forward.layers.2"));
}

TEST(Outline, WeightsAndCachesAreArguments) {
  std::string text = modelText();
  EXPECT_THAT(functionText(text, "forward.layers.0"),
              HasSubstr("!tn.cache<keys, 1 x 8 x f32>"));
  EXPECT_THAT(text, HasSubstr("tn.get_parameter @layers.2.up.weight"));
  EXPECT_THAT(text, HasSubstr("tn.state @layers.2.values"));
}

TEST(Outline, EntriesHaveStatesLastInOrder) {
  std::string text = modelText();
  std::regex order("forward\\(.*\"x\".*\"batch\".*\"layers.0.keys\".*"
                   "\"layers.0.values\".*\"layers.2.values\"");
  EXPECT_TRUE(std::regex_search(text, order)) << text;
}

TEST(Outline, OuterValuesBecomeArguments) {
  Model model;
  Entry entry{"forward", [&](Arguments &in) -> Results {
                Tensor x = in.tensor("x", {T, 8}), z = in.tensor("z", {T, 8});
                struct Part : Module {
                  explicit Part(Module *m) : Module(m, "part") {}
                  Tensor operator()(const std::function<Tensor()> &f) const {
                    return f();
                  }
                };
                Part part(&model);
                return {{"y", outline(part)([&] { return x * z + x; })}};
              }};
  auto program = trace(model, {entry});
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_THAT(program->print(), HasSubstr("call @forward.part(%arg0, %arg1)"));
}

TEST(Outline, ErrorsInsideAreReportedOnce) {
  Model model;
  Entry entry{"forward", [&](Arguments &in) -> Results {
                Tensor x = in.tensor("x", {T, 9});
                return {{"y", model(x, in.batch("batch", T, S, P))}};
              }};
  auto program = trace(model, {entry});
  ASSERT_FALSE(program.ok());
  std::string text(program.status().message());
  EXPECT_THAT(text, HasSubstr("rms_norm"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 0) << text;
}

TEST(Outline, LocationsNameTheModule) {
  Model model;
  Entry entry{"forward", [&](Arguments &in) -> Results {
                Tensor x = in.tensor("x", {T, 8});
                return {{"y", model(x, in.batch("batch", T, S, P))}};
              }};
  auto program = trace(model, {entry});
  ASSERT_TRUE(program.ok()) << program.status();
  std::string text = program->print(/*locations=*/true);
  EXPECT_THAT(text, HasSubstr("loc(\"layers.1.up\""));
  EXPECT_THAT(text, HasSubstr("OutlineTest.cpp"));
}
} // namespace
} // namespace tenon::tests
