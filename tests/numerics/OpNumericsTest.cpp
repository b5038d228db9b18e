//===- OpNumericsTest.cpp - Each op over random shapes and types ----------===//
//
// For every step of the random graphs, which together hold every op that
// computes: seeded graphs of that op alone, compiled for each feature set,
// equal the contract oracle bit for bit, and that is close to the one in
// double.
//
//===----------------------------------------------------------------------===//

#include "ir/reference/Interpreter.h"
#include "ir/tn/AttentionShape.h"
#include "tests/numerics/GraphCoverage.h"
#include "tests/numerics/GraphSteps.h"
#include "tests/support/Tolerance.h"

#include "codegen/cpu/Lower.h"
#include "mlir/IR/Verifier.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace tenon::testing {

void PrintTo(const Step &step, std::ostream *out) { *out << step.op; }

namespace {

using namespace mlir;
using ir::ref::Batch;
using ir::ref::Contract;
using ir::ref::Real;
template <typename A> using Cache = ir::ref::Cache<A>;
using RealValue = ir::ref::Value<Real>;

constexpr uint64_t kSeeds = 12;

RealValue inDouble(const Value &value) {
  if (const auto *batch = std::get_if<Batch>(&value))
    return *batch;
  if (const auto *tensor = std::get_if<Tensor>(&value))
    return toReal(*tensor);
  const auto &from = std::get<Cache<Contract>>(value);
  Cache<Real> to{from.element, from.heads, from.width, {}};
  to.rows.assign(from.rows.begin(), from.rows.end());
  return to;
}

int64_t lastExtent(const Value &value) {
  return std::get<Tensor>(value).columns();
}

/// How many terms an element of the op's result sums, and how large what is
/// rounded on the way may be: arguments are in [-4, 4].
struct Sums {
  int64_t terms = 1;
  double scale = 16;
  int64_t additions = 0; // each rounded to the type of the result
};

Sums sumsOf(Operation *op, ArrayRef<Value> in) {
  Sums sums;
  if (auto product = dyn_cast<ir::MatmulOp>(op)) {
    const auto &a = std::get<Tensor>(in[0]);
    sums.terms = a.shape[a.shape.size() - (product.getTransposeA() ? 2 : 1)];
  } else if (isa<ir::GroupedMatmulOp>(op)) {
    sums.terms = lastExtent(in[0]);
  } else if (isa<ir::GroupedOuterOp>(op)) {
    sums.terms = std::get<Tensor>(in[0]).rows();
  } else if (isa<ir::MoeCombineOp>(op)) {
    sums.terms =
        cast<RankedTensorType>(op->getOperand(1).getType()).getShape().back();
    if (op->getOperand(0).getDefiningOp()) { // A layer's products of products.
      bool isAdapted = isa<ir::AddOp>(op->getOperand(0).getDefiningOp());
      sums.scale = isAdapted ? 1 << 16 : 1 << 12;
      sums.additions = 4;
    }
  } else if (isa<ir::SumRowsOp>(op)) {
    sums.terms = std::get<Tensor>(in[0]).shape[0];
  } else if (isa<ir::RowOp>(op)) {
    sums.terms = lastExtent(in[0]);
  } else if (isa<ir::ScatterOp>(op)) {
    sums.additions = std::get<Tensor>(in[1]).size();
  } else if (isa<ir::RopeOp>(op)) {
    // The angle is one product in f32: its error grows with the position.
    sums.scale *= *llvm::max_element(std::get<Batch>(in[1]).position) + 1;
  } else if (auto attention = ir::attentionShape(op)) {
    // A gradient's operands are not all arguments; the batch is the last.
    const auto &batch = std::get<Batch>(in.back());
    int64_t keys = *llvm::max_element(batch.position) + 1;
    sums.terms = std::max(attention->width, attention->valueWidth) + keys;
    if (isa<ir::SelfAttentionGradQueryOp, ir::SelfAttentionGradKeysOp>(op)) {
      sums.terms += keys * attention->group();
      int64_t width = std::max(attention->width, attention->valueWidth);
      sums.scale *= 4.0 * static_cast<double>(width); // a slope
    }
  }
  return sums;
}

class OpNumerics : public ::testing::TestWithParam<Step> {
protected:
  OpNumerics() { loadKernelDialects(context); }

  void checkReal(RandomGraph &graph, ArrayRef<Value> in,
                 ArrayRef<Value> contract);
  void checkCompiled(RandomGraph &graph, ArrayRef<Value> contract);

  MLIRContext context;
  int64_t compiled = 0;
};

void expectClose(const Value &contract, const RealValue &real,
                 const Sums &sums) {
  if (const auto *cache = std::get_if<Cache<Contract>>(&contract)) {
    for (auto [x, y] : llvm::zip_equal(
             cache->rows, std::get<Cache<Real>>(real).rows)) // only moved
      ASSERT_TRUE(x == y || (std::isnan(x) && std::isnan(y)));
    return;
  }
  const auto &x = std::get<Tensor>(contract);
  const auto &y = std::get<RealTensor>(real);
  EXPECT_EQ(x.ints, y.ints);
  base::ElementType type = ir::storageOf(x.element);
  Tolerance tolerance = sums.additions
                            ? toleranceForRoundedSums(type, sums.additions)
                            : toleranceFor(type, sums.terms);
  for (auto [a, b] : llvm::zip_equal(x.floats, y.floats))
    ASSERT_TRUE(tolerance.accepts(a, b, sums.scale))
        << "contract " << a << ", real " << b;
}

void OpNumerics::checkReal(RandomGraph &graph, ArrayRef<Value> in,
                           ArrayRef<Value> contract) {
  std::vector<RealValue> realIn;
  for (const Value &value : in)
    realIn.push_back(inDouble(value));
  ir::ref::Context state;
  auto real = ir::ref::interpret<Real>(graph.func, realIn, {}, state);
  ASSERT_TRUE(bool(real)) << llvm::toString(real.takeError());
  Sums sums;
  for (Operation &op : graph.func.front().without_terminator()) {
    SmallVector<Value> operands;
    for (SsaValue operand : op.getOperands())
      if (auto argument = dyn_cast<BlockArgument>(operand))
        operands.push_back(in[argument.getArgNumber()]);
    Sums here = sumsOf(&op, operands);
    sums.terms = std::max(sums.terms, here.terms);
    sums.scale = std::max(sums.scale, here.scale);
    sums.additions = std::max(sums.additions, here.additions);
  }
  for (auto [x, y] : llvm::zip_equal(contract, *real))
    expectClose(x, y, sums);
}

std::string differenceOf(const Value &expected, const Value &actual) {
  if (const auto *tensor = std::get_if<Tensor>(&expected))
    return firstDifference(*tensor, std::get<Tensor>(actual));
  const auto &x = std::get<Cache<Contract>>(expected);
  Tensor rows = ir::ref::makeTensor<Contract>(
      x.element, {static_cast<int64_t>(x.rows.size())});
  Tensor others = rows;
  rows.floats = x.rows;
  others.floats = std::get<Cache<Contract>>(actual).rows;
  return firstDifference(rows, others);
}

void OpNumerics::checkCompiled(RandomGraph &graph, ArrayRef<Value> contract) {
  for (base::CpuFeatures features : runnableFeatures()) {
    // Every other machine's caches hold nothing: results are stored past them.
    base::TargetDescription machine;
    if (compiled++ % 2)
      machine.l3Bytes = 1;
    auto code = CompiledFunction::compile(graph.func, features, {}, machine);
    ASSERT_TRUE(code.ok()) << code.status().ToString();
    auto outcome = (*code)->run(graph.arguments, /*seed=*/7);
    ASSERT_TRUE(outcome.ok()) << outcome.status().ToString();
    EXPECT_EQ(outcome->failure.kind, TENON_FAILURE_NONE);
    for (auto [x, y] : llvm::zip_equal(contract, outcome->results))
      EXPECT_EQ(differenceOf(x, y), "")
          << nameOf(features) << " " << base::print(machine);
  }
}

TEST_P(OpNumerics, CompiledEqualsContractWhichIsCloseToReal) {
  bool isHeld = false;
  for (uint64_t seed = 0; seed < kSeeds && !HasFatalFailure(); ++seed) {
    RandomGraph graph = makeStepGraph(context, seed, GetParam());
    std::string text;
    llvm::raw_string_ostream(text) << *graph.module;
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + text);
    ASSERT_TRUE(succeeded(verify(*graph.module)));
    graph.module->walk([&](Operation *op) {
      isHeld |= op->getName().getStringRef() == GetParam().op;
    });
    ArrayRef<Value> in = graph.arguments;
    ir::ref::Context state;
    auto contract = ir::ref::interpret<Contract>(graph.func, in, {}, state);
    ASSERT_TRUE(bool(contract)) << llvm::toString(contract.takeError());
    ASSERT_FALSE(state.failure);
    checkReal(graph, in, *contract);
    checkCompiled(graph, *contract);
  }
  EXPECT_TRUE(isHeld) << "expects the step to add its op";
}

INSTANTIATE_TEST_SUITE_P(Steps, OpNumerics, ::testing::ValuesIn(kernelSteps()),
                         [](const auto &info) {
                           std::string name =
                               StringRef(info.param.op).drop_front(3).str();
                           return *info.param.variant
                                      ? name + "_" + info.param.variant
                                      : name;
                         });

/// Every op of the dialect has a step above, or a reason to have none.
TEST(OpNumericsCoverage, HoldsEveryOpThatComputes) {
  const std::map<std::string, const char *> others = {
      {"tn.parameter", "declares"},
      {"tn.state", "declares"},
      {"tn.get_parameter", "names what the host binds"},
      {"tn.yield", "ends a region"},
      {"tn.kernel", "fusion makes it, in every test of this file"},
      {"tn.if", "the host's: RandomGraphsTest runs it"},
      {"tn.while", "the host's: RandomGraphsTest runs it"},
      {"tn.emit", "the host's: RandomGraphsTest runs it"},
      {"tn.reposition", "the host's: RandomGraphsTest runs it"},
      {"tn.positions", "the host's: RandomGraphsTest runs it"},
      {"tn.overwrite", "changes its operand: tests/frontend trains with it"},
      {"tn.gradient", "tn-differentiate replaces it: GradientTest runs it"}};
  MLIRContext context;
  context.loadDialect<ir::TnDialect>();
  std::set<std::string> ops = registeredOps(context);
  ASSERT_GT(ops.size(), others.size());
  std::set<std::string> tested;
  for (const Step &step : kernelSteps())
    tested.insert(step.op);
  for (const std::string &op : ops)
    EXPECT_NE(tested.count(op), others.count(op))
        << op << ": expects either a numerics test or a reason for none";
}

} // namespace
} // namespace tenon::testing
