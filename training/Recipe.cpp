//===- Recipe.cpp - Every option of a run of training ---------------------===//

#include "training/Recipe.h"

#include "runtime/io/Json.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace tenon::training {
namespace {

template <typename Got>
Status expect(bool holds, const char *option, const char *what,
              const Got &got) {
  return holds ? Status()
               : invalidArgument(option, " expects ", what, ", got ", got);
}

bool isOneOf(std::string_view text,
             std::initializer_list<std::string_view> names) {
  return std::ranges::find(names, text) != names.end();
}

bool readNumber(std::string_view text, int64_t &number) {
  const char *end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end;
}

StatusOr<CurriculumStage> parseStage(const std::string &text) {
  size_t colon = text.find(':');
  CurriculumStage stage;
  if (colon == std::string::npos ||
      !readNumber(std::string_view(text).substr(0, colon), stage.firstStep) ||
      !readNumber(std::string_view(text).substr(colon + 1), stage.length) ||
      stage.firstStep < 0 || stage.length < 1)
    return invalidArgument("curriculum expects STEP:LENGTH, got '", text, "'");
  return stage;
}

} // namespace

StatusOr<int64_t> parseBytes(const std::string &text) {
  struct Unit {
    std::string_view name;
    double bytes;
  };
  constexpr Unit kUnits[] = {{"", 1},         {"B", 1},        {"KiB", 0x1p10},
                             {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"KB", 1e3},
                             {"MB", 1e6},     {"GB", 1e9}};
  double number = 0;
  const char *end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, number);
  auto unit = std::ranges::find(kUnits, std::string_view(stop, end - stop),
                                &Unit::name);
  if (error != std::errc() || unit == std::end(kUnits) || !(number > 0) ||
      number * unit->bytes > 0x1p60)
    return invalidArgument("expects a size as 512MiB or 2GiB, got '", text,
                           "'");
  return static_cast<int64_t>(number * unit->bytes);
}

Status Recipe::complete() {
  TENON_RETURN_IF_ERROR(expect(steps > 0, "steps", "at least 1", steps));
  TENON_RETURN_IF_ERROR(expect(batch > 0, "batch", "at least 1", batch));
  TENON_RETURN_IF_ERROR(expect(length > 0, "length", "at least 1", length));
  TENON_RETURN_IF_ERROR(expect(micro >= 0, "micro", "at least 0", micro));
  TENON_RETURN_IF_ERROR(expect(isOneOf(optimizer, {"adamw", "sgd"}),
                               "optimizer", "adamw or sgd", optimizer));
  TENON_RETURN_IF_ERROR(
      expect(isOneOf(schedule, {"cosine", "linear", "constant"}), "schedule",
             "cosine, linear or constant", schedule));
  TENON_RETURN_IF_ERROR(expect(isOneOf(onNan, {"stop", "skip"}), "on-nan",
                               "stop or skip", onNan));
  TENON_RETURN_IF_ERROR(expect(isOneOf(compute, {"f32", "bf16"}), "compute",
                               "f32 or bf16", compute));
  TENON_RETURN_IF_ERROR(
      expect(isOneOf(cacheType, {"f32", "f16", "bf16", "q8_0"}), "cache-type",
             "f32, f16, bf16 or q8_0", cacheType));
  TENON_RETURN_IF_ERROR(
      expect(latents.empty() || isOneOf(latents, {"absorbed", "materialised"}),
             "latent-attention", "absorbed or materialised", latents));
  TENON_RETURN_IF_ERROR(
      expect(isOneOf(recompute, {"auto", "none", "selective", "layer"}),
             "recompute", "auto, none, selective or layer", recompute));
  TENON_RETURN_IF_ERROR(expect(std::isfinite(rate) && rate >= 0, "rate",
                               "a number of at least 0", rate));
  TENON_RETURN_IF_ERROR(expect(
      adapter.empty() || isOneOf(adapter, {"lora", "rslora", "bottleneck"}),
      "adapter", "lora, rslora or bottleneck", adapter));
  TENON_RETURN_IF_ERROR(expect(adapter.empty() == targets.empty(), "targets",
                               "patterns of linear parts with adapter, and "
                               "none without",
                               targets.size()));
  TENON_RETURN_IF_ERROR(expect(rank > 0, "rank", "at least 1", rank));
  TENON_RETURN_IF_ERROR(expect(keep > 0, "keep", "at least 1", keep));
  TENON_RETURN_IF_ERROR(
      expect(lossScale > 0, "loss-scale", "more than 0", lossScale));
  TENON_RETURN_IF_ERROR(expect(clip >= 0, "clip", "at least 0", clip));
  TENON_RETURN_IF_ERROR(completeMethod());
  TENON_RETURN_IF_ERROR(completeBalance());
  TENON_RETURN_IF_ERROR(completeFurther());
  if (!memoryBudget.empty()) {
    StatusOr<int64_t> bytes = parseBytes(memoryBudget);
    if (!bytes.ok())
      return bytes.status().withContext("memory-budget");
    budgetBytes = *bytes;
  }
  return completeCurriculum();
}

Status Recipe::completeCurriculum() {
  stages.clear();
  for (const std::string &text : curriculum) {
    TENON_ASSIGN_OR_RETURN(CurriculumStage stage, parseStage(text));
    if (!stages.empty() && stage.firstStep <= stages.back().firstStep)
      return invalidArgument("curriculum expects ascending steps, got '", text,
                             "' after ", stages.back().firstStep);
    if (stage.length > length)
      return invalidArgument("curriculum expects lengths of at most ", length,
                             ", the recipe's, got '", text, "'");
    stages.push_back(stage);
  }
  return Status();
}

Status Recipe::completeMethod() const {
  constexpr std::string_view kMethods[] = {"text", "grpo", "dr-grpo",
                                           "ppo",  "dpo",  "distill"};
  TENON_RETURN_IF_ERROR(
      expect(std::ranges::find(kMethods, method) != std::end(kMethods),
             "method", "text, grpo, dr-grpo, ppo, dpo or distill", method));
  TENON_RETURN_IF_ERROR(expect((method == "distill") == !teacher.empty(),
                               "teacher", "a model with method distill alone",
                               teacher.empty() ? "none" : teacher));
  TENON_RETURN_IF_ERROR(expect(temperature > 0 && std::isfinite(temperature),
                               "temperature", "more than 0", temperature));
  TENON_RETURN_IF_ERROR(expect(beta > 0, "beta", "more than 0", beta));
  if (method != "text")
    TENON_RETURN_IF_ERROR(expect(curriculum.empty(), "curriculum",
                                 "the method text", curriculum.size()));
  if (!isPolicy())
    return Status();
  TENON_RETURN_IF_ERROR(expect(group > 0 && batch % group == 0, "group",
                               "a number that divides the batch", group));
  TENON_RETURN_IF_ERROR(expect(method == "ppo" || group > 1, "group",
                               "at least 2 completions to compare", group));
  TENON_RETURN_IF_ERROR(
      expect(!rewards.empty(), "rewards", "a name at least", rewards.size()));
  TENON_RETURN_IF_ERROR(expect(updates > 0, "updates", "at least 1", updates));
  TENON_RETURN_IF_ERROR(expect(minibatches > 0 && batch % minibatches == 0,
                               "minibatches", "a number that divides the batch",
                               minibatches));
  TENON_RETURN_IF_ERROR(
      expect(clipLow >= 0 && clipLow <= 1, "clip-low", "0 to 1", clipLow));
  TENON_RETURN_IF_ERROR(
      expect(clipHigh >= 0, "clip-high", "at least 0", clipHigh));
  TENON_RETURN_IF_ERROR(expect(penalty >= 0, "penalty", "at least 0", penalty));
  TENON_RETURN_IF_ERROR(
      expect(gamma >= 0 && gamma <= 1, "gamma", "0 to 1", gamma));
  TENON_RETURN_IF_ERROR(
      expect(lambda >= 0 && lambda <= 1, "lambda", "0 to 1", lambda));
  return expect(completion >= 0 && completion <= length, "completion",
                "0 to the length", completion);
}

Status Recipe::completeBalance() const {
  auto expect = [](bool holds, const char *option, const char *what,
                   double got) {
    return holds && std::isfinite(got)
               ? Status()
               : invalidArgument(option, " expects ", what, ", got ", got);
  };
  TENON_RETURN_IF_ERROR(
      expect(balanceRate >= 0, "balance-rate", "at least 0", balanceRate));
  TENON_RETURN_IF_ERROR(
      expect(balanceLoss >= 0, "balance-loss", "at least 0", balanceLoss));
  TENON_RETURN_IF_ERROR(expect(zLoss >= 0, "z-loss", "at least 0", zLoss));
  TENON_RETURN_IF_ERROR(
      expect(capacity >= 0, "capacity", "at least 0", capacity));
  TENON_RETURN_IF_ERROR(
      expect(finalCapacity >= 0 && (capacity > 0 || finalCapacity == 0),
             "final-capacity", "at least 0, and --capacity", finalCapacity));
  if (routing != "computed" && !(routing == "recorded" && isPolicy()))
    return invalidArgument("routing expects computed or, with a method that "
                           "learns from rewards, recorded, got ",
                           routing);
  return expect(!isPolicy() || capacity == 0, "capacity",
                "a method that does not learn from rewards, since choices that "
                "are dropped in training alone give tokens other probabilities "
                "than they were drawn with",
                capacity);
}

Status Recipe::completeFurther() const {
  if (!(mtpLoss >= 0) || !std::isfinite(mtpLoss))
    return invalidArgument("mtp-loss expects at least 0, got ", mtpLoss);
  if (mtpLoss > 0 && method != "text")
    return invalidArgument("mtp-loss expects the method text, got ", method);
  return Status();
}

double Recipe::capacityAt(int64_t step) const {
  if (capacity == 0)
    return 0;
  double last = finalCapacity > 0 ? finalCapacity : capacity;
  double done = steps > 1 ? static_cast<double>(step) / (steps - 1.0) : 0;
  return capacity + (last - capacity) * std::min(done, 1.0);
}

int64_t Recipe::sequencesEach() const {
  // Documents that are shorter than --length lie side by side.
  if (isPolicy())
    return std::min<int64_t>(learnedSequences(), 8);
  int64_t least = length;
  for (const CurriculumStage &stage : stages)
    least = std::min(least, stage.length);
  return least == length ? 1 : length / least + 1;
}

std::string Recipe::compilerOptions(const std::string &recomputed) const {
  bool accumulates = atOnce() < learnedSequences() || budgetBytes > 0;
  const char *objective = isPolicy()            ? "policy"
                          : method == "distill" ? "distillation"
                                                : "likelihood";
  io::Json json = {
      {"tokens", atOnce() * length},
      {"sequences", atOnce() * sequencesEach()},
      {"accumulates", accumulates},
      {"optimizer", optimizer},
      {"beta1", beta1},
      {"beta2", beta2},
      {"epsilon", epsilon},
      {"momentum", momentum},
      {"decay", decay},
      {"clip", clip},
      {"checkpoint", recomputed == "none" ? "" : recomputed},
      {"compute", compute},
      {"cache_type", cacheType},
      {"latent_attention", latents},
      {"frozen", frozen},
      {"undecayed", undecayed},
      {"objective", objective},
      {"values", method == "ppo"},
      {"scores_all", compareEvery > 0},
      {"balance_loss", balanceLoss},
      {"z_loss", zLoss},
      {"capacity", capacity > 0},
      {"records_routing", recordsRouting()},
      {"further", mtpLoss > 0},
      {"decode", isPolicy() ? std::max<int64_t>(batch, 512) : 512},
  };
  if (!adapter.empty())
    json["adapter"] = {{"kind", adapter},
                       {"rank", rank},
                       {"alpha", alpha},
                       {"targets", targets}};
  return json.dump();
}

std::string Recipe::orderDigest() const {
  io::Json json = {{"batch", batch},           {"length", length},
                   {"curriculum", curriculum}, {"seed", seed},
                   {"method", method},         {"group", group}};
  return json.dump();
}

} // namespace tenon::training
