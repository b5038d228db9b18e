//===- ControlTest.cpp - Loops and branches that programs run -------------===//

#include "frontend/dsl/Control.h"
#include "frontend/session/Session.h"
#include "tests/frontend/Fixture.h"

namespace tenon::tests {
namespace {
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const Dim T = Dim::symbol("T", 1, 512);
const Dim S = Dim::symbol("S", 1, 4);
const Dim P = Dim::symbol("P", 1, 8);

/// Doubles x, a scalar, until it is 100; counts how often.
std::array<Tensor, 2> doubled(const Tensor &x, int64_t limit) {
  return whileLoop(
      std::array{x, fullLike(x, 0, i32)}, limit,
      [](const Tensor &y, const Tensor &) { return y < 100.0; },
      [](const Tensor &y, const Tensor &trips) {
        return std::array{y + y, trips + 1.0};
      });
}

TEST(Control, LoopsAndBranchesRun) {
  Empty model;
  Entry entry{"f", [](Arguments &in) -> Results {
                Tensor x = in.tensor("x", {});
                auto [y, trips] = doubled(x, /*limit=*/5);
                Tensor z =
                    ifElse(y < 150.0, [&] { return y; }, [&] { return y - x; });
                return {{"y", y}, {"trips", trips}, {"z", z}};
              }};
  auto program = trace(model, {entry});
  ASSERT_TRUE(program.ok()) << program.status();
  auto session = Session::open(*program, Weights());
  ASSERT_TRUE(session.ok()) << session.status();
  // The condition ends the first two loops, the limit the third one.
  struct Case {
    float x, y, z;
    int32_t trips;
  };
  for (Case expected :
       {Case{13, 104, 104, 3}, Case{90, 180, 90, 1}, Case{1, 32, 32, 5}}) {
    auto out = (*session)->call(
        "f", {{"x", Array::of(std::vector<float>{expected.x}, {})}});
    ASSERT_TRUE(out.ok()) << out.status();
    EXPECT_THAT(out->at("y").values<float>(), ElementsAre(expected.y));
    EXPECT_THAT(out->at("trips").values<int32_t>(),
                ElementsAre(expected.trips));
    EXPECT_THAT(out->at("z").values<float>(), ElementsAre(expected.z));
  }
}

/// A layer that remembers, and is called in loops and branches.
struct Memory : Module {
  Memory()
      : Module(nullptr, "memory"),
        keys(cache("keys", CacheLayout::Keys, 1, 8)) {}
  Tensor operator()(const Tensor &x, const Batch &batch) const {
    keys.append(splitHeads(x, 1), batch);
    return x + x;
  }
  Cache keys;
};

std::string memoryText(
    const std::function<Tensor(const Memory &, Tensor, Batch, Tensor)> &body) {
  Memory model;
  Entry entry{"f", [&](Arguments &in) -> Results {
                Tensor x = in.tensor("x", {T, 8});
                Batch batch = in.batch("batch", T, S, P);
                return {{"y", body(model, x, batch, in.tensor("c", {}, i1))}};
              }};
  auto program = trace(model, {entry});
  return program.ok() ? program->print()
                      : std::string(program.status().message());
}

TEST(Control, ALoopCarriesTheCachesItChanges) {
  std::string text = memoryText([](const Memory &model, Tensor x, Batch batch,
                                   Tensor c) {
    auto [y] = whileLoop(
        std::array{x}, 3, [&](const Tensor &) { return c; },
        [&](const Tensor &y) { return std::array{outline(model)(y, batch)}; });
    return model(y, batch);
  });
  EXPECT_THAT(text,
              HasSubstr("tn.while limit 3(%arg0, %arg3 : tensor<?x8xf32, "
                        "#tn.dims<T, 8>>, !tn.cache<keys, 1 x 8 x f32>)"));
  // What follows the loop changes what the loop made.
  EXPECT_THAT(text, HasSubstr("tn.cache_append %0#1"));
}

TEST(Control, ABranchGivesTheCachesItChanges) {
  std::string text =
      memoryText([](const Memory &model, Tensor x, Batch batch, Tensor c) {
        Tensor y =
            ifElse(c, [&] { return model(x, batch); }, [&] { return x; });
        return model(y, batch);
      });
  EXPECT_THAT(text, HasSubstr("tn.yield %arg0, %arg3"));
  EXPECT_THAT(text, HasSubstr("tn.cache_append %0#1"));
}

TEST(Control, SeesParametersAndStepsThroughPositions) {
  struct Model : Module {
    Model() : Module(nullptr, "model"), weight(param("weight", {8})) {}
    Tensor weight;
  } model;
  Entry entry{"f", [&](Arguments &in) -> Results {
                Tensor position = in.tensor("position", {T}, i32);
                Batch batch = in.batch("batch", T, S, P);
                Tensor x = in.tensor("x", {T, 2, 8});
                Tensor more = in.tensor("more", {}, i1);
                auto [y, at] = whileLoop(
                    std::array{x, position}, 4,
                    [&](const Tensor &, const Tensor &) { return more; },
                    [&](const Tensor &y, const Tensor &at) {
                      Batch here = reposition(batch, at);
                      return std::array{rope(y * model.weight, here, {}),
                                        at + 1.0};
                    });
                return {{"y", y}};
              }};
  auto program = trace(model, {entry});
  ASSERT_TRUE(program.ok()) << program.status();
  std::string text = program->print();
  size_t weight = text.find("tn.get_parameter @weight");
  EXPECT_LT(weight, text.find("tn.while")); // once, not in each trip
  EXPECT_THAT(text, HasSubstr("tn.reposition %arg1, %arg5"));
}

TEST(Control, RefusesOtherTypesAndConditions) {
  auto loop = [](auto condition, auto body) {
    return textOf([&](Arguments &in) {
      Tensor x = in.tensor("x", {4});
      auto [y] = whileLoop(std::array{x}, 3, condition, body);
      return y + 1.0;
    });
  };
  auto same = [](const Tensor &y) { return std::array{y}; };
  auto isSmall = [](const Tensor &y) {
    return squeeze(range(y, 0, 0, 1), 0) < 1.0;
  };
  EXPECT_THAT(loop([](const Tensor &y) { return y < 1.0; }, same),
              HasSubstr("whileLoop expects the condition to yield one scalar "
                        "i1, got ('tensor<4xi1>')"));
  EXPECT_THAT(
      loop(isSmall, [](const Tensor &y) { return std::array{y.to(f16)}; }),
      HasSubstr("whileLoop expects the body to yield values of types"));
  EXPECT_THAT(
      loop(isSmall, [](const Tensor &) { return std::array{Tensor()}; }),
      HasSubstr("expects a tensor for each result of a loop or a "
                "branch, got none"));
  EXPECT_THAT(textOf([](Arguments &in) {
                Tensor c = in.tensor("c", {}, i1), x = in.tensor("x", {4});
                return ifElse(c, [&] { return x; }, [&] { return x.to(f16); });
              }),
              HasSubstr("ifElse expects a region to yield values of types"));
}

TEST(Control, WhatALoopMakesStaysInside) {
  Tensor kept;
  std::string text = textOf([&](Arguments &in) {
    Tensor c = in.tensor("c", {}, i1), x = in.tensor("x", {4});
    Tensor y = ifElse(c, [&] { return kept = x + x; }, [&] { return x; });
    return y + kept;
  });
  EXPECT_THAT(text, HasSubstr("from inside an outlined module, a loop or a "
                              "branch"));
}

} // namespace
} // namespace tenon::tests
