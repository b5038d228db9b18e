//===- TuningTest.cpp - Schedules of a file, and what they may not do -----===//

#include "codegen/Tuning.h"

#include "codegen/Compile.h"
#include "mlir/Parser/Parser.h"
#include "tests/support/CompiledModule.h"
#include "tests/support/CompiledProgram.h"

#include <gmock/gmock.h>

namespace tenon::testing {
namespace {

using namespace mlir;
using codegen::TunedKernel;
using codegen::TunedTarget;
using codegen::Tuning;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char *kText = R"(
tn.parameter @w : tensor<200x96xf32>
func.func @f(%x: tensor<?x96xf32, #tn.dims<T, 96>>)
    -> tensor<?x200xf32, #tn.dims<T, 200>>
    attributes {tn.symbols = [#tn.symbol<"T", 1 to 64>]} {
  %w = tn.get_parameter @w : tensor<200x96xf32>
  %y = tn.matmul %x, %w {transpose_b} : tensor<?x96xf32, #tn.dims<T, 96>>,
      tensor<200x96xf32> -> tensor<?x200xf32, #tn.dims<T, 200>>
  %z = tn.silu %y : tensor<?x200xf32, #tn.dims<T, 200>>
  return %z : tensor<?x200xf32, #tn.dims<T, 200>>
})";

/// Passes schedules on, and keeps what it was asked and what it answered.
class Watcher final : public codegen::Target {
public:
  Watcher(const codegen::Target &watched, base::CpuFeatures set)
      : target(watched), features(set) {}

  ir::ScheduleAttr
  schedule(ir::KernelOp kernel, unsigned nest,
           const codegen::SymbolRanges &ranges) const override {
    ir::ScheduleAttr made = target.schedule(kernel, nest, ranges);
    TunedKernel seen;
    seen.key = codegen::kernelKey(kernel, ranges, features);
    seen.label = kernel.getLabel().str();
    seen.symbols = codegen::describeSymbols(kernel, ranges);
    seen.features = features;
    seen.schedules = {made};
    std::lock_guard<std::mutex> lock(mutex);
    met.push_back(seen);
    for (base::CpuFeatures set : runnableFeatures())
      for (ir::ScheduleAttr near :
           target.neighbours(kernel, nest, made, ranges, set))
        EXPECT_TRUE(near != made && target.admits(kernel, nest, near, ranges));
    return made;
  }
  SmallVector<ir::ScheduleAttr>
  neighbours(ir::KernelOp kernel, unsigned nest, ir::ScheduleAttr from,
             const codegen::SymbolRanges &ranges,
             base::CpuFeatures set) const override {
    return target.neighbours(kernel, nest, from, ranges, set);
  }
  bool admits(ir::KernelOp kernel, unsigned nest, ir::ScheduleAttr schedule,
              const codegen::SymbolRanges &ranges) const override {
    return target.admits(kernel, nest, schedule, ranges);
  }

  const codegen::Target &target;
  base::CpuFeatures features;
  mutable std::mutex mutex;
  mutable std::vector<TunedKernel> met;
};

class TuningTest : public ::testing::Test {
protected:
  TuningTest() {
    DialectRegistry registry;
    codegen::registerDialects(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
    module = parseSourceString<ModuleOp>(kText, &context);
    Random random(5);
    weights["w"] = randomTensor(random, Float32Type::get(&context), {200, 96});
    arguments = {randomTensor(random, Float32Type::get(&context), {37, 96})};
  }

  ir::ScheduleAttr matmul(int64_t rows, int64_t cols) {
    return ir::ScheduleAttr::get(&context, ir::NestKind::Matmul, rows, cols,
                                 {3, 3, 3});
  }
  /// The kernel of the matmul, as the analytic model cuts it.
  TunedKernel theMatmul();
  /// The results, and in `met` every schedule that was asked for.
  Tensor run(const codegen::Target &target, std::vector<TunedKernel> &met);
  Tuning withSchedules(SmallVector<ir::ScheduleAttr> schedules) {
    Tuning tuning;
    tuning.kernels = {theMatmul()};
    tuning.kernels[0].schedules = std::move(schedules);
    return tuning;
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  Weights weights;
  std::vector<Value> arguments;
  base::CpuFeatures features = runnableFeatures().back();
  std::unique_ptr<codegen::Target> analytic = codegen::makeTarget("cpu", {});
};

Tensor TuningTest::run(const codegen::Target &target,
                       std::vector<TunedKernel> &met) {
  Watcher watcher(target, features);
  auto program = CompiledProgram::compile(*module, features, &watcher);
  EXPECT_TRUE(program.ok()) << program.status();
  met = watcher.met;
  auto func = module->lookupSymbol<func::FuncOp>("f");
  auto session = (*program)->open(optionsFor(func, arguments), weights);
  EXPECT_TRUE(session.ok()) << session.status();
  auto outcome = callEntry(**session, func, arguments, /*emitLimit=*/-1);
  EXPECT_TRUE(outcome.ok() && outcome->call.ok());
  return outcome->results.at(0);
}

TunedKernel TuningTest::theMatmul() {
  std::vector<TunedKernel> met;
  run(*analytic, met);
  for (const TunedKernel &kernel : met)
    if (kernel.schedules[0].getKind() == ir::NestKind::Matmul)
      return kernel;
  ADD_FAILURE() << "expects a matmul among the kernels";
  return {};
}

TEST_F(TuningTest, ReadsWhatItPrints) {
  Tuning tuning = withSchedules(
      {matmul(6, 64), ir::ScheduleAttr::get(&context, ir::NestKind::Rows, 5, 0,
                                            ArrayRef<int64_t>(), 4096)});
  tuning.machine.threads = 12;
  tuning.kernels[0].analyticUs = 41.25;
  auto read = codegen::parseTuning(codegen::printTuning(tuning), &context);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->machine, tuning.machine);
  ASSERT_EQ(read->kernels.size(), 1u);
  const TunedKernel &kernel = read->kernels[0];
  EXPECT_EQ(kernel.key, tuning.kernels[0].key);
  EXPECT_EQ(kernel.symbols, "T=1..64");
  EXPECT_EQ(kernel.features, features);
  EXPECT_EQ(kernel.analyticUs, 41.25);
  EXPECT_EQ(kernel.schedules, tuning.kernels[0].schedules);
}

TEST_F(TuningTest, CutsKernelsAsTheFileSays) {
  ir::ScheduleAttr wanted = matmul(9, 32);
  std::vector<TunedKernel> before, after;
  Tensor expected = run(*analytic, before);
  TunedTarget tuned(*analytic, withSchedules({wanted}), features);
  Tensor actual = run(tuned, after);
  EXPECT_EQ(firstDifference(expected, actual), "");
  auto cuts = [&](const std::vector<TunedKernel> &met) {
    return llvm::count_if(met, [&](const TunedKernel &kernel) {
      return kernel.schedules[0] == wanted;
    });
  };
  EXPECT_EQ(cuts(before), 0);
  EXPECT_EQ(cuts(after), 1);
  EXPECT_THAT(tuned.notices(), IsEmpty());
}

TEST_F(TuningTest, KeepsItsOwnCutWhereTheFilesDoesNotFit) {
  ir::ScheduleAttr rows = ir::ScheduleAttr::get(&context, ir::NestKind::Rows, 4,
                                                0, ArrayRef<int64_t>());
  auto held =
      ir::ScheduleAttr::get(&context, ir::NestKind::Matmul, 99, 32, {3, 3, 99});
  std::vector<TunedKernel> met;
  Tensor expected = run(*analytic, met);
  for (const SmallVector<ir::ScheduleAttr> &schedules :
       {SmallVector<ir::ScheduleAttr>{matmul(9, 33)},
        {matmul(0, 32)},
        {matmul(7, 32)},
        {matmul(3 << 20, 1 << 20)},
        {held},
        {rows},
        {matmul(9, 32), matmul(9, 32)},
        {}}) {
    TunedTarget tuned(*analytic, withSchedules(schedules), features);
    EXPECT_EQ(firstDifference(expected, run(tuned, met)), "");
    EXPECT_THAT(tuned.notices(), ElementsAre(HasSubstr("do not fit")));
  }
}

TEST_F(TuningTest, TellsOfKernelsThatAreNotThere) {
  Tuning tuning = withSchedules({matmul(9, 32)});
  tuning.kernels[0].key = "0123";
  TunedTarget tuned(*analytic, tuning, features);
  std::vector<TunedKernel> met;
  run(tuned, met);
  EXPECT_THAT(tuned.notices(),
              ElementsAre(HasSubstr("1 of 1 kernels are not in this program")));
}

TEST_F(TuningTest, RefusesOtherFiles) {
  std::string good = codegen::printTuning(withSchedules({matmul(9, 32)}));
  auto without = [&](const std::string &part) {
    std::string text = good;
    text.replace(text.find(part), part.size(), "\"other\"");
    return text;
  };
  std::string streaming = good;
  streaming.insert(streaming.find("\"tile\""), "\"stream\": 64, ");
  const std::pair<std::string, const char *> cases[] = {
      {"", "expects JSON"},
      {"{\"kernels\": [}", "expects JSON"},
      {"[]", "\"tenon_tuning\": 1, got none"},
      {"{\"tenon_tuning\": 2}", "got 2"},
      {"{\"tenon_tuning\": 1}", "a list \"kernels\""},
      {without("\"key\""), "kernel 0: missing value at kernel.key"},
      {without("\"tile\""), "kernel 0: missing value"},
      {without("\"matmul\""), "a known kind"},
      {streaming, "a stream of >= 0 bytes, of rows alone, got 64"},
      {without(concat("\"", base::cpuFeaturesName(features), "\"")),
       "kernel 0: expects v3"}};
  for (const auto &[text, says] : cases) {
    auto read = codegen::parseTuning(text, &context);
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_THAT(std::string(read.status().message()), HasSubstr(says)) << text;
  }
}

} // namespace
} // namespace tenon::testing
