//===- ErrorsTest.cpp - What users read when a model is wrong -------------===//

#include "tests/frontend/Fixture.h"

namespace tenon::tests {
namespace {
using ::testing::HasSubstr;
using ::testing::Not;

const Dim T = Dim::symbol("T", 1, 512);

std::string lineOf(int line) {
  return std::string(__FILE__) + ":" + std::to_string(line) + ": ";
}

TEST(Errors, NameTheUsersLineAndBothShapes) {
  int line = 0;
  std::string text = textOf([&](Arguments &in) {
    Tensor x = in.tensor("x", {T, 8}), w = in.tensor("w", {4, 16});
    line = __LINE__ + 1;
    return linear(x, w);
  });
  EXPECT_THAT(text, HasSubstr(lineOf(line) +
                              "matmul expects a [T, 8] and b [4, 16] to agree "
                              "in k, got 8 and 16"));
}

TEST(Errors, OperatorsNameTheirLine) {
  int line = 0;
  std::string text = textOf([&](Arguments &in) {
    Tensor x = in.tensor("x", {T, 8}), y = in.tensor("y", {7});
    line = __LINE__ + 1;
    return x + y;
  });
  EXPECT_THAT(text,
              HasSubstr(lineOf(line) + "+ expects shapes that broadcast, got "
                                       "[T, 8] and [7]: axis 1 is 8 and 7"));
}

TEST(Errors, AreAllReportedOnce) {
  std::string text = textOf([](Arguments &in) {
    Tensor x = in.tensor("x", {T, 8}), w = in.tensor("w", {4, 16});
    Tensor y = x;
    for (int layer = 0; layer < 3; ++layer)
      y = linear(x, w);              // the same error thrice
    Tensor poisoned = silu(y) + 1.0; // nothing to say of what follows
    Tensor z = splitHeads(x, 3);     // an error of its own
    return poisoned * z;
  });
  EXPECT_THAT(text, HasSubstr("to agree in k"));
  EXPECT_THAT(text, HasSubstr("splitHeads expects a last axis that 3 heads "
                              "divide, got [T, 8]"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
}

TEST(Errors, TheOpsVerifierSpeaks) {
  std::string text = textOf([](Arguments &in) {
    return rmsNorm(in.tensor("x", {T, 8}), in.tensor("w", {4}), 1e-6);
  });
  EXPECT_THAT(text,
              HasSubstr(": rms_norm expects axis 0 of w equal to axis 1 of x"));
  EXPECT_THAT(text, Not(HasSubstr("'tn.")));
}

TEST(Errors, SymbolsWithTwoRanges) {
  EXPECT_THAT(textOf([](Arguments &in) {
                return in.tensor("x", {T, 8}) +
                       in.tensor("y", {Dim::symbol("T", 1, 4), 8});
              }),
              HasSubstr("expects one range of the symbol T in an entry, got 1 "
                        "to 4 after 1 to 512"));
}

TEST(Errors, AbsentTensor) {
  EXPECT_THAT(textOf([](Arguments &in) {
                return linear(in.tensor("x", {T, 8}), Tensor());
              }),
              HasSubstr("matmul expects a tensor for 'b', got none"));
}

struct TwoOfAName : Module {
  TwoOfAName()
      : Module(nullptr, "model"), a(param("w", {4})), b(param("w", {4})) {}
  Tensor a, b;
};

TEST(Errors, ParametersHaveNamesOfTheirOwn) {
  TwoOfAName model;
  Entry entry{"f", [&](Arguments &in) -> Results {
                return {{"y", in.tensor("x", {4}) + model.a}};
              }};
  absl::StatusOr<TracedProgram> program = trace(model, {entry});
  ASSERT_FALSE(program.ok());
  EXPECT_THAT(std::string(program.status().message()),
              HasSubstr("expects a name of its own for each parameter and "
                        "cache, got 'w' twice"));
}

struct NarrowCache : Module {
  NarrowCache()
      : Module(nullptr, "model"),
        keys(cache("keys", CacheLayout::Keys, 1, 48, CacheElement::q8_0)) {}
  Cache keys;
};

TEST(Errors, CachesOfBlocksHaveWholeOnes) {
  NarrowCache model;
  Entry entry{"f", [&](Arguments &in) -> Results {
                return {{"y", in.tensor("x", {4})}};
              }};
  absl::StatusOr<TracedProgram> program = trace(model, {entry});
  ASSERT_FALSE(program.ok());
  EXPECT_THAT(std::string(program.status().message()),
              HasSubstr("cache expects a width of whole blocks of 32 elements "
                        "of q8_0 for 'keys', got 48"));
}

struct OneWeight : Module {
  OneWeight() : Module(nullptr, "model"), w(param("w", {4, 8})) {}
  Tensor w;
};

Entry linearEntry(const OneWeight &model) {
  return {"f", [&](Arguments &in) -> Results {
            return {{"y", linear(in.tensor("x", {T, 8}), model.w)}};
          }};
}

TEST(Errors, WeightsThatAreMissingOrMisshapen) {
  OneWeight model;
  TraceOptions options;
  ParameterTypes types = {{"other", {base::ElementType::F32, {4, 8}}}};
  options.types = &types;
  auto missing = trace(model, {linearEntry(model)}, options);
  EXPECT_THAT(std::string(missing.status().message()),
              HasSubstr("expects the weights to have 'w', for the parameter "
                        "'w', got none"));
  types = {{"w", {base::ElementType::F32, {8, 4}}}};
  auto misshapen = trace(model, {linearEntry(model)}, options);
  EXPECT_THAT(std::string(misshapen.status().message()),
              HasSubstr("expects 'w' of shape [4, 8] for the parameter 'w', "
                        "got [8, 4]"));
}

TEST(Errors, ParametersOutsideOfATrace) {
  OneWeight model;
  Tensor early = linear(model.w, model.w);
  EXPECT_TRUE(early.isPoisoned());
  auto program = trace(model, {linearEntry(model)});
  EXPECT_THAT(std::string(program.status().message()),
              HasSubstr("matmul expects to be called while the entries of its "
                        "model are traced"));
}

TEST(Errors, TensorsDoNotOutliveTheirEntry) {
  Empty model;
  Tensor kept;
  Entry first{"first", [&](Arguments &in) -> Results {
                kept = in.tensor("x", {4});
                return {{"y", kept}};
              }};
  Entry second{"second", [&](Arguments &in) -> Results {
                 return {{"y", in.tensor("x", {4}) + kept}};
               }};
  auto program = trace(model, {first, second});
  EXPECT_THAT(std::string(program.status().message()),
              HasSubstr("expects a tensor of the entry being traced, got one "
                        "kept from another entry"));
}
} // namespace
} // namespace tenon::tests
