//===- Gpt2TrainingTest.cpp - A small GPT-2 is trained --------------------===//

#include "frontend/Tenon.h"
#include "models/gpt2/Model.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tenon::models::gpt2 {
namespace {

constexpr int64_t kVocabulary = 61, kTokens = 150;

Config smallConfig() {
  return {.vocabulary = kVocabulary,
          .context = 100,
          .layers = 2,
          .heads = 2,
          .width = 32};
}

/// The arguments of a step on two sequences, of 100 and 50 tokens.
struct Step {
  Tensor tokens, targets, shares, rate;
  Batch batch;
  explicit Step(Arguments &in) {
    Dim T = Dim::symbol("T", 1, 256), S = Dim::symbol("S", 1, 4),
        P = Dim::symbol("P", 1, 2);
    tokens = in.tensor("tokens", {T}, i32);
    batch = in.batch("batch", T, S, P);
    targets = in.tensor("targets", {T}, i32);
    shares = in.tensor("shares", {T});
    rate = in.tensor("rate", {});
  }
};

Tensor lossOf(const Model &model, const Step &in) {
  Tensor losses = crossEntropy(model(in.tokens, in.batch), in.targets);
  return squeeze(sum(losses * in.shares, 0), 0);
}

/// Token n of a sequence that repeats itself.
int32_t tokenAt(int64_t n) { return static_cast<int32_t>(n * n % 11 + n % 3); }

Arrays argumentsOf(float rate) {
  std::vector<int32_t> tokens, targets, sequence, position;
  for (int64_t t = 0; t < kTokens; ++t) {
    int32_t s = t < 100 ? 0 : 1;
    int64_t n = t - 100 * s;
    tokens.push_back(tokenAt(n));
    targets.push_back(tokenAt(n + 1));
    sequence.push_back(s);
    position.push_back(static_cast<int32_t>(n));
  }
  std::vector<float> shares(kTokens, 1.0f / kTokens);
  return {{"tokens", Array::of(tokens, {kTokens})},
          {"batch.sequence", Array::of(sequence, {kTokens})},
          {"batch.position", Array::of(position, {kTokens})},
          {"batch.pages", Array::of(std::vector<int32_t>{0, 1}, {2, 1})},
          {"targets", Array::of(targets, {kTokens})},
          {"shares", Array::of(shares, {kTokens})},
          {"rate", Array::of(std::vector<float>{rate}, {})}};
}

class Gpt2Training : public ::testing::Test {
protected:
  void open(uint32_t threads, DType compute = f32) {
    model.emplace(smallConfig());
    optimizer.emplace(&*model, "adamw", model->parameters(),
                      AdamW::Options{.beta2 = 0.99, .decay = 0.01});
    Entry train{"train", [&](Arguments &arguments) -> Results {
                  Step in(arguments);
                  LossAndGradients made = lossAndGradients(
                      *model, [&] { return lossOf(*model, in); },
                      tensorsOf(model->parameters()));
                  Tensor norm = globalNorm(*model, made.gradients);
                  optimizer->step(made.gradients, in.rate,
                                  clipScale(norm, 1.0));
                  return {{"loss", made.loss}, {"norm", norm}};
                }};
    Entry evaluate{"evaluate", [&](Arguments &arguments) -> Results {
                     Step in(arguments);
                     return {{"loss", lossOf(*model, in)}};
                   }};
    // The gradient of sum(logits * probe) in the probe is the logits that the
    // forward half of a step computes.
    Entry forward{"training_logits", [&](Arguments &arguments) -> Results {
                    Step in(arguments);
                    Tensor probe = arguments.tensor(
                        "probe", {Dim::symbol("T", 1, 256), kVocabulary});
                    std::vector<Tensor> of = tensorsOf(model->parameters());
                    of.push_back(probe);
                    LossAndGradients made = lossAndGradients(
                        *model,
                        [&] {
                          Tensor logits = (*model)(in.tokens, in.batch);
                          Tensor losses = crossEntropy(logits, in.targets);
                          Tensor all = squeeze(sum(logits * probe), -1);
                          return squeeze(sum(losses * in.shares + all, 0), 0);
                        },
                        of);
                    Tensor logits = made.gradients.back();
                    made.gradients.pop_back();
                    return {{"logits", logits},
                            {"norm", globalNorm(*model, made.gradients)}};
                  }};
    Entry infer{"logits", [&](Arguments &arguments) -> Results {
                  Step in(arguments);
                  return {{"logits", (*model)(in.tokens, in.batch)}};
                }};
    TraceOptions options;
    options.trained = [](std::string_view) { return true; };
    options.compute = compute;
    auto program = trace(*model, {train, evaluate, forward, infer}, options);
    ASSERT_TRUE(program.ok()) << program.status();
    auto weights = Weights::random(*program, /*seed=*/3);
    SessionOptions limits;
    limits.threads = threads;
    limits.pages = 2;
    auto opened = Session::open(*program, *weights, limits);
    ASSERT_TRUE(opened.ok()) << opened.status();
    session = *std::move(opened);
  }

  float call(const char *entry, const Arrays &arguments) {
    auto results = session->call(entry, arguments);
    EXPECT_TRUE(results.ok()) << results.status();
    return results.ok() ? results->at("loss").values<float>()[0] : NAN;
  }

  std::optional<Model> model;
  std::optional<AdamW> optimizer;
  std::unique_ptr<Session> session;
};

TEST_F(Gpt2Training, LearnsAText) {
  open(/*threads=*/1);
  Arrays arguments = argumentsOf(0.01f);
  float first = call("train", arguments), last = first;
  for (int step = 0; step < 40; ++step)
    last = call("train", arguments);
  EXPECT_GT(first, 2.5f);
  EXPECT_LT(last, 0.3f);
}

// bf16 has 8 bits, in products alone: losses are near those of f32 while
// rounding has not been amplified by many steps, and end as low.
TEST_F(Gpt2Training, LearnsInBf16) {
  std::vector<float> losses;
  for (DType compute : {f32, bf16}) {
    open(/*threads=*/1, compute);
    Arrays arguments = argumentsOf(0.01f);
    for (int step = 0; step < 41; ++step)
      losses.push_back(call("train", arguments));
  }
  for (int step = 0; step < 10; ++step)
    EXPECT_NEAR(losses[step], losses[41 + step], 0.01f * losses[step])
        << "step " << step;
  EXPECT_NE(losses[0], losses[41]);
  EXPECT_LT(losses[81], 0.3f);
}

TEST_F(Gpt2Training, DoesNotDependOnThreads) {
  std::vector<float> losses;
  for (uint32_t threads : {1, 2}) {
    open(threads);
    Arrays arguments = argumentsOf(0.01f);
    for (int step = 0; step < 4; ++step)
      losses.push_back(call("train", arguments));
  }
  for (int step = 0; step < 4; ++step)
    EXPECT_EQ(losses[step], losses[4 + step]) << "step " << step;
}

// What a step computes forward, through no cache, has the bits of inference.
TEST_F(Gpt2Training, HasTheBitsOfInference) {
  for (DType compute : {f32, bf16}) {
    open(/*threads=*/1, compute);
    Arrays arguments = argumentsOf(0.0f);
    for (int64_t token : {0, 1, 63, 64, 99, 100, 149}) {
      std::vector<float> shares(kTokens, 0);
      shares[token] = 1;
      arguments["shares"] = Array::of(shares, {kTokens});
      EXPECT_EQ(call("evaluate", arguments), call("train", arguments))
          << "token " << token << (compute == f32 ? ", f32" : ", bf16");
    }
  }
}

TEST_F(Gpt2Training, HasTheLogitsOfInference) {
  for (DType compute : {f32, bf16}) {
    open(/*threads=*/2, compute);
    Arrays arguments = argumentsOf(0.0f);
    auto inferred = session->call("logits", arguments);
    ASSERT_TRUE(inferred.ok()) << inferred.status();
    arguments["probe"] =
        Array::of(std::vector<float>(kTokens * kVocabulary, 0.5f),
                  {kTokens, kVocabulary});
    auto trained = session->call("training_logits", arguments);
    ASSERT_TRUE(trained.ok()) << trained.status();
    EXPECT_GT(trained->at("norm").values<float>()[0], 0);
    auto expected = inferred->at("logits").values<float>();
    auto got = trained->at("logits").values<float>();
    EXPECT_EQ(std::vector<float>(expected.begin(), expected.end()),
              std::vector<float>(got.begin(), got.end()))
        << (compute == f32 ? "f32" : "bf16");
  }
}

} // namespace
} // namespace tenon::models::gpt2
