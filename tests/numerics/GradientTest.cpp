//===- GradientTest.cpp - Adjoints of every op, and of random graphs ------===//
//
// Over Real, gradients equal central differences; compiled, they equal the
// contract's interpreter bit for bit, on every feature set.
//
//===----------------------------------------------------------------------===//

#include "tests/numerics/GradientGraph.h"
#include "tests/numerics/GraphSteps.h"

#include "codegen/cpu/Lower.h"
#include "ir/reference/Rounding.h"
#include "mlir/Dialect/Func/Extensions/InlinerExtension.h"
#include "mlir/IR/Verifier.h"

#include <gtest/gtest.h>

#include <set>

namespace tenon::testing {

void PrintTo(const Step &step, std::ostream *out) { *out << step.op; }

namespace {

using namespace mlir;
using ir::ref::Contract;
using ir::ref::Real;
using RealValue = ir::ref::Value<Real>;

constexpr uint64_t kSeeds = 8;
constexpr uint64_t kGraphs = 200;
constexpr double kTolerance = 1e-6;
constexpr int64_t kElementsChecked = 5; // of each argument

/// Ops that are not defined, or steep, where arguments may lie.
bool wantsPositive(StringRef op) {
  static const std::set<StringRef> ops = {"tn.log", "tn.sqrt", "tn.rsqrt",
                                          "tn.div"};
  return ops.count(op);
}

void makePositive(RandomGraph &graph) {
  for (Value &value : graph.arguments)
    if (auto *tensor = std::get_if<Tensor>(&value))
      for (float &x : tensor->floats)
        x = ir::ref::rounded<Contract>(std::abs(x) + 0.5f, tensor->element);
}

bool isDifferentiable(MLIRContext &context, const Step &step) {
  auto name = RegisteredOperationName::lookup(step.op, &context);
  return name && name->hasInterface<ir::DifferentiableOp>();
}

std::vector<Step> differentiableSteps() {
  MLIRContext context;
  context.loadDialect<ir::TnDialect>();
  std::vector<Step> steps = kernelSteps();
  llvm::erase_if(steps, [&](const Step &step) {
    // Differences know nothing of stopped or straight-through gradients.
    return !isDifferentiable(context, step) ||
           step.op == StringRef("tn.quantize") ||
           step.op == StringRef("tn.stop_gradient");
  });
  return steps;
}

/// The steps of random graphs: smooth almost everywhere, and of moderate size.
std::vector<Step> tameSteps() {
  static const std::set<StringRef> wild = {
      "tn.exp",   "tn.log",        "tn.sqrt",      "tn.rsqrt",    "tn.div",
      "tn.top_k", "tn.round_even", "tn.moe_route", "tn.moe_weigh"};
  std::vector<Step> steps = differentiableSteps();
  // Products of integers quantise what they are given; a layer of experts jumps
  // where a token's choice changes.
  llvm::erase_if(steps, [](const Step &step) {
    return wild.count(step.op) || step.variant == StringRef("integers") ||
           step.variant == StringRef("layer") ||
           step.variant == StringRef("adapted");
  });
  return steps;
}

class Gradients : public ::testing::Test {
protected:
  Gradients() {
    loadKernelDialects(context);
    DialectRegistry registry;
    func::registerInlinerExtension(registry);
    context.appendDialectRegistry(registry);
  }

  void check(RandomGraph graph, uint64_t seed);
  void checkDifferences(GradientGraph &graph, uint64_t seed);
  void checkCompiled(GradientGraph &graph, uint64_t seed);
  double lossAt(GradientGraph &graph, ArrayRef<RealValue> in);
  bool isClose(GradientGraph &graph, std::vector<RealValue> &in,
               unsigned argument, size_t element, double expected,
               double scale);

  MLIRContext context;
  int64_t checked = 0; // elements
};

double Gradients::lossAt(GradientGraph &graph, ArrayRef<RealValue> in) {
  ir::ref::Context state;
  auto loss = ir::ref::interpret<Real>(graph.loss, in, {}, state);
  if (loss)
    return std::get<RealTensor>(loss->front()).floats[0];
  ADD_FAILURE() << llvm::toString(loss.takeError());
  return NAN;
}

// A small step rounds, a large one may cross a kink or a wave of a sine of
// large numbers: one of them is right.
bool Gradients::isClose(GradientGraph &graph, std::vector<RealValue> &in,
                        unsigned argument, size_t element, double expected,
                        double scale) {
  double &x = std::get<RealTensor>(in[argument]).floats[element];
  double start = x;
  std::string found;
  for (double step : {0x1p-11, 0x1p-14, 0x1p-8, 0x1p-18, 0x1p-23, 0x1p-28}) {
    double difference = 0;
    for (auto [at, weight] : {std::pair{-2, 1}, {-1, -8}, {1, 8}, {2, -1}}) {
      x = start + at * step;
      difference += weight * lossAt(graph, in);
    }
    x = start;
    difference /= 12 * step;
    if (std::abs(difference - expected) <= kTolerance * scale)
      return true;
    found += " " + std::to_string(difference);
  }
  ADD_FAILURE() << "argument " << argument << ", element " << element
                << ": expects the gradient " << expected << ", differences are"
                << found << ", scale " << scale;
  return false;
}

void Gradients::checkDifferences(GradientGraph &graph, uint64_t seed) {
  std::vector<RealValue> in = inDouble(graph.arguments);
  ir::ref::Context state;
  auto results = ir::ref::interpret<Real>(graph.gradient, in, {}, state);
  ASSERT_TRUE(bool(results)) << llvm::toString(results.takeError());
  double loss = std::abs(std::get<RealTensor>(results->front()).floats[0]);
  Random random(seed);
  for (auto [i, number] : llvm::enumerate(graph.wrt)) {
    const auto &gradient = std::get<RealTensor>((*results)[1 + i]);
    double largest = 0;
    for (double x : gradient.floats)
      largest = std::isfinite(x) ? std::max(largest, std::abs(x)) : largest;
    for (int64_t drawn = 0; drawn < kElementsChecked; ++drawn) {
      size_t element = random() % gradient.floats.size();
      double expected = gradient.floats[element];
      if (!std::isfinite(expected))
        continue;
      // Differences round by some 1e-12 of the loss.
      double scale = std::max(
          {std::abs(expected), 1e-3 * largest, 1e-5 * std::max(1.0, loss)});
      if (!isClose(graph, in, number, element, expected, scale))
        return;
      ++checked;
    }
  }
}

void Gradients::checkCompiled(GradientGraph &graph, uint64_t seed) {
  ir::ref::Context state;
  auto expected =
      ir::ref::interpret<Contract>(graph.gradient, graph.arguments, {}, state);
  ASSERT_TRUE(bool(expected)) << llvm::toString(expected.takeError());
  graph.loss.erase();
  std::vector<base::CpuFeatures> all = runnableFeatures();
  auto code = CompiledFunction::compile(graph.gradient, all[seed % all.size()]);
  ASSERT_TRUE(code.ok()) << code.status().ToString();
  auto outcome = (*code)->run(graph.arguments, seed);
  ASSERT_TRUE(outcome.ok()) << outcome.status().ToString();
  EXPECT_EQ(outcome->failure.kind, TENON_FAILURE_NONE);
  for (auto [x, y] : llvm::zip_equal(*expected, outcome->results))
    EXPECT_EQ(firstDifference(std::get<Tensor>(x), std::get<Tensor>(y)), "");
}

void Gradients::check(RandomGraph graph, uint64_t seed) {
  std::optional<GradientGraph> made = makeGradientGraph(std::move(graph));
  if (!made)
    return;
  std::string text;
  llvm::raw_string_ostream(text) << *made->module;
  SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + text);
  ASSERT_TRUE(succeeded(verify(*made->module)));
  checkDifferences(*made, seed);
  checkCompiled(*made, seed);
}

class StepGradients : public Gradients,
                      public ::testing::WithParamInterface<Step> {};

TEST_P(StepGradients, EqualDifferencesAndTheContract) {
  for (uint64_t seed = 0; seed < kSeeds && !HasFailure(); ++seed) {
    RandomGraph graph = makeStepGraph(context, seed, GetParam());
    if (wantsPositive(GetParam().op))
      makePositive(graph);
    check(std::move(graph), seed);
  }
  EXPECT_GT(checked, 0) << "expects gradients to compare";
}

INSTANTIATE_TEST_SUITE_P(Steps, StepGradients,
                         ::testing::ValuesIn(differentiableSteps()),
                         [](const auto &info) {
                           std::string name =
                               StringRef(info.param.op).drop_front(3).str();
                           return *info.param.variant
                                      ? name + "_" + info.param.variant
                                      : name;
                         });

TEST_F(Gradients, OfRandomGraphsEqualDifferencesAndTheContract) {
  std::vector<Step> steps = tameSteps();
  for (uint64_t seed = 0; seed < kGraphs && !HasFailure(); ++seed)
    check(makeRandomGraph(context, seed, GraphHost::Kernels, steps,
                          /*mostOps=*/14),
          seed);
  EXPECT_GT(checked, int64_t(kGraphs));
}

} // namespace
} // namespace tenon::testing
