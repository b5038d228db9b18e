//===- BalanceTest.cpp - Experts that are used alike ----------------------===//

#include "frontend/dsl/Balance.h"
#include "frontend/Tenon.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tenon {
namespace {

constexpr int64_t kWidth = 6, kExperts = 4, kPerToken = 2, kTokens = 40;
using Numbers = std::vector<float>;

struct Layer : Module {
  explicit Layer(bool hasBias)
      : Module(nullptr, "layer"), experts(this, "experts",
                                          {.width = kWidth,
                                           .hidden = 5,
                                           .experts = kExperts,
                                           .perToken = kPerToken,
                                           .scoring = Scoring::Sigmoid,
                                           .normalize = true,
                                           .bias = hasBias}) {}
  Experts experts;
};

/// Tokens, in three sequences, and a router that likes the first experts.
struct Case {
  Numbers x, router;
  std::vector<int32_t> sequences;

  Case() {
    for (int64_t i = 0; i < kTokens * kWidth; ++i)
      x.push_back(std::sin(1.3f * static_cast<float>(i)) + 0.5f);
    for (int64_t i = 0; i < kExperts * kWidth; ++i)
      router.push_back(0.3f * std::cos(2.1f * static_cast<float>(i)) +
                       (i < 2 * kWidth ? 0.3f : 0.0f));
    for (int64_t t = 0; t < kTokens; ++t)
      sequences.push_back(t < 7 ? 0 : t < 20 ? 1 : 2);
  }
};

/// The layer's step: its loss is a plain sum, which balancing does not touch.
class Balanced {
public:
  Balanced(const BalanceOptions &options, bool hasBias) : model(hasBias) {
    balance.emplace(model, options);
    Entry step{"step", [&, options](Arguments &arguments) {
                 return trained(arguments, options.hasCapacity, hasBias);
               }};
    TraceOptions tracing;
    tracing.trained = [](std::string_view) { return true; };
    auto program = trace(model, {step}, tracing);
    EXPECT_TRUE(program.ok()) << program.status();
    auto weights = Weights::random(*program, /*seed=*/3);
    auto opened = Session::open(*program, *weights);
    EXPECT_TRUE(opened.ok()) << opened.status();
    session = *std::move(opened);
    EXPECT_TRUE(session
                    ->write("experts.router.weight",
                            Array::of(in.router, {kExperts, kWidth}))
                    .ok());
    if (hasBias)
      EXPECT_TRUE(session
                      ->write("experts.router.bias",
                              Array::of(Numbers(kExperts, 0), {kExperts}))
                      .ok());
  }

  Arrays step(float rate = 0, float capacity = 1) {
    auto number = [](float value) { return Array::of(Numbers{value}, {}); };
    Arrays arguments = {{"x", Array::of(in.x, {kTokens, kWidth})},
                        {"sequences", Array::of(in.sequences, {kTokens})},
                        {"rate", number(rate)},
                        {"capacity", number(capacity)}};
    auto results = session->call("step", arguments);
    EXPECT_TRUE(results.ok()) << results.status();
    return results.ok() ? *results : Arrays();
  }
  Numbers values(const char *name) {
    auto array = session->read(name);
    EXPECT_TRUE(array.ok()) << array.status();
    auto held = array->values<float>();
    return Numbers(held.begin(), held.end());
  }

  Case in;
  std::unique_ptr<Session> session;

private:
  Results trained(Arguments &arguments, bool hasCapacity, bool hasBias) {
    Dim T = Dim::symbol("T", 1, 64);
    Tensor x = arguments.tensor("x", {T, kWidth});
    Tensor rate = arguments.tensor("rate", {});
    BalancedCall call{arguments.tensor("sequences", {T}, i32), 3,
                      fullLike(rate, 2, f32), arguments.tensor("capacity", {})};
    if (!hasCapacity)
      call.capacity = Tensor();
    balance->begin(call);
    std::vector<NamedTensor> weights = model.parameters();
    std::erase_if(weights, [](const NamedTensor &each) {
      return each.name != "experts.router.weight";
    });
    std::vector<Tensor> of = tensorsOf(weights);
    of.push_back(balance->probes()[0].tensor);
    LossAndGradients made = lossAndGradients(
        model,
        [&] {
          Tensor y = model.experts(x);
          return squeeze(sum(squeeze(sum(y, -1), -1), 0), 0);
        },
        of);
    balance->end();
    if (hasBias)
      balance->update({made.gradients[1]}, rate);
    return {{"loss", made.loss},
            {"router", made.gradients[0]},
            {"load", made.gradients[1]}};
  }

  Layer model;
  std::optional<Balance> balance;
};

/// Scores, and the experts that a token chooses, of a router in double.
struct Router {
  Router(const Case &in, const std::vector<double> &weight) {
    for (int64_t t = 0; t < kTokens; ++t) {
      std::vector<double> own(kExperts, 0);
      for (int64_t e = 0; e < kExperts; ++e)
        for (int64_t d = 0; d < kWidth; ++d)
          own[e] += in.x[t * kWidth + d] * weight[e * kWidth + d];
      logits.push_back(own);
      std::vector<int64_t> order(kExperts);
      std::iota(order.begin(), order.end(), 0);
      std::sort(order.begin(), order.end(),
                [&](int64_t i, int64_t j) { return own[i] > own[j]; });
      order.resize(kPerToken);
      chosen.push_back(order);
    }
  }
  std::vector<std::vector<double>> logits;
  std::vector<std::vector<int64_t>> chosen;
};

double sequenceLoss(const Case &in, const Router &router) {
  double loss = 0;
  for (int32_t s = 0; s < 3; ++s) {
    std::vector<double> f(kExperts, 0), p(kExperts, 0);
    auto tokens = static_cast<double>(
        std::count(in.sequences.begin(), in.sequences.end(), s));
    for (int64_t t = 0; t < kTokens; ++t) {
      if (in.sequences[t] != s)
        continue;
      double sum = 0;
      for (double logit : router.logits[t])
        sum += 1 / (1 + std::exp(-logit));
      for (int64_t e = 0; e < kExperts; ++e)
        p[e] += 1 / (1 + std::exp(-router.logits[t][e])) / sum / tokens;
      for (int64_t e : router.chosen[t])
        f[e] += static_cast<double>(kExperts) / kPerToken / tokens;
    }
    for (int64_t e = 0; e < kExperts; ++e)
      loss += f[e] * p[e] / 3;
  }
  return loss;
}

double zLoss(const Router &router) {
  double loss = 0;
  for (const std::vector<double> &logits : router.logits) {
    double sum = 0;
    for (double logit : logits)
      sum += std::exp(logit);
    loss += std::log(sum) * std::log(sum) / kTokens;
  }
  return loss;
}

TEST(Balance, CountsWhatIsChosen) {
  Balanced plain({}, /*hasBias=*/false);
  Arrays results = plain.step();
  auto load = results.at("load").values<float>();
  std::vector<double> weight(plain.in.router.begin(), plain.in.router.end());
  Router router(plain.in, weight);
  Numbers expected(kExperts + 1, 0); // none is beyond a capacity
  for (const auto &chosen : router.chosen)
    for (int64_t e : chosen)
      ++expected[e];
  EXPECT_EQ(Numbers(load.begin(), load.end()), expected);
}

TEST(Balance, LossesAreTheFormulasAndLeaveTheLoss) {
  Balanced plain({}, false);
  Balanced balanced({.sequenceLoss = 0.3, .zLoss = 0.2}, false);
  Arrays without = plain.step(), with = balanced.step();
  EXPECT_EQ(without.at("loss").values<float>()[0],
            with.at("loss").values<float>()[0]);
  std::vector<double> weight(plain.in.router.begin(), plain.in.router.end());
  Router chosen(plain.in, weight);
  for (size_t i = 0; i < weight.size(); ++i) {
    constexpr double kStep = 1e-6;
    auto lossAt = [&](double change) {
      std::vector<double> other = weight;
      other[i] += change;
      Router router(plain.in, other);
      router.chosen = chosen.chosen; // which has no gradient
      return 0.3 * sequenceLoss(plain.in, router) + 0.2 * zLoss(router);
    };
    double slope = (lossAt(kStep) - lossAt(-kStep)) / (2 * kStep);
    double added = static_cast<double>(with.at("router").values<float>()[i]) -
                   without.at("router").values<float>()[i];
    EXPECT_NEAR(added, 2 * slope, 2e-4) << i; // of a weight of 2
  }
}

TEST(Balance, BiasesEvenOutTheLoad) {
  Balanced balanced({}, /*hasBias=*/true);
  auto spread = [&](float rate) {
    Arrays results = balanced.step(rate);
    auto load = results.at("load").values<float>().first(kExperts);
    return std::ranges::max(load) - std::ranges::min(load);
  };
  float before = spread(0);
  EXPECT_EQ(balanced.values("experts.router.bias"), Numbers(kExperts, 0));
  spread(0.25f);
  for (float bias : balanced.values("experts.router.bias"))
    EXPECT_TRUE(std::abs(bias) == 0.25f || bias == 0);
  for (int step = 0; step < 60; ++step)
    spread(0.01f);
  EXPECT_GT(before, 20);
  EXPECT_LT(spread(0), 6);
}

TEST(Balance, CapacityDropsTheLastChoices) {
  Balanced dropped({.hasCapacity = true}, false), plain({}, false);
  Arrays all = dropped.step(0, /*capacity=*/4), whole = plain.step();
  EXPECT_EQ(all.at("loss").values<float>()[0],
            whole.at("loss").values<float>()[0]);
  EXPECT_EQ(all.at("load").values<float>()[kExperts], 0);
  Arrays few = dropped.step(0, /*capacity=*/0.5f);
  auto load = few.at("load").values<float>();
  float beyond = 0;
  for (float count : load.first(kExperts))
    beyond += std::max(count - 0.5f * kTokens * kPerToken / kExperts, 0.0f);
  EXPECT_EQ(load[kExperts], beyond);
  EXPECT_NE(few.at("loss").values<float>()[0],
            whole.at("loss").values<float>()[0]);
}

} // namespace
} // namespace tenon
