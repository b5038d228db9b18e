//===- RandomGraphsTest.cpp - Compiled graphs equal the contract ----------===//
//
// 500 seeded graphs, each compiled for one of the feature sets in turn, equal
// the contract oracle bit for bit; ten planted miscompiles are each noticed.
// TENON_GRAPHS and TENON_FIRST_GRAPH in the environment choose others.
//
//===----------------------------------------------------------------------===//

#include "ir/reference/Interpreter.h"
#include "tests/numerics/Miscompiles.h"
#include "tests/numerics/RandomGraph.h"

#include "codegen/cpu/Lower.h"
#include "mlir/IR/Verifier.h"

#include <gtest/gtest.h>
#include <map>

namespace tenon::testing {
namespace {

using namespace mlir;
using ir::ref::Contract;

uint64_t setting(const char *name, uint64_t otherwise) {
  const char *text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// What the graphs held, so that a generator that went blind is noticed.
struct Coverage {
  std::map<std::string, int> ops, elements, tails;

  void count(func::FuncOp func) {
    for (Operation &op : func.front().without_terminator()) {
      ++ops[op.getName().getStringRef().str()];
      auto type = dyn_cast<RankedTensorType>(op.getResult(0).getType());
      std::string element;
      llvm::raw_string_ostream(element) << type.getElementType();
      ++elements[element];
      int64_t last = type.getRank() ? type.getShape().back() : 1;
      ++tails[last < 0 ? "T" : std::to_string(last % 16)];
    }
  }
  void print() const {
    for (const auto &[title, counts] : {std::pair{"ops", &ops},
                                        {"elements", &elements},
                                        {"columns mod 16", &tails}}) {
      std::printf("%s:", title);
      for (const auto &[name, times] : *counts)
        std::printf(" %s %d", name.c_str(), times);
      std::printf("\n");
    }
  }
};

class RandomGraphs : public ::testing::Test {
protected:
  RandomGraphs() {
    DialectRegistry registry;
    codegen::cpu::registerLowering(registry);
    registry.insert<ir::TnDialect>();
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
    context.disableMultithreading();
  }

  /// How the compiled graph differs from the oracle; empty if it does not.
  std::string difference(const RandomGraph &graph, base::CpuFeatures features,
                         const CodeEdit &edit = {});

  MLIRContext context;
};

std::string RandomGraphs::difference(const RandomGraph &graph,
                                     base::CpuFeatures features,
                                     const CodeEdit &edit) {
  std::vector<Value> in;
  for (const Argument &argument : graph.arguments)
    in.push_back(argument.value);
  ir::ref::Context state;
  auto expected = ir::ref::interpret<Contract>(graph.func, in, {}, state);
  if (!expected)
    return llvm::toString(expected.takeError());
  auto code = CompiledFunction::compile(graph.func, features, edit);
  if (!code.ok())
    return code.status().ToString();
  auto outcome = (*code)->run(graph.arguments, /*seed=*/7);
  if (!outcome.ok())
    return outcome.status().ToString();
  int32_t failure = state.failure ? state.failure->kind : 0;
  if (failure != outcome->failure.kind)
    return "expected failure " + std::to_string(failure) + ", got " +
           std::to_string(outcome->failure.kind);
  for (size_t i = 0; i < expected->size() && !failure; ++i) {
    std::string text = firstDifference(std::get<Tensor>((*expected)[i]),
                                       std::get<Tensor>(outcome->results[i]));
    if (!text.empty())
      return "result " + std::to_string(i) + ": " + text;
  }
  return "";
}

TEST_F(RandomGraphs, CompiledEqualsContract) {
  std::vector<base::CpuFeatures> features = runnableFeatures();
  Coverage coverage;
  uint64_t first = setting("TENON_FIRST_GRAPH", 0);
  uint64_t count = setting("TENON_GRAPHS", 500);
  int failures = 0;
  for (uint64_t seed = first; seed < first + count && failures < 5; ++seed) {
    RandomGraph graph = makeRandomGraph(context, seed);
    ASSERT_TRUE(succeeded(verify(*graph.module))) << "seed " << seed;
    coverage.count(graph.func);
    std::string text = difference(graph, features[seed % features.size()]);
    failures += !text.empty();
    EXPECT_EQ(text, "") << "seed " << seed << ", "
                        << nameOf(features[seed % features.size()]);
  }
  coverage.print();
  if (count >= 500) {
    EXPECT_GE(coverage.ops.size(), 40u);
    EXPECT_GE(coverage.elements.size(), 6u);
    EXPECT_GE(coverage.tails.size(), 8u);
  }
}

TEST_F(RandomGraphs, NoticePlantedMiscompiles) {
  base::CpuFeatures features = runnableFeatures().front();
  for (const Miscompile &miscompile : miscompiles()) {
    int changed = 0;
    bool noticed = false;
    uint64_t seed = 0;
    for (; seed < 60 && !noticed; ++seed) {
      RandomGraph graph = makeRandomGraph(context, seed);
      int before = changed;
      // A wrong number, not code that does not compile.
      std::string text = difference(graph, features, miscompile.plant(changed));
      noticed = changed > before && text.starts_with("result ");
    }
    std::printf("%-28s noticed in graph %llu\n", miscompile.name,
                static_cast<unsigned long long>(seed - 1));
    EXPECT_TRUE(noticed) << miscompile.name << ", planted " << changed
                         << " times";
  }
}

} // namespace
} // namespace tenon::testing
