//===- TrainingTest.cpp - Models that are trained -------------------------===//

#include "frontend/Tenon.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tenon {
namespace {

constexpr int64_t kRows = 3, kWidth = 5;

/// y = x w^T + b, of one output.
struct Regression : Module {
  Regression()
      : Module(nullptr, "regression"),
        line(this, "line", kWidth, 1, {.bias = true}) {}
  Tensor loss(const Tensor &x, const Tensor &target) const {
    Tensor error = squeeze(line(x), -1) - target; // [N]
    return squeeze(mean(error * error), 0);
  }
  Linear line;
};

struct Numbers {
  std::vector<double> w, b, m, v, mb, vb;
};

std::vector<float> drawn(int64_t count, float from) {
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i)
    values.push_back(std::sin(from + 1.7f * static_cast<float>(i)));
  return values;
}

/// The gradients of the loss in double.
void differentiate(const Numbers &at, const std::vector<float> &x,
                   const std::vector<float> &target, std::vector<double> &gw,
                   double &gb) {
  gw.assign(kWidth, 0);
  gb = 0;
  for (int64_t n = 0; n < kRows; ++n) {
    double error = at.b[0] - target[n];
    for (int64_t k = 0; k < kWidth; ++k)
      error += at.w[k] * x[n * kWidth + k];
    for (int64_t k = 0; k < kWidth; ++k)
      gw[k] += 2 * error * x[n * kWidth + k] / kRows;
    gb += 2 * error / kRows;
  }
}

TracedProgram
traced(Regression &model,
       const std::function<void(const std::vector<Tensor> &, const Tensor &,
                                const Tensor &)> &step) {
  Entry train{"train", [&](Arguments &in) -> Results {
                Tensor x = in.tensor("x", {kRows, kWidth});
                Tensor target = in.tensor("target", {kRows});
                Tensor rate = in.tensor("rate", {});
                LossAndGradients made = lossAndGradients(
                    model, [&] { return model.loss(x, target); },
                    tensorsOf(model.parameters()));
                Tensor norm = globalNorm(model, made.gradients);
                step(made.gradients, rate, clipScale(norm, 0.5));
                return {{"loss", made.loss}, {"norm", norm}};
              }};
  Entry evaluate{"evaluate", [&](Arguments &in) -> Results {
                   Tensor x = in.tensor("x", {kRows, kWidth});
                   Tensor target = in.tensor("target", {kRows});
                   return {{"loss", model.loss(x, target)}};
                 }};
  TraceOptions options;
  options.trained = [](std::string_view) { return true; };
  auto program = trace(model, {train, evaluate}, options);
  EXPECT_TRUE(program.ok()) << program.status();
  return *std::move(program);
}

Arrays argumentsOf(const std::vector<float> &x,
                   const std::vector<float> &target) {
  return {{"x", Array::of(x, {kRows, kWidth})},
          {"target", Array::of(target, {kRows})},
          {"rate", Array::of(std::vector<float>{0.1f}, {})}};
}

TEST(Training, AdamWEqualsItsDefinition) {
  Regression model;
  AdamW optimizer(&model, "adamw", model.parameters(),
                  {.beta1 = 0.9, .beta2 = 0.95, .epsilon = 1e-6, .decay = 0.1});
  TracedProgram program =
      traced(model, [&](const auto &gradients, const Tensor &rate,
                        const Tensor &scale) {
        optimizer.step(gradients, rate, scale);
      });
  auto weights = Weights::random(program, /*seed=*/3);
  auto session = Session::open(program, *weights);
  ASSERT_TRUE(session.ok()) << session.status();
  Numbers at;
  Array w0 = *(*session)->read("line.weight");
  Array b0 = *(*session)->read("line.bias");
  at.w.assign(w0.values<float>().begin(), w0.values<float>().end());
  at.b.assign(b0.values<float>().begin(), b0.values<float>().end());
  at.m.resize(kWidth), at.v.resize(kWidth), at.mb.resize(1), at.vb.resize(1);
  std::vector<float> x = drawn(kRows * kWidth, 0.3f), target = drawn(kRows, 2);
  Arrays arguments = argumentsOf(x, target);
  for (int t = 1; t <= 5; ++t) {
    auto results = (*session)->call("train", arguments);
    ASSERT_TRUE(results.ok()) << results.status();
    std::vector<double> gw;
    double gb, norm = 0;
    differentiate(at, x, target, gw, gb);
    gw.push_back(gb);
    for (double g : gw)
      norm += g * g;
    norm = std::sqrt(norm);
    EXPECT_NEAR(results->at("norm").values<float>()[0], norm, 1e-5);
    double c1 = 1 - std::pow(0.9, t), c2 = 1 - std::pow(0.95, t);
    auto step = [&](double &w, double &m, double &v, double g, double decay) {
      g *= std::min(1.0, 0.5 / norm);
      m = 0.9 * m + 0.1 * g;
      v = 0.95 * v + 0.05 * g * g;
      w -= 0.1 * (m / c1 / (std::sqrt(v / c2) + 1e-6) + decay * w);
    };
    for (int64_t k = 0; k < kWidth; ++k)
      step(at.w[k], at.m[k], at.v[k], gw[k], 0.1);
    step(at.b[0], at.mb[0], at.vb[0], gb, 0);
    Array w = *(*session)->read("line.weight");
    for (int64_t k = 0; k < kWidth; ++k)
      EXPECT_NEAR(w.values<float>()[k], at.w[k], 1e-5) << "step " << t;
    EXPECT_NEAR((*session)->read("line.bias")->values<float>()[0], at.b[0],
                1e-5);
  }
  // Another entry reads what was trained.
  Arrays rest = arguments;
  auto loss = (*session)->call("evaluate", rest);
  ASSERT_TRUE(loss.ok()) << loss.status();
  auto again = (*session)->call("train", arguments);
  EXPECT_EQ(loss->at("loss").values<float>()[0],
            again->at("loss").values<float>()[0]);
}

TEST(Training, SgdWithMomentumEqualsItsDefinition) {
  Regression model;
  Sgd optimizer(&model, "sgd", model.parameters(), {.momentum = 0.8});
  TracedProgram program = traced(
      model, [&](const auto &gradients, const Tensor &rate, const Tensor &) {
        Tensor one = fullLike(rate, 1, f32);
        optimizer.step(gradients, rate, one);
      });
  auto weights = Weights::random(program, /*seed=*/3);
  auto session = Session::open(program, *weights);
  ASSERT_TRUE(session.ok()) << session.status();
  // From weights of the caller's.
  ASSERT_TRUE((*session)
                  ->write("line.weight",
                          Array::of(std::vector<float>(kWidth), {1, kWidth}))
                  .ok());
  ASSERT_TRUE((*session)
                  ->write("line.bias", Array::of(std::vector<float>(1), {1}))
                  .ok());
  Numbers at;
  at.w.resize(kWidth), at.b.resize(1), at.m.resize(kWidth);
  double mb = 0;
  std::vector<float> x = drawn(kRows * kWidth, 0.3f), target = drawn(kRows, 2);
  Arrays arguments = argumentsOf(x, target);
  for (int t = 1; t <= 4; ++t) {
    auto results = (*session)->call("train", arguments);
    ASSERT_TRUE(results.ok()) << results.status();
    std::vector<double> gw;
    double gb;
    differentiate(at, x, target, gw, gb);
    for (int64_t k = 0; k < kWidth; ++k) {
      at.m[k] = 0.8 * at.m[k] + gw[k];
      at.w[k] -= 0.1 * at.m[k];
    }
    mb = 0.8 * mb + gb;
    at.b[0] -= 0.1 * mb;
    Array w = *(*session)->read("line.weight");
    for (int64_t k = 0; k < kWidth; ++k)
      EXPECT_NEAR(w.values<float>()[k], at.w[k], 1e-5) << "step " << t;
  }
}

/// A model of one weight, and a loss that is the sum of `body` of it.
struct Single : Module {
  Single()
      : Module(nullptr, "single"), w(param("w", {4})),
        other(param("other", {4})) {}
  absl::StatusOr<TracedProgram>
  gradientOf(const std::function<Tensor(const Tensor &)> &body) {
    Entry entry{"gradient", [&](Arguments &) -> Results {
                  LossAndGradients made = lossAndGradients(
                      *this, [&] { return squeeze(sum(body(w)), 0); }, {w});
                  return {{"gradient", made.gradients[0]}};
                }};
    return trace(*this, {entry});
  }
  Tensor w, other;
};

TEST(Training, TakesTheAdjointThatIsGiven) {
  Single model;
  auto program = model.gradientOf([&](const Tensor &w) {
    return withAdjoint(
        model, {w},
        [](const std::vector<Tensor> &in) { return roundEven(in[0]); },
        [](const std::vector<Tensor> &in, const Tensor &y,
           const Tensor &gradient) {
          return std::vector<Tensor>{gradient * y + in[0]};
        });
  });
  ASSERT_TRUE(program.ok()) << program.status();
  auto weights = Weights::random(*program, /*seed=*/3);
  auto session = Session::open(*program, *weights);
  ASSERT_TRUE(session.ok()) << session.status();
  auto results = (*session)->call("gradient", {});
  ASSERT_TRUE(results.ok()) << results.status();
  const Weights::View *w = weights->find("w");
  for (int i = 0; i < 4; ++i) {
    float value = reinterpret_cast<const float *>(w->bytes.data())[i];
    EXPECT_EQ(results->at("gradient").values<float>()[i],
              std::nearbyint(value) + value);
  }
}

TEST(Training, HandsTheAdjointWhatWasKept) {
  Single model;
  auto program = model.gradientOf([&](const Tensor &w) {
    return withAdjoint(
        model, {w},
        [&](const std::vector<Tensor> &in) { return in[0] * model.other; },
        [&](const std::vector<Tensor> &in) -> Kept {
          return {in[0] * model.other, {in[0] * 3.0}};
        },
        [&](const std::vector<Tensor> &, const Kept &kept,
            const Tensor &gradient) {
          return std::vector{gradient * kept.others[0] + model.other};
        });
  });
  ASSERT_TRUE(program.ok()) << program.status();
  auto weights = Weights::random(*program, /*seed=*/3);
  auto session = Session::open(*program, *weights);
  ASSERT_TRUE(session.ok()) << session.status();
  auto results = (*session)->call("gradient", {});
  ASSERT_TRUE(results.ok()) << results.status();
  auto valueOf = [&](const char *name, int i) {
    const Weights::View *view = weights->find(name);
    return reinterpret_cast<const float *>(view->bytes.data())[i];
  };
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(results->at("gradient").values<float>()[i],
              3 * valueOf("w", i) + valueOf("other", i));
}

TEST(Training, SaysWhatAnAdjointLacks) {
  Single model;
  Tensor beside;
  auto errorOf = [&](const Forwards &forward, const Backwards &adjoint) {
    auto program = model.gradientOf([&](const Tensor &w) {
      beside = exp(w);
      return withAdjoint(model, {w}, forward, adjoint);
    });
    return std::string(program.status().message());
  };
  Forwards same = [](const std::vector<Tensor> &in) { return abs(in[0]); };
  EXPECT_NE(errorOf(same, [](const auto &, const Tensor &,
                             const Tensor &) { return std::vector<Tensor>(); })
                .find("a gradient of each input's shape"),
            std::string::npos);
  EXPECT_NE(
      errorOf([&](const std::vector<Tensor> &in) { return in[0] + beside; },
              [](const auto &, const Tensor &, const Tensor &gradient) {
                return std::vector<Tensor>{gradient};
              })
          .find("a function of its inputs, each given once, and of weights"),
      std::string::npos);
}

TEST(Training, SaysWhatCannotBeAssigned) {
  Regression model;
  Entry train{"train", [&](Arguments &in) -> Results {
                Tensor rate = in.tensor("rate", {});
                assign(model.parameters()[0].tensor, rate);
                assign(rate, rate);
                return {{"rate", rate}};
              }};
  auto program = trace(model, {train});
  ASSERT_FALSE(program.ok());
  EXPECT_NE(program.status().message().find(
                "got the weight 'line.weight', which TraceOptions::trained "
                "does not name"),
            std::string::npos)
      << program.status();
  EXPECT_NE(program.status().message().find(
                "got a tensor that lives in this call alone"),
            std::string::npos);
}

TEST(Training, SaysWhichStatesThereAre) {
  Regression model;
  Sgd optimizer(&model, "sgd", model.parameters(), {});
  TracedProgram program =
      traced(model, [&](const auto &gradients, const Tensor &rate,
                        const Tensor &scale) {
        optimizer.step(gradients, rate, scale);
      });
  auto weights = Weights::random(program, /*seed=*/3);
  auto session = Session::open(program, *weights);
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_EQ((*session)->read("line").status().code(),
            absl::StatusCode::kNotFound);
  absl::Status wrong =
      (*session)->write("line.bias", Array::of(std::vector<float>(2), {2}));
  EXPECT_EQ(wrong.message(), "'line.bias' expects f32 [1], got f32 [2]");
}

} // namespace
} // namespace tenon
