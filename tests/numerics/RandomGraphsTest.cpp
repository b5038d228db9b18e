//===- RandomGraphsTest.cpp - Compiled graphs equal the contract ----------===//
//
// 500 seeded graphs, each compiled for one of the feature sets in turn, equal
// the contract oracle bit for bit; more than ten planted miscompiles are each
// noticed. Graphs of even number run kernel by kernel under a hostile host,
// those of odd number as whole programs, with parameters, branches and loops.
// TENON_GRAPHS and TENON_FIRST_GRAPH in the environment choose others.
//
//===----------------------------------------------------------------------===//

#include "ir/reference/Interpreter.h"
#include "tests/numerics/GraphCoverage.h"
#include "tests/numerics/Miscompiles.h"
#include "tests/numerics/RandomGraph.h"
#include "tests/support/CompiledProgram.h"

#include "codegen/Compile.h"
#include "mlir/IR/Verifier.h"

#include <gtest/gtest.h>

namespace tenon::testing {
namespace {

using namespace mlir;
using ir::ref::Contract;
using Cache = ir::ref::Cache<Contract>;

constexpr int64_t kEmitLimit = 10; // after it the sink asks to stop

uint64_t setting(const char *name, uint64_t otherwise) {
  const char *text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// The rows of a cache as a tensor, whose NaN are equal.
Tensor tensorOf(const Value &value) {
  const auto *cache = std::get_if<Cache>(&value);
  if (!cache)
    return std::get<Tensor>(value);
  Tensor rows = ir::ref::makeTensor<Contract>(
      cache->element, {static_cast<int64_t>(cache->rows.size())});
  rows.floats = cache->rows;
  return rows;
}

/// Empty where the results are the same bits; those of caches, the last, may be
/// absent.
std::string difference(ArrayRef<Value> expected, ArrayRef<Tensor> actual) {
  int64_t tensors = llvm::count_if(expected, [](const Value &value) {
    return std::holds_alternative<Tensor>(value);
  });
  if (static_cast<int64_t>(actual.size()) < tensors)
    return "expects " + std::to_string(tensors) + " results, got " +
           std::to_string(actual.size());
  for (auto [number, tensor] : llvm::enumerate(actual))
    if (std::string text = firstDifference(tensorOf(expected[number]), tensor);
        !text.empty())
      return "result " + std::to_string(number) + ": " + text;
  return "";
}

class RandomGraphs : public ::testing::Test {
protected:
  RandomGraphs() {
    DialectRegistry registry;
    codegen::registerDialects(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
    context.disableMultithreading();
  }

  /// What a graph is by the contract.
  llvm::Expected<SmallVector<Value>> expected(const RandomGraph &graph,
                                              ir::ref::Context &state);
  /// How the compiled graph differs from the oracle; empty if it does not.
  std::string differenceOfKernels(const RandomGraph &graph,
                                  base::CpuFeatures features,
                                  const CodeEdit &edit = {},
                                  const base::TargetDescription &machine = {});
  std::string differenceOfProgram(const RandomGraph &graph,
                                  base::CpuFeatures features,
                                  const base::TargetDescription &machine);
  void check(GraphHost host);

  MLIRContext context;
};

llvm::Expected<SmallVector<Value>>
RandomGraphs::expected(const RandomGraph &graph, ir::ref::Context &state) {
  return ir::ref::interpret<Contract>(graph.func, graph.arguments,
                                      graph.parameters, state);
}

std::string RandomGraphs::differenceOfKernels(
    const RandomGraph &graph, base::CpuFeatures features, const CodeEdit &edit,
    const base::TargetDescription &machine) {
  ir::ref::Context state;
  auto results = expected(graph, state);
  if (!results)
    return llvm::toString(results.takeError());
  if (state.failure)
    return "expects no failure of the step, got one of " + state.failure->op;
  auto code = CompiledFunction::compile(graph.func, features, edit, machine);
  if (!code.ok())
    return code.status().ToString();
  auto outcome = (*code)->run(graph.arguments, /*seed=*/7);
  if (!outcome.ok())
    return outcome.status().ToString();
  std::vector<Tensor> actual;
  for (const Value &value : outcome->results)
    actual.push_back(tensorOf(value));
  if (outcome->failure.kind)
    return "result: expected no failure, got " +
           std::to_string(outcome->failure.kind);
  return difference(*results, actual);
}

std::string
RandomGraphs::differenceOfProgram(const RandomGraph &graph,
                                  base::CpuFeatures features,
                                  const base::TargetDescription &machine) {
  ir::ref::Context state;
  state.emitLimit = kEmitLimit;
  auto results = expected(graph, state);
  if (!results)
    return llvm::toString(results.takeError());
  if (state.failure)
    return "expects no failure of the step, got one of " + state.failure->op;
  std::unique_ptr<codegen::Target> target = codegen::makeTarget("cpu", machine);
  auto code = CompiledProgram::compile(*graph.module, features, target.get());
  if (!code.ok())
    return code.status().ToString();
  auto session =
      (*code)->open(optionsFor(graph.func, graph.arguments), graph.parameters);
  if (!session.ok())
    return session.status().ToString();
  auto outcome = callEntry(**session, graph.func, graph.arguments, kEmitLimit);
  if (!outcome.ok())
    return outcome.status().ToString();
  if (!outcome->call.ok())
    return std::string(outcome->call.message());
  if (outcome->emitted != state.emitted)
    return "expects other emitted tokens";
  return difference(*results, outcome->results);
}

void RandomGraphs::check(GraphHost host) {
  std::vector<base::CpuFeatures> features = runnableFeatures();
  GraphCoverage coverage;
  uint64_t first = setting("TENON_FIRST_GRAPH", 0);
  uint64_t count = setting("TENON_GRAPHS", 500);
  uint64_t parity = host == GraphHost::Program;
  int failures = 0;
  for (uint64_t seed = first; seed < first + count && failures < 5; ++seed) {
    if (seed % 2 != parity)
      continue;
    RandomGraph graph = makeRandomGraph(context, seed, host);
    ASSERT_TRUE(succeeded(verify(*graph.module))) << "seed " << seed;
    coverage.count(*graph.module);
    base::CpuFeatures set = features[seed / 2 % features.size()];
    base::TargetDescription machine;
    if (seed / 2 / features.size() % 2) // Results are stored past the caches.
      machine.l3Bytes = 1;
    std::string text = host == GraphHost::Program
                           ? differenceOfProgram(graph, set, machine)
                           : differenceOfKernels(graph, set, {}, machine);
    failures += !text.empty();
    EXPECT_EQ(text, "") << "seed " << seed << ", " << nameOf(set);
    if (!text.empty() && setting("TENON_PRINT_GRAPH", 0))
      graph.module->dump();
  }
  coverage.print();
  if (count >= 500 && host == GraphHost::Program)
    EXPECT_EQ(coverage.missing(context), "");
}

TEST_F(RandomGraphs, KernelsEqualContract) { check(GraphHost::Kernels); }

TEST_F(RandomGraphs, ProgramsEqualContract) { check(GraphHost::Program); }

TEST_F(RandomGraphs, NoticePlantedMiscompiles) {
  base::CpuFeatures features = runnableFeatures().front();
  for (const Miscompile &miscompile : miscompiles()) {
    int changed = 0;
    bool noticed = false;
    uint64_t seed = 0;
    for (; seed < 400 && !noticed; seed += 2) {
      RandomGraph graph = makeRandomGraph(context, seed, GraphHost::Kernels);
      int before = changed;
      // A wrong number, not code that does not compile.
      std::string text =
          differenceOfKernels(graph, features, miscompile.plant(changed));
      noticed = changed > before && text.starts_with("result ");
    }
    std::printf("%-28s noticed in graph %llu\n", miscompile.name,
                static_cast<unsigned long long>(seed - 2));
    EXPECT_TRUE(noticed) << miscompile.name << ", planted " << changed
                         << " times";
  }
}

} // namespace
} // namespace tenon::testing
