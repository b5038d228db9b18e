//===- TrainPlan.cpp - How a step is computed within a budget -------------===//

#include "tools/tenon/TrainPlan.h"

#include "runtime/exec/DecoderEntries.h"
#include "runtime/exec/Trainer.h"
#include "tools/tenon/Table.h"

#include <algorithm>
#include <thread>

namespace tenon::tools {

using training::Recipe;

int64_t tensorBytes(const base::State &state) {
  int64_t count = 1;
  for (int64_t extent : state.shape)
    count *= extent;
  StatusOr<int64_t> bytes = base::sizeBytes(state.element, count);
  return state.isTensor() && bytes.ok() ? *bytes : 0;
}

exec::DecoderLimits decoderLimits(const Recipe &recipe,
                                  const base::Program &program) {
  constexpr int64_t kPromptTokens = 256; // room for one, computed at once
  exec::DecoderLimits limits;
  limits.contextTokens = kPromptTokens;
  if (recipe.isPolicy()) {
    limits.contextTokens = std::max(kPromptTokens, recipe.length + 1);
    limits.sequences = recipe.batch;
  }
  if (recipe.evaluateMatches > 0)
    limits.contextTokens = std::max(kPromptTokens, recipe.length + 1);
  if (recipe.sampleEvery > 0)
    limits.contextTokens += recipe.sampleTokens;
  if (int64_t most = exec::modelContext(program))
    limits.contextTokens = std::min(most, limits.contextTokens);
  limits.chunkTokens = std::min(recipe.length, kPromptTokens);
  if (recipe.isPolicy())
    limits.chunkTokens = std::max(limits.chunkTokens, recipe.batch);
  return limits;
}

namespace {

/// Bytes that stay for the whole run: weights, the optimiser's variables, and
/// packed weights.
StatusOr<int64_t> residentBytes(const Recipe &recipe,
                                const base::Program &program) {
  TENON_ASSIGN_OR_RETURN(
      exec::SessionOptions limits,
      exec::decoderOptions(program, decoderLimits(recipe, program)));
  int64_t bytes = 0;
  for (const base::State &state : program.states)
    bytes += tensorBytes(state) +
             state.bytesPerBlock * limits.pageBlocks * limits.pages;
  for (const base::Prepared &prepared : program.prepared)
    bytes += static_cast<int64_t>(prepared.sizeBytes);
  int64_t scratch = 0, threads = std::thread::hardware_concurrency();
  for (const base::Kernel &kernel : program.kernels)
    scratch = std::max(scratch, kernel.scratchBytes);
  return bytes + scratch * (recipe.threads ? recipe.threads : threads);
}

// Fewer tokens at once than these make products slower than computing
// activations again does.
constexpr int64_t kFullTokens = 256;

/// Compiles the step and finds out for how many sequences at once the budget
/// has room.
StatusOr<TrainPlan> planWith(const Recipe &recipe, bool skipsCache,
                             const std::string &recompute, Progress &progress) {
  ProgramRequest request;
  request.model = recipe.model;
  request.training = recipe.compilerOptions(recompute);
  request.skipCache = skipsCache;
  request.threads = recipe.threads;
  TrainPlan plan;
  plan.recompute = recompute;
  TENON_ASSIGN_OR_RETURN(plan.ready, prepareProgram(request, progress));
  const base::Program &program = plan.ready.program->program();
  TENON_ASSIGN_OR_RETURN(int64_t resident, residentBytes(recipe, program));
  for (int64_t n = recipe.atOnce(); n >= 1; --n) {
    TENON_ASSIGN_OR_RETURN(int64_t arena,
                           exec::stepArenaBytes(program, n * recipe.length,
                                                n * recipe.sequencesEach()));
    plan.neededBytes = resident + arena;
    bool hasRoom =
        recipe.budgetBytes == 0 || plan.neededBytes <= recipe.budgetBytes;
    if (hasRoom) {
      plan.atOnce = n;
      return plan;
    }
  }
  return plan;
}

} // namespace

StatusOr<TrainPlan> choosePlan(const Recipe &recipe, bool skipsCache,
                               Progress &progress) {
  std::vector<std::string> ways = {recipe.recompute};
  if (recipe.recompute == "auto")
    ways = {"none", "selective", "layer"};
  int64_t enough =
      std::min(recipe.atOnce(), (kFullTokens - 1) / recipe.length + 1);
  std::optional<TrainPlan> best;
  for (const std::string &way : ways) {
    TENON_ASSIGN_OR_RETURN(TrainPlan plan,
                           planWith(recipe, skipsCache, way, progress));
    bool isBetter = !best || plan.atOnce > best->atOnce;
    if (isBetter || plan.atOnce == 0)
      best.emplace(std::move(plan));
    if (best->atOnce >= enough)
      break;
  }
  if (best->atOnce > 0)
    return *std::move(best);
  return resourceExhausted("expects a --memory-budget of at least ",
                           formatBytes(best->neededBytes),
                           ", for one sequence at once and what stays for the "
                           "whole run, got ",
                           recipe.memoryBudget);
}

} // namespace tenon::tools
