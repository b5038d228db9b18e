//===- ExpertsTest.cpp - Layers of experts --------------------------------===//

#include "frontend/Tenon.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace tenon {
namespace {

constexpr int64_t kWidth = 6, kHidden = 5, kExperts = 4, kPerToken = 2;

using Numbers = std::vector<float>;

struct Layer : Module {
  explicit Layer(const ExpertsOptions &options)
      : Module(nullptr, "layer"), experts(this, "experts", options) {}
  Experts experts;
};

ExpertsOptions small() {
  return {.width = kWidth,
          .hidden = kHidden,
          .experts = kExperts,
          .perToken = kPerToken};
}

Numbers drawn(int64_t count, float from) {
  Numbers values;
  for (int64_t i = 0; i < count; ++i)
    values.push_back(std::sin(from + 1.7f * static_cast<float>(i)));
  return values;
}

/// x [from's columns] times rows of `w` [n, columns] from element `start` on.
std::vector<double> times(const Numbers &w, int64_t start, int64_t n,
                          const std::vector<double> &x) {
  std::vector<double> y(n);
  for (int64_t i = 0; i < n; ++i)
    for (size_t k = 0; k < x.size(); ++k)
      y[i] += w[start + i * x.size() + k] * x[k];
  return y;
}

Numbers valuesOf(const Weights &weights, const std::string &name) {
  std::span<const uint8_t> bytes = weights.find(name)->bytes;
  Numbers values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

/// What one expert, or the shared part, makes of a token.
std::vector<double> feedForward(const Weights &weights, const std::string &part,
                                int64_t expert, int64_t hidden,
                                const std::vector<double> &x) {
  int64_t start = expert * hidden * kWidth;
  auto gate = times(valuesOf(weights, part + "gate.weight"), start, hidden, x);
  auto up = times(valuesOf(weights, part + "up.weight"), start, hidden, x);
  for (int64_t i = 0; i < hidden; ++i)
    up[i] *= gate[i] / (1 + std::exp(-gate[i]));
  return times(valuesOf(weights, part + "down.weight"), start, kWidth, up);
}

/// The layer of options `bias`, sigmoid, normalised, in double.
std::vector<double> expected(const Weights &weights,
                             const std::vector<double> &x) {
  std::vector<double> logits =
      times(valuesOf(weights, "experts.router.weight"), 0, kExperts, x);
  Numbers bias = valuesOf(weights, "experts.router.bias");
  std::vector<double> scores, choice;
  for (int64_t e = 0; e < kExperts; ++e) {
    scores.push_back(1 / (1 + std::exp(-logits[e])));
    choice.push_back(scores[e] + bias[e]);
  }
  std::vector<int64_t> order(kExperts);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](int64_t i, int64_t j) { return choice[i] > choice[j]; });
  std::vector<double> y =
      feedForward(weights, "experts.shared.", 0, kHidden, x);
  for (int64_t k = 0; k < kPerToken; ++k) {
    double weight =
        2.5 * scores[order[k]] / (scores[order[0]] + scores[order[1]]);
    auto part = feedForward(weights, "experts.", order[k], kHidden, x);
    for (int64_t d = 0; d < kWidth; ++d)
      y[d] += weight * part[d];
  }
  return y;
}

TEST(Experts, EqualTheirDefinitionForEveryNumberOfTokens) {
  ExpertsOptions options = small();
  options.scoring = Scoring::Sigmoid;
  options.normalize = options.bias = true;
  options.scale = 2.5;
  options.shared = kHidden;
  Layer model(options);
  Entry run{"run", [&](Arguments &in) -> Results {
              Tensor x = in.tensor("x", {Dim::symbol("T", 1, 600), kWidth});
              Routing routing = model.experts.route(x);
              return {{"y", model.experts.apply(x, routing)},
                      {"experts", routing.experts},
                      {"weights", routing.weights}};
            }};
  auto program = trace(model, {run});
  ASSERT_TRUE(program.ok()) << program.status();
  auto weights = Weights::random(*program, /*seed=*/5);
  auto session = Session::open(*program, *weights);
  ASSERT_TRUE(session.ok()) << session.status();
  for (int64_t tokens : {1, 2, 7, 64, 513}) {
    Numbers x = drawn(tokens * kWidth, 0.4f);
    Arrays in = {{"x", Array::of(x, {tokens, kWidth})}};
    auto out = (*session)->call("run", in);
    ASSERT_TRUE(out.ok()) << out.status();
    auto y = out->at("y").values<float>();
    for (int64_t t : {int64_t(0), tokens / 2, tokens - 1}) {
      std::vector<double> token(x.begin() + t * kWidth,
                                x.begin() + (t + 1) * kWidth);
      std::vector<double> exact = expected(*weights, token);
      for (int64_t d = 0; d < kWidth; ++d)
        EXPECT_NEAR(y[t * kWidth + d], exact[d], 1e-4) << tokens << " " << t;
    }
  }
}

TEST(Experts, ComputeWithAnEarlierCallsRouting) {
  Layer model(small());
  Entry run{"run", [&](Arguments &in) -> Results {
              Tensor x = in.tensor("x", {Dim::symbol("T", 1, 16), kWidth});
              Routing routing = model.experts.route(x);
              return {{"y", model.experts.apply(x, routing)},
                      {"experts", routing.experts},
                      {"weights", routing.weights}};
            }};
  Entry again{"again", [&](Arguments &in) -> Results {
                Dim tokens = Dim::symbol("T", 1, 16);
                Tensor x = in.tensor("x", {tokens, kWidth});
                Routing routing = {
                    in.tensor("weights", {tokens, kPerToken}),
                    in.tensor("experts", {tokens, kPerToken}, i32)};
                return {{"y", model.experts.apply(x, routing)}};
              }};
  auto program = trace(model, {run, again});
  ASSERT_TRUE(program.ok()) << program.status();
  auto weights = Weights::random(*program, /*seed=*/5);
  auto session = Session::open(*program, *weights);
  ASSERT_TRUE(session.ok()) << session.status();
  Arrays in = {{"x", Array::of(drawn(5 * kWidth, 1), {5, kWidth})}};
  auto first = (*session)->call("run", in);
  ASSERT_TRUE(first.ok()) << first.status();
  in.insert({"weights", first->at("weights")});
  in.insert({"experts", first->at("experts")});
  auto second = (*session)->call("again", in);
  ASSERT_TRUE(second.ok()) << second.status();
  auto y = first->at("y").values<float>(), z = second->at("y").values<float>();
  EXPECT_TRUE(std::equal(y.begin(), y.end(), z.begin(), z.end()));
}

TEST(Experts, AreTrainedWithTheirRouter) {
  ExpertsOptions options = small();
  options.normalize = true;
  options.shared = kHidden;
  Layer model(options);
  AdamW optimizer(&model, "adamw", model.parameters(), {.decay = 0});
  Entry train{"train", [&](Arguments &in) -> Results {
                Dim tokens = Dim::symbol("T", 1, 64);
                Tensor x = in.tensor("x", {tokens, kWidth});
                Tensor target = in.tensor("target", {tokens, kWidth});
                LossAndGradients made = lossAndGradients(
                    model,
                    [&] {
                      Tensor error = model.experts(x) - target;
                      Tensor each = squeeze(sum(error * error), -1); // [T]
                      return squeeze(sum(each), 0);
                    },
                    tensorsOf(model.parameters()));
                Tensor rate = in.tensor("rate", {});
                optimizer.step(made.gradients, rate, fullLike(rate, 1, f32));
                return {{"loss", made.loss}};
              }};
  TraceOptions traced;
  traced.trained = [](std::string_view) { return true; };
  auto program = trace(model, {train}, traced);
  ASSERT_TRUE(program.ok()) << program.status();
  auto weights = Weights::random(*program, /*seed=*/5);
  auto session = Session::open(*program, *weights);
  ASSERT_TRUE(session.ok()) << session.status();
  constexpr int64_t kTokens = 24;
  Arrays in = {
      {"x", Array::of(drawn(kTokens * kWidth, 1), {kTokens, kWidth})},
      {"target", Array::of(drawn(kTokens * kWidth, 9), {kTokens, kWidth})},
      {"rate", Array::of(Numbers{0.02f}, {})}};
  auto router = [&] {
    Array read = *(*session)->read("experts.router.weight");
    return Numbers(read.values<float>().begin(), read.values<float>().end());
  };
  Numbers before = router();
  float first = 0, last = 0;
  for (int step = 0; step < 200; ++step) {
    auto results = (*session)->call("train", in);
    ASSERT_TRUE(results.ok()) << results.status();
    last = results->at("loss").values<float>()[0];
    first = step == 0 ? last : first;
  }
  EXPECT_LT(last, first / 2);
  EXPECT_NE(router(), before);
}

TEST(Experts, SayWhichNumbersDoNotFit) {
  ExpertsOptions options = small();
  options.perToken = 5;
  Layer model(options);
  Entry run{"run", [&](Arguments &in) -> Results {
              return {{"y", model.experts(in.tensor("x", {3, kWidth}))}};
            }};
  auto program = trace(model, {run});
  ASSERT_FALSE(program.ok());
  EXPECT_NE(program.status().message().find(
                "expects k from 1 to the experts of the kept groups, 4, got 5"),
            std::string_view::npos)
      << program.status();
}

} // namespace
} // namespace tenon
