//===- SelectedHeadsTest.cpp - Attention by some of many heads ------------===//
//
// The layer equals the sum over all heads in double, those not chosen with
// gates of zero, and its gradients the central differences of that; but it
// multiplies for the heads that are chosen alone.
//
//===----------------------------------------------------------------------===//

#include "frontend/Tenon.h"
#include "ir/tn/ExpertPlan.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tenon {
namespace {

using Numbers = std::vector<float>;
using Exact = std::vector<double>;
using Named = std::map<std::string, Exact>; // weights

struct Layer : Module {
  explicit Layer(const SelectedHeadsOptions &options)
      : Module(nullptr, "layer"), heads(this, "heads", options) {}
  SelectedHeads heads;
};

SelectedHeadsOptions small(int64_t shared) {
  return {.width = 6,
          .headWidth = 4,
          .heads = 5,
          .perToken = 2,
          .shared = shared,
          .window = {.tokens = 4, .globals = 1}};
}

Numbers drawn(int64_t count, float from) {
  Numbers values;
  for (int64_t i = 0; i < count; ++i)
    values.push_back(std::sin(from + 1.7f * static_cast<float>(i)));
  return values;
}

//===----------------------------------------------------------------------===//
// The definition
//===----------------------------------------------------------------------===//

/// Rows [row, row + rows) of w [.., columns] times x [columns].
Exact times(const Exact &w, int64_t row, int64_t rows, const Exact &x) {
  Exact y(rows);
  for (int64_t i = 0; i < rows; ++i)
    for (size_t k = 0; k < x.size(); ++k)
      y[i] += w[(row + i) * x.size() + k] * x[k];
  return y;
}

Exact softmaxOf(Exact x) {
  double highest = *std::ranges::max_element(x), sum = 0;
  for (double &each : x)
    sum += each = std::exp(each - highest);
  for (double &each : x)
    each /= sum;
  return x;
}

/// Turns the pairs (i, i + W/2) of a head, theta 1e4.
Exact turned(Exact x, int64_t position) {
  size_t half = x.size() / 2;
  for (size_t i = 0; i < half; ++i) {
    double angle = static_cast<double>(position) *
                   std::pow(1e4, -static_cast<double>(i) / double(half));
    double u = x[i], v = x[i + half];
    x[i] = u * std::cos(angle) - v * std::sin(angle);
    x[i + half] = v * std::cos(angle) + u * std::sin(angle);
  }
  return x;
}

/// The gates of all heads, of which those that are not chosen are 0.
Exact gatesOf(const SelectedHeadsOptions &o, const Named &w, const Exact &x) {
  Exact scores = softmaxOf(times(w.at("heads.router.weight"), 0, o.heads, x));
  std::vector<int64_t> order(o.heads);
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(
      order, [&](int64_t i, int64_t j) { return scores[i] > scores[j]; });
  double sum = 0;
  for (int64_t k = 0; k < o.perToken; ++k)
    sum += scores[order[k]];
  Exact gates(o.shared + o.heads), part = {0, 0.5};
  if (o.shared) {
    part = softmaxOf(times(w.at("heads.balance.weight"), 0, 2, x));
    Exact shared =
        softmaxOf(times(w.at("heads.shared_router.weight"), 0, o.shared, x));
    for (int64_t s = 0; s < o.shared; ++s)
      gates[s] = 2 * part[0] * double(o.shared) * shared[s];
  }
  for (int64_t k = 0; k < o.perToken; ++k)
    gates[o.shared + order[k]] =
        2 * part[1] * double(o.perToken) * scores[order[k]] / sum;
  return gates;
}

/// What a query gets of the keys in range, which are those of tokens 0 to t.
Exact attended(const SelectedHeadsOptions &o, const Exact &q,
               const std::vector<Exact> &keys,
               const std::vector<Exact> &values) {
  int64_t t = std::ssize(keys) - 1;
  Exact scores(keys.size(), -INFINITY), y(q.size());
  for (int64_t j = 0; j <= t; ++j)
    if (t - j < o.window.tokens || j < o.window.globals)
      scores[j] = times(keys[j], 0, 1, q)[0] / std::sqrt(double(q.size()));
  Exact p = softmaxOf(scores);
  for (int64_t j = 0; j <= t; ++j)
    for (size_t d = 0; d < y.size(); ++d)
      y[d] += p[j] * values[j][d];
  return y;
}

/// The layer on a sequence x [T, D].
Exact expected(const SelectedHeadsOptions &o, const Named &w, const Exact &x) {
  int64_t W = o.headWidth, D = o.width, T = std::ssize(x) / D;
  std::vector<Exact> keys, values;
  Exact y(x.size());
  for (int64_t t = 0; t < T; ++t) {
    Exact token(x.begin() + t * D, x.begin() + (t + 1) * D);
    keys.push_back(turned(times(w.at("heads.key.weight"), 0, W, token), t));
    values.push_back(times(w.at("heads.value.weight"), 0, W, token));
    Exact gates = gatesOf(o, w, token);
    for (int64_t h = 0; h < o.shared + o.heads; ++h) {
      Exact q = turned(times(w.at("heads.query.weight"), h * W, W, token), t);
      Exact out = times(w.at("heads.output.weight"), h * D, D,
                        attended(o, q, keys, values));
      for (int64_t d = 0; d < D; ++d)
        y[t * D + d] += gates[h] * out[d];
    }
  }
  return y;
}

//===----------------------------------------------------------------------===//
// The layer
//===----------------------------------------------------------------------===//

Named exactOf(const TracedProgram &program, const Weights &weights) {
  Named named;
  for (const TracedProgram::Weight &weight : program.weights()) {
    std::span<const uint8_t> bytes = weights.find(weight.name)->bytes;
    Numbers values(bytes.size() / sizeof(float));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    named[weight.name] = Exact(values.begin(), values.end());
  }
  return named;
}

/// Tokens of sequences: [first, last) of a position each.
struct Piece {
  int32_t sequence, first, last;
};

/// Rows of x [sequences * 64, D], token p of sequence s at 64 s + p.
Arrays callOf(const std::vector<Piece> &pieces, const Numbers &x,
              int64_t width) {
  std::vector<int32_t> sequence, position;
  Numbers rows;
  for (const Piece &piece : pieces)
    for (int32_t p = piece.first; p < piece.last; ++p) {
      sequence.push_back(piece.sequence);
      position.push_back(p);
      auto row = x.begin() + (64 * piece.sequence + p) * width;
      rows.insert(rows.end(), row, row + width);
    }
  auto tokens = static_cast<int64_t>(sequence.size());
  return {{"x", Array::of(rows, {tokens, width})},
          {"batch.sequence", Array::of(sequence, {tokens})},
          {"batch.position", Array::of(position, {tokens})},
          {"batch.pages", Array::of(std::vector<int32_t>{1, 0}, {2, 1})}};
}

Batch batchOf(Arguments &in, const Dim &tokens) {
  return in.batch("batch", tokens, Dim::symbol("S", 1, 2),
                  Dim::symbol("P", 1, 1));
}

Entry runOf(const Layer &model, const SelectedHeadsOptions &options) {
  return {"run", [&](Arguments &in) -> Results {
            Dim tokens = Dim::symbol("T", 1, 128);
            Tensor x = in.tensor("x", {tokens, options.width});
            return {{"y", model.heads(x, batchOf(in, tokens))}};
          }};
}

SessionOptions twoPages() {
  SessionOptions options;
  options.pages = 2;
  return options;
}

using Calls = std::vector<std::vector<Piece>>;

/// What calls of a fresh session make of sequence 0.
Numbers madeBy(const TracedProgram &program, const Weights &weights,
               const Calls &calls, const Numbers &x, int64_t width) {
  auto session = Session::open(program, weights, twoPages());
  EXPECT_TRUE(session.ok()) << session.status();
  Numbers made;
  for (const std::vector<Piece> &pieces : calls) {
    auto out = (*session)->call("run", callOf(pieces, x, width));
    EXPECT_TRUE(out.ok()) << out.status();
    auto row = out->at("y").values<float>().begin();
    for (const Piece &piece : pieces) {
      auto end = row + (piece.last - piece.first) * width;
      if (piece.sequence == 0)
        made.insert(made.end(), row, end);
      row = end;
    }
  }
  return made;
}

class SelectedHeadsOf : public ::testing::TestWithParam<int64_t> {};

TEST_P(SelectedHeadsOf, EqualsAllHeadsOfWhichMostHaveGatesOfZero) {
  SelectedHeadsOptions options = small(GetParam());
  Layer model(options);
  auto program = trace(model, {runOf(model, options)});
  ASSERT_TRUE(program.ok()) << program.status();
  auto weights = Weights::random(*program, /*seed=*/5);
  Numbers x = drawn(128 * options.width, 0.4f);
  Numbers y = madeBy(*program, *weights, {{{0, 0, 20}}}, x, options.width);
  Exact exact = expected(options, exactOf(*program, *weights),
                         Exact(x.begin(), x.begin() + 20 * options.width));
  ASSERT_EQ(y.size(), exact.size());
  for (size_t i = 0; i < y.size(); ++i)
    EXPECT_NEAR(y[i], exact[i], 2e-5) << i;
}

TEST_P(SelectedHeadsOf, BitsDoNotKnowChunksNorCompany) {
  SelectedHeadsOptions options = small(GetParam());
  Layer model(options);
  auto program = trace(model, {runOf(model, options)});
  ASSERT_TRUE(program.ok()) << program.status();
  auto weights = Weights::random(*program, /*seed=*/5);
  Numbers x = drawn(128 * options.width, 0.4f);
  Calls whole = {{{0, 0, 20}}}, chunks;
  Calls together = {{{1, 0, 9}},
                    {{1, 9, 10}, {0, 0, 13}},
                    {{0, 13, 14}, {1, 10, 40}},
                    {{0, 14, 20}}};
  for (int32_t t = 0; t < 20; ++t)
    chunks.push_back({{0, t, t + 1}});
  Numbers expected = madeBy(*program, *weights, whole, x, options.width);
  ASSERT_EQ(std::ssize(expected), 20 * options.width);
  EXPECT_EQ(madeBy(*program, *weights, chunks, x, options.width), expected);
  EXPECT_EQ(madeBy(*program, *weights, together, x, options.width), expected);
}

TEST_P(SelectedHeadsOf, GradientsAreCentralDifferences) {
  SelectedHeadsOptions options = small(GetParam());
  Layer model(options);
  std::vector<NamedTensor> of = model.parameters();
  Entry train{"train", [&](Arguments &in) -> Results {
                Dim tokens = Dim::symbol("T", 1, 64);
                Tensor x = in.tensor("x", {tokens, options.width});
                Batch batch = batchOf(in, tokens);
                LossAndGradients made = lossAndGradients(
                    model,
                    [&] {
                      Tensor y = model.heads(x, batch);
                      return squeeze(sum(squeeze(sum(y * y), -1)), 0);
                    },
                    tensorsOf(of));
                Results results;
                for (size_t i = 0; i < of.size(); ++i)
                  results.push_back({of[i].name, made.gradients[i]});
                return results;
              }};
  TraceOptions traced;
  traced.trained = [](std::string_view) { return true; };
  auto program = trace(model, {train}, traced);
  ASSERT_TRUE(program.ok()) << program.status();
  auto weights = Weights::random(*program, /*seed=*/5);
  auto session = Session::open(*program, *weights, twoPages());
  ASSERT_TRUE(session.ok()) << session.status();
  Numbers x = drawn(10 * options.width, 0.4f);
  auto made = (*session)->call("train", callOf({{0, 0, 10}}, x, options.width));
  ASSERT_TRUE(made.ok()) << made.status();
  Named exact = exactOf(*program, *weights);
  auto loss = [&] {
    Exact y = expected(options, exact, Exact(x.begin(), x.end()));
    return std::inner_product(y.begin(), y.end(), y.begin(), 0.0);
  };
  for (auto &[name, weight] : exact) {
    auto gradient = made->at(name).values<float>();
    ASSERT_EQ(gradient.size(), weight.size()) << name;
    double largest = std::abs(*std::ranges::max_element(
        gradient, {}, [](float each) { return std::abs(each); }));
    EXPECT_GT(largest, 0) << name;
    for (size_t i = 0; i < weight.size(); ++i) {
      constexpr double kStep = 1e-5;
      double was = std::exchange(weight[i], weight[i] + kStep), above = loss();
      weight[i] = was - kStep;
      double below = loss();
      weight[i] = was;
      EXPECT_NEAR(gradient[i], (above - below) / (2 * kStep), largest * 1e-3)
          << name << " " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shared, SelectedHeadsOf, ::testing::Values(0, 2));

//===----------------------------------------------------------------------===//
// What is computed
//===----------------------------------------------------------------------===//

TEST(SelectedHeads, MultiplyAddsAreThoseOfTheHeadsChosen) {
  constexpr int64_t kTokens = 48;
  SelectedHeadsOptions options = {
      .width = 128, .headWidth = 64, .heads = 16, .perToken = 2};
  auto countOf = [&](int64_t perToken) {
    options.perToken = perToken;
    Layer model(options);
    auto program = trace(model, {runOf(model, options)});
    EXPECT_TRUE(program.ok()) << program.status();
    int64_t counted = 0;
    program->module()->setAttr(
        ir::kCountProductsAttr,
        mlir::Builder(&program->context())
            .getI64IntegerAttr(reinterpret_cast<intptr_t>(&counted)));
    auto session = Session::open(
        *program, *Weights::random(*program, /*seed=*/5), twoPages());
    EXPECT_TRUE(session.ok()) << session.status();
    Numbers x = drawn(128 * options.width, 0.4f);
    auto y =
        (*session)->call("run", callOf({{0, 0, kTokens}}, x, options.width));
    EXPECT_TRUE(y.ok()) << y.status();
    return counted;
  };
  // Of a head and token: its products, and a block of 64 keys. Of each token:
  // the router, the key and the value. The last tile of at most 8 rows of a
  // head's may be filled up.
  int64_t perHead = 2 * options.headWidth * (options.width + 64);
  int64_t perToken = options.width * (options.heads + 2 * options.headWidth);
  int64_t filled = options.heads * 7 * 2 * options.headWidth * options.width;
  for (int64_t chosen : {1, 2, 4}) {
    int64_t rows = kTokens * chosen, counted = countOf(chosen);
    int64_t products = 2 * options.headWidth * options.width;
    EXPECT_GE(counted, rows * products + kTokens * perToken) << chosen;
    EXPECT_LE(counted, rows * perHead + kTokens * perToken * 2 + filled)
        << chosen;
  }
  EXPECT_GT(countOf(16), kTokens * 16 * 2 * options.headWidth * options.width);
}

} // namespace
} // namespace tenon
