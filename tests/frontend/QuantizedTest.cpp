//===- QuantizedTest.cpp - Products of rows in 8 bits ---------------------===//

#include "frontend/session/Session.h"
#include "tests/frontend/Fixture.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace tenon::tests {
namespace {

constexpr int64_t kRows = 5, kColumns = 33, kDepth = 70;

struct Int8Linear : Module {
  Int8Linear() : Module(nullptr, "model") {}
  Entry entry() const {
    return {"f", [](Arguments &in) -> Results {
              Tensor x = in.tensor("x", {Dim::symbol("T", 1, 64), kDepth});
              Tensor w = in.tensor("w", {kColumns, kDepth}, i8);
              Tensor scales = in.tensor("scales", {kColumns});
              QuantizedRows rows = quantizeRows(x);
              return {{"y", linearInt8(x, w, scales)},
                      {"values", rows.values},
                      {"rowScales", rows.scales}};
            }};
  }
};

/// What one row gives, by hand.
std::vector<float> expectedRow(std::span<const float> x,
                               std::span<const int8_t> w,
                               std::span<const float> scales) {
  float most = 0;
  for (float value : x)
    most = std::max(most, std::fabs(value));
  float scale = most / 127;
  std::vector<float> y;
  for (int64_t n = 0; n < kColumns; ++n) {
    int32_t sum = 0;
    for (int64_t k = 0; k < kDepth; ++k)
      sum += static_cast<int32_t>(std::nearbyint(x[k] / scale)) *
             w[n * kDepth + k];
    y.push_back(static_cast<float>(sum) * scale * scales[n]);
  }
  return y;
}

class Quantized : public ::testing::Test {
protected:
  Quantized() : x(kRows * kDepth), w(kColumns * kDepth), scales(kColumns) {
    std::mt19937 random(7);
    std::normal_distribution<float> normal;
    std::ranges::generate(x, [&] { return normal(random); });
    std::ranges::generate(w, [&] { return static_cast<int8_t>(random()); });
    std::ranges::generate(scales, [&] { return std::fabs(normal(random)); });
  }

  Arrays run() {
    Int8Linear model;
    auto program = trace(model, {model.entry()});
    EXPECT_TRUE(program.ok()) << program.status();
    auto session = Session::open(*program, Weights());
    EXPECT_TRUE(session.ok()) << session.status();
    auto out =
        (*session)->call("f", {{"x", Array::of(x, {kRows, kDepth})},
                               {"w", Array::of(w, {kColumns, kDepth})},
                               {"scales", Array::of(scales, {kColumns})}});
    EXPECT_TRUE(out.ok()) << out.status();
    return *std::move(out);
  }

  std::vector<float> x;
  std::vector<int8_t> w;
  std::vector<float> scales;
};

TEST_F(Quantized, ProductsAreSumsOfIntegers) {
  Arrays out = run();
  std::span<const float> y = out.at("y").values<float>();
  for (int64_t row = 0; row < kRows; ++row) {
    std::vector<float> expected =
        expectedRow(std::span(x).subspan(row * kDepth, kDepth), w, scales);
    for (int64_t n = 0; n < kColumns; ++n)
      EXPECT_EQ(y[row * kColumns + n], expected[n]) << row << ", " << n;
  }
}

TEST_F(Quantized, RowsThatAreNoNumbersStayNone) {
  std::fill_n(x.begin(), kDepth, 0.0f); // row 0
  x[kDepth + 3] = std::nanf("");        // row 1
  x[2 * kDepth + 69] = INFINITY;        // row 2
  Arrays out = run();
  std::span<const float> y = out.at("y").values<float>();
  std::span<const int8_t> values = out.at("values").values<int8_t>();
  for (int64_t n = 0; n < kColumns; ++n) {
    EXPECT_EQ(y[n], 0);
    EXPECT_TRUE(std::isnan(y[kColumns + n]));
    EXPECT_FALSE(std::isfinite(y[2 * kColumns + n]));
    EXPECT_TRUE(std::isfinite(y[3 * kColumns + n]));
  }
  EXPECT_TRUE(std::ranges::all_of(values.first(3 * kDepth),
                                  [](int8_t value) { return value == 0; }));
  EXPECT_EQ(out.at("rowScales").values<float>()[0], 0);
}

} // namespace
} // namespace tenon::tests
