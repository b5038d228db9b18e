//===- Tuner.cpp - A search for better schedules --------------------------===//

#include "tools/compiler/Tuner.h"

#include "frontend/session/ModelFiles.h"
#include "tools/compiler/KernelTrial.h"

#include "absl/strings/str_cat.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/StringSet.h"

#include <algorithm>
#include <chrono>
#include <cmath>

using namespace mlir;
using namespace tenon;
using namespace tenon::tools;
using codegen::SymbolRanges;

namespace {

using Schedules = SmallVector<ir::ScheduleAttr>;
using Clock = std::chrono::steady_clock;

// A sample is of runs that take this long together.
constexpr double kSampleNs = 1e6;
// Two schedules are timed in turns: a few times to see that one is hopeless,
// then until it is faster nearly always, by more than noise.
constexpr int kFirstPairs = 3, kPairs = 9, kWins = 8;
constexpr double kBetter = 0.97;
// The winner against the analytic schedule, by fresh samples.
constexpr int kLastPairs = 13, kLastWins = 11;
constexpr double kLastBetter = 0.98;

/// A kernel in a module of its own, as the analytic model met it.
struct Kernel {
  OwningOpRef<ModuleOp> holder;
  ir::KernelOp op;
  SymbolRanges ranges;
};

/// Gives the analytic schedules, and keeps a copy of each distinct kernel.
class Collector final : public codegen::Target {
public:
  Collector(const codegen::Target &base, base::CpuFeatures set)
      : analytic(base), features(set) {}

  ir::ScheduleAttr schedule(ir::KernelOp kernel, unsigned nest,
                            const SymbolRanges &ranges) const override {
    if (nest == 0)
      collect(kernel, ranges);
    return analytic.schedule(kernel, nest, ranges);
  }
  Schedules neighbours(ir::KernelOp, unsigned, ir::ScheduleAttr,
                       const SymbolRanges &, base::CpuFeatures) const override {
    return {};
  }
  bool admits(ir::KernelOp kernel, unsigned nest, ir::ScheduleAttr schedule,
              const SymbolRanges &ranges) const override {
    return analytic.admits(kernel, nest, schedule, ranges);
  }

  std::vector<Kernel> take() { return std::move(kernels); }

private:
  void collect(ir::KernelOp kernel, const SymbolRanges &ranges) const {
    std::string key = codegen::kernelKey(kernel, ranges, features);
    std::lock_guard<std::mutex> lock(mutex);
    if (!seen.insert(key).second)
      return;
    Kernel copy;
    copy.holder = ModuleOp::create(kernel.getLoc());
    OpBuilder builder = OpBuilder::atBlockEnd(copy.holder->getBody());
    auto function = func::FuncOp::create(
        builder, kernel.getLoc(), "holder",
        builder.getFunctionType(kernel.getInputs().getTypes(), {}));
    Block *body = function.addEntryBlock();
    builder.setInsertionPointToStart(body);
    copy.op = cast<ir::KernelOp>(builder.clone(*kernel));
    copy.op->setOperands(body->getArguments());
    copy.ranges = ranges;
    kernels.push_back(std::move(copy));
  }

  const codegen::Target &analytic;
  base::CpuFeatures features;
  mutable std::mutex mutex;
  mutable llvm::StringSet<> seen;
  mutable std::vector<Kernel> kernels;
};

double medianOf(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + values.size() / 2);
  return values[values.size() / 2];
}

/// Samples of two codes, taken in turns.
struct Duel {
  std::vector<double> first, second; // ns a run

  int wins() const { // of the second
    int count = 0;
    for (size_t i = 0; i < first.size(); ++i)
      count += second[i] < first[i];
    return count;
  }
  double ratio() const {
    std::vector<double> ratios;
    for (size_t i = 0; i < first.size(); ++i)
      ratios.push_back(second[i] / first[i]);
    return medianOf(std::move(ratios));
  }
};

void sample(KernelTrial &trial, const CutKernel &a, const CutKernel &b,
            int64_t runs, int pairs, Duel &duel) {
  for (int i = 0; i < pairs; ++i) {
    bool isSwapped = i % 2; // Who is first finds another machine.
    double early = trial.time(isSwapped ? b : a, runs);
    double late = trial.time(isSwapped ? a : b, runs);
    duel.first.push_back(isSwapped ? late : early);
    duel.second.push_back(isSwapped ? early : late);
  }
}

/// The search for one kernel.
class Search {
public:
  Search(Kernel &searched, const codegen::Target &model,
         const TrialSetup &trialSetup, const TunerOptions &tunerOptions,
         Clock::time_point until)
      : kernel(searched), target(model), setup(trialSetup),
        options(tunerOptions), deadline(until) {}

  absl::Status run();

  codegen::TunedKernel result;
  std::string analyticText;
  size_t tried = 0;
  bool isKept = false;
  bool isMeasured = false; // false: fails on the inputs that a trial makes

private:
  absl::Status start();
  absl::StatusOr<bool> climb();
  absl::StatusOr<bool> tryOne(const Schedules &schedules);
  bool isOver() const {
    return Clock::now() >= deadline ||
           (options.shouldStop && options.shouldStop());
  }

  Kernel &kernel;
  const codegen::Target &target;
  const TrialSetup &setup;
  const TunerOptions &options;
  Clock::time_point deadline;
  std::unique_ptr<KernelTrial> trial;
  std::unique_ptr<CutKernel> analytic, better; // null: none is better
  Schedules analyticSchedules, best;
  llvm::StringSet<> known; // texts of schedules that were met
  int64_t runs = 1;        // of a sample
};

absl::Status Search::start() {
  for (unsigned nest = 0; nest < kernel.op->getNumRegions(); ++nest)
    best.push_back(target.schedule(kernel.op, nest, kernel.ranges));
  analyticSchedules = best;
  analyticText = textOf(best);
  known.insert(analyticText);
  result.key = codegen::kernelKey(kernel.op, kernel.ranges, setup.features);
  result.label = kernel.op.getLabel().str();
  result.symbols = codegen::describeSymbols(kernel.op, kernel.ranges);
  result.features = setup.features;
  auto made = KernelTrial::create(kernel.op, kernel.ranges, setup);
  if (!made.ok())
    return made.status();
  trial = *std::move(made);
  auto code = trial->compile(best);
  if (!code.ok())
    return code.status();
  analytic = *std::move(code);
  isMeasured = trial->keepResults(*analytic);
  if (!isMeasured)
    return absl::OkStatus();
  double once = trial->time(*analytic, 1);
  once = std::min(once, trial->time(*analytic, 1));
  runs = std::max<int64_t>(1, std::llround(kSampleNs / once));
  return absl::OkStatus();
}

absl::StatusOr<bool> Search::tryOne(const Schedules &schedules) {
  auto code = trial->compile(schedules);
  if (!code.ok())
    return code.status();
  ++tried;
  if (!trial->givesSame(**code))
    return absl::InternalError(
        absl::StrCat("'", result.label,
                     "' expects the same result of every "
                     "schedule, got another with ",
                     textOf(schedules)));
  const CutKernel &champion = better ? *better : *analytic;
  Duel duel;
  sample(*trial, champion, **code, runs, kFirstPairs, duel);
  if (duel.ratio() >= 1)
    return false;
  sample(*trial, champion, **code, runs, kPairs - kFirstPairs, duel);
  if (duel.ratio() > kBetter || duel.wins() < kWins)
    return false;
  better = *std::move(code);
  best = schedules;
  return true;
}

/// Tries neighbours until one is better.
absl::StatusOr<bool> Search::climb() {
  for (size_t nest = 0; nest < best.size(); ++nest)
    for (ir::ScheduleAttr neighbour : target.neighbours(
             kernel.op, nest, best[nest], kernel.ranges, setup.features)) {
      Schedules schedules = best;
      schedules[nest] = neighbour;
      if (!known.insert(textOf(schedules)).second)
        continue;
      if (isOver())
        return false;
      absl::StatusOr<bool> isBetter = tryOne(schedules);
      if (!isBetter.ok() || *isBetter)
        return isBetter;
    }
  return false;
}

absl::Status Search::run() {
  if (absl::Status status = start(); !status.ok())
    return status;
  bool climbs = isMeasured;
  while (climbs) {
    absl::StatusOr<bool> climbed = climb();
    if (!climbed.ok())
      return climbed.status();
    climbs = *climbed;
  }
  if (!isMeasured)
    return absl::OkStatus();
  Duel duel;
  sample(*trial, *analytic, better ? *better : *analytic, runs,
         better ? kLastPairs : kFirstPairs, duel);
  isKept = better && duel.ratio() <= kLastBetter && duel.wins() >= kLastWins;
  result.analyticUs = medianOf(duel.first) / 1e3;
  result.tunedUs = isKept ? medianOf(duel.second) / 1e3 : result.analyticUs;
  result.schedules = isKept ? best : analyticSchedules;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Kernel>>
collectKernels(ModuleOp module, const codegen::Target &target,
               const TunerOptions &options) {
  codegen::CompileOptions compile = options.compile;
  Collector collector(target, compile.features.front());
  compile.target = &collector;
  compile.isSchedulingOnly = true;
  absl::StatusOr<codegen::Compiled> compiled =
      codegen::compile(module, compile);
  if (!compiled.ok())
    return compiled.status();
  std::vector<Kernel> kernels = collector.take();
  std::erase_if(kernels, [&](Kernel &kernel) { // Run once, at load.
    return target.schedule(kernel.op, 0, kernel.ranges).getKind() ==
           ir::NestKind::Pack;
  });
  return kernels;
}

} // namespace

std::string tools::textOf(ArrayRef<ir::ScheduleAttr> schedules) {
  std::string text;
  llvm::raw_string_ostream out(text);
  llvm::interleave(schedules, out, " | ");
  return text;
}

absl::StatusOr<codegen::Tuning> tools::tune(ModuleOp module,
                                            const TunerOptions &options) {
  auto start = Clock::now();
  std::unique_ptr<codegen::Target> target =
      codegen::makeTarget("cpu", options.machine);
  auto kernels = collectKernels(module, *target, options);
  if (!kernels.ok())
    return kernels.status();
  auto device = hal::openDevice("cpu", {options.threads, {}});
  if (!device.ok())
    return toAbsl(device.status());
  TrialSetup setup{**device, options.compile.features.front(), options.machine,
                   options.tokens, options.context};
  codegen::Tuning tuning;
  tuning.machine = options.machine;
  std::chrono::duration<double> budget(options.budgetSeconds);
  auto end = start + std::chrono::duration_cast<Clock::duration>(budget);
  for (auto [number, kernel] : llvm::enumerate(*kernels)) {
    auto now = Clock::now();
    if (now >= end || (options.shouldStop && options.shouldStop()))
      break;
    if (options.progress)
      options.progress(kernel.op.getLabel().str(), number, kernels->size());
    // What a kernel leaves of its share is for those that follow.
    auto share = (end - now) / static_cast<int64_t>(kernels->size() - number);
    Search search(kernel, *target, setup, options, now + share);
    if (absl::Status status = search.run(); !status.ok())
      return status;
    if (search.isKept)
      tuning.kernels.push_back(search.result);
    if (options.onResult)
      options.onResult({search.result, search.analyticText, search.tried,
                        search.isKept, kernels->size()});
  }
  return tuning;
}
