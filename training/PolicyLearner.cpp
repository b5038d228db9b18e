//===- PolicyLearner.cpp - Learning from rewards --------------------------===//

#include "training/PolicyLearner.h"

#include "training/Advantages.h"
#include "training/Order.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace tenon::training {
namespace {

/// The largest difference; NaN where any is.
double largestDifference(std::span<const float> a, std::span<const float> b) {
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    double difference = std::abs(static_cast<double>(a[i]) - b[i]);
    if (a[i] != b[i] && !(difference <= most))
      most = difference;
  }
  return most;
}

double meanOf(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) /
         static_cast<double>(values.size());
}

} // namespace

PolicyLearner::PolicyLearner(const Recipe &how, const LoopParts &with,
                             exec::Trainer &does, exec::Generator &writes,
                             PolicyParts all)
    : recipe(how), parts(with), trainer(does), generator(writes),
      own(std::move(all)) {
  auto add = [&](const char *name, double value) {
    numbers.push_back({name, static_cast<float>(value)});
  };
  add("clip_low", recipe.clipLow);
  add("clip_high", recipe.clipHigh);
  add("penalty", recipe.penalty);
  add("temperature", recipe.temperature);
  add("value_weight", recipe.valueWeight);
  add("value_clip", recipe.valueClip);
}

Status PolicyLearner::check(int64_t) {
  if (generator.contextTokens() < recipe.length + 1)
    return invalidArgument("expects a context of ", recipe.length + 1,
                           " tokens, --length and one, got the model's ",
                           generator.contextTokens());
  return Status();
}

exec::StepOptions PolicyLearner::completed(const exec::StepOptions &options) {
  return withNumbers(options, numbers, stepNumbers);
}

/// Draws the completions of the step's prompts, group by group.
Status PolicyLearner::draw(int64_t step) {
  auto all = static_cast<uint64_t>(own.tasks.size());
  int64_t prompts = recipe.batch / recipe.group;
  std::vector<const Task *> tasks;
  for (int64_t i = 0; i < prompts; ++i) {
    auto number = static_cast<uint64_t>(step * prompts + i);
    uint64_t seed = mix(recipe.seed ^ mix(number / all));
    const Task &task = own.tasks[permute(number % all, all, seed)];
    tasks.insert(tasks.end(), recipe.group, &task);
  }
  RolloutOptions options;
  options.temperature = recipe.temperature;
  options.mostTokens = recipe.length + 1;
  options.mostDrawn = recipe.completion;
  options.seed = mix(recipe.seed ^ mix(~static_cast<uint64_t>(step)));
  options.keepsExperts = recipe.recordsRouting();
  options.keepsLogits =
      recipe.compareEvery > 0 && step % recipe.compareEvery == 0;
  TENON_ASSIGN_OR_RETURN(
      std::vector<Rollout> rollouts,
      drawRollouts(generator, *parts.tokenizer, tasks, options));
  lessons.clear();
  for (Rollout &each : rollouts) {
    Lesson lesson;
    lesson.rollout = std::move(each);
    lessons.push_back(std::move(lesson));
  }
  return Status();
}

/// Rewards the completions, and finds the advantages of groups.
void PolicyLearner::reward(Figures &figures) {
  auto group = static_cast<size_t>(recipe.group);
  std::vector<double> sums(own.rewards.size(), 0), all;
  size_t unequal = 0;
  double tokens = 0, ended = 0;
  for (size_t begin = 0; begin < lessons.size(); begin += group) {
    std::span<Lesson> some = std::span(lessons).subspan(begin, group);
    std::vector<Completion> completions;
    for (const Lesson &each : some) {
      completions.push_back(each.rollout.completion);
      tokens += static_cast<double>(each.rollout.drawn().size());
      ended += each.rollout.completion.isEnded;
    }
    std::vector<double> total(group, 0);
    for (size_t r = 0; r < own.rewards.size(); ++r) {
      std::vector<double> given =
          own.rewards[r].function(*some[0].rollout.task, completions);
      for (size_t i = 0; i < group; ++i) {
        total[i] += own.rewards[r].weight * given[i];
        sums[r] += given[i];
      }
    }
    std::vector<double> advantages =
        groupAdvantages(total, /*isScaled=*/recipe.method == "grpo");
    for (size_t i = 0; i < group; ++i) {
      some[i].reward = total[i];
      some[i].advantages.assign(some[i].rollout.drawn().size(),
                                static_cast<float>(advantages[i]));
    }
    unequal += std::ranges::any_of(
        total, [&](double each) { return each != total[0]; });
    all.insert(all.end(), total.begin(), total.end());
  }
  auto count = static_cast<double>(lessons.size());
  double mean = meanOf(all), squares = 0;
  for (double each : all)
    squares += (each - mean) * (each - mean) / count;
  figures = {{"reward", mean}, {"reward_deviation", std::sqrt(squares)}};
  for (size_t r = 0; r < own.rewards.size(); ++r)
    figures.push_back({own.rewards[r].name, sums[r] / count});
  figures.push_back({"completion_tokens", tokens / count});
  figures.push_back({"ended", ended / count});
  figures.push_back(
      {"unequal_groups", static_cast<double>(unequal * group) / count});
}

std::vector<exec::TrainSequence>
PolicyLearner::sequences(std::span<const size_t> chosen) const {
  std::vector<exec::TrainSequence> made;
  for (size_t i : chosen)
    made.push_back(lessons[i].sequence());
  return made;
}

/// Finds what the reference gives to the tokens.
Status PolicyLearner::compare(Figures &figures) {
  for (Lesson &each : lessons)
    each.reference = each.rollout.log;
  if (!own.reference)
    return Status();
  std::vector<exec::TrainSequence> all;
  for (const Lesson &each : lessons)
    all.push_back(each.sequence());
  TENON_ASSIGN_OR_RETURN(
      exec::Scores scores,
      own.reference->score(all, static_cast<float>(recipe.temperature)));
  double divergence = 0;
  size_t token = 0;
  for (Lesson &each : lessons)
    for (size_t t = 0; t < each.reference.size(); ++t, ++token) {
      each.reference[t] = scores.log[token];
      double d = static_cast<double>(scores.log[token]) - each.rollout.log[t];
      divergence += std::exp(d) - d - 1;
    }
  figures.push_back({"divergence", divergence / static_cast<double>(token)});
  return Status();
}

/// Finds the values of all tokens, and their advantages and returns by them.
Status PolicyLearner::value() {
  std::vector<exec::TrainSequence> all;
  for (const Lesson &each : lessons)
    all.push_back(each.sequence());
  TENON_ASSIGN_OR_RETURN(
      exec::Scores scores,
      trainer.score(all, static_cast<float>(recipe.temperature)));
  std::span<const float> left(scores.values);
  std::vector<float> advantages;
  for (Lesson &each : lessons) {
    std::span<const float> values = left.first(each.advantages.size());
    left = left.subspan(values.size());
    Estimates made =
        generalizedAdvantages(each.reward, values, recipe.gamma, recipe.lambda);
    each.values.assign(values.begin(), values.end());
    each.returns = std::move(made.returns);
    advantages.insert(advantages.end(), made.advantages.begin(),
                      made.advantages.end());
  }
  whiten(advantages);
  auto next = advantages.begin();
  for (Lesson &each : lessons) {
    std::copy_n(next, each.advantages.size(), each.advantages.begin());
    next += std::ssize(each.advantages);
  }
  return Status();
}

/// Gives the tokens of an update their shares of the loss, and lists their
/// columns.
void PolicyLearner::weigh(std::span<const size_t> chosen) {
  double all = 0;
  for (size_t i : chosen)
    all += static_cast<double>(lessons[i].advantages.size());
  auto count = static_cast<double>(chosen.size());
  for (size_t i : chosen) {
    Lesson &each = lessons[i];
    auto tokens = static_cast<double>(each.advantages.size());
    double share = 1 / all;
    if (recipe.method == "grpo")
      share = 1 / (count * tokens);
    else if (recipe.method == "dr-grpo")
      share = 1 / (count * static_cast<double>(recipe.mostDrawn()));
    each.shares.assign(each.advantages.size(), static_cast<float>(share));
    each.columns = {{"shares", each.shares},
                    {"advantages", each.advantages},
                    {"old", each.rollout.log},
                    {"reference", each.reference}};
    if (!each.values.empty()) {
      each.columns.push_back({"returns", each.returns});
      each.columns.push_back({"old_values", each.values});
    }
  }
}

StatusOr<exec::StepResult>
PolicyLearner::update(std::span<const size_t> chosen,
                      const exec::StepOptions &options) {
  weigh(chosen);
  batch = sequences(chosen);
  return trainer.step(batch, completed(options));
}

StatusOr<LearnedStep> PolicyLearner::step(int64_t step,
                                          const exec::StepOptions &options) {
  LearnedStep report;
  Figures &figures = report.figures;
  TENON_RETURN_IF_ERROR(draw(step));
  reward(figures);
  TENON_RETURN_IF_ERROR(compare(figures));
  if (recipe.method == "ppo")
    TENON_RETURN_IF_ERROR(value());
  if (!lessons[0].rollout.logits.empty()) {
    TENON_ASSIGN_OR_RETURN(double most, mismatchOfAll());
    figures.push_back({"mismatch_all", most});
  }
  int64_t each = recipe.batch / recipe.minibatches;
  double mismatch = 0, outside = 0, changed = 0;
  for (int64_t i = 0; i < recipe.updates * recipe.minibatches; ++i) {
    std::vector<size_t> chosen;
    for (int64_t k = 0; k < each; ++k) {
      auto place = static_cast<uint64_t>(i % recipe.minibatches * each + k);
      uint64_t seed = mix(recipe.seed ^ mix(i / recipe.minibatches ^
                                            mix(static_cast<uint64_t>(step))));
      chosen.push_back(recipe.minibatches == 1
                           ? place
                           : permute(place, lessons.size(), seed));
    }
    TENON_ASSIGN_OR_RETURN(exec::StepResult made, update(chosen, options));
    std::vector<float> old;
    for (size_t k : chosen)
      old.insert(old.end(), lessons[k].rollout.log.begin(),
                 lessons[k].rollout.log.end());
    if (i == 0)
      mismatch = largestDifference(made.log, old);
    for (size_t t = 0; t < old.size(); ++t) {
      double ratio = std::exp(static_cast<double>(made.log[t]) - old[t]);
      outside += ratio < 1 - recipe.clipLow || ratio > 1 + recipe.clipHigh;
    }
    changed += static_cast<double>(old.size());
    int64_t inputs = report.made.inputs + made.inputs;
    int64_t learned = report.made.learned + made.learned;
    bool isFinite = made.isFinite();
    if (i == 0 || !isFinite)
      report.made = std::move(made);
    report.made.inputs = inputs;
    report.made.learned = learned;
    if (!isFinite)
      break;
  }
  figures.push_back({"mismatch", mismatch});
  if (recipe.updates * recipe.minibatches > 1)
    figures.push_back({"clipped", outside / changed});
  auto prompts = static_cast<double>(recipe.batch / recipe.group);
  report.epoch = static_cast<double>(step + 1) * prompts /
                 static_cast<double>(own.tasks.size());
  return report;
}

StatusOr<double> PolicyLearner::mismatchOfAll() {
  std::vector<exec::TrainSequence> all;
  std::vector<float> logits;
  for (const Lesson &each : lessons) {
    all.push_back(each.sequence());
    const std::vector<float> &drawn = each.rollout.logits;
    logits.insert(logits.end(), drawn.begin(), drawn.end());
  }
  auto heat = static_cast<float>(recipe.temperature);
  TENON_ASSIGN_OR_RETURN(std::vector<float> ours, trainer.scoreAll(all, heat));
  TENON_ASSIGN_OR_RETURN(uint32_t entry,
                         parts.session->findEntry("scoreAllRows"));
  const base::Entry &form = parts.session->program().program().entries[entry];
  size_t place = form.arguments[0].name == "logits" ? 0 : 1;
  int64_t most = parts.session->axisRange(entry, place, 0).most;
  int64_t width = generator.vocabulary();
  int64_t rows = std::ssize(logits) / width;
  std::vector<float> theirs(logits.size());
  for (int64_t at = 0; at < rows; at += most) {
    int64_t shape[] = {std::min(most, rows - at), width};
    std::array<exec::TensorView, 2> arguments;
    arguments[place] = {&logits[at * width], base::ElementType::F32, shape};
    arguments[1 - place] = {&heat, base::ElementType::F32, {}};
    exec::MutableTensorView result = {&theirs[at * width],
                                      base::ElementType::F32, shape};
    TENON_RETURN_IF_ERROR(parts.session->call(entry, arguments, {&result, 1}));
  }
  return largestDifference(ours, theirs);
}

Status PolicyLearner::findNonFinite(const exec::StepOptions &options) {
  return trainer.findNonFinite(batch, completed(options));
}

StatusOr<Evaluation> PolicyLearner::evaluate(int64_t step) {
  Evaluation made;
  made.step = step;
  made.generated =
      std::min<int64_t>(recipe.evaluateSequences, std::ssize(own.validation));
  std::vector<const Task *> tasks;
  for (int64_t i = 0; i < made.generated; ++i)
    tasks.push_back(&own.validation[i]);
  RolloutOptions options;
  options.temperature = 0;
  options.mostTokens = recipe.length + 1;
  options.mostDrawn = recipe.completion;
  options.keepsLog = false;
  TENON_ASSIGN_OR_RETURN(
      std::vector<Rollout> rollouts,
      drawRollouts(generator, *parts.tokenizer, tasks, options));
  double tokens = 0;
  for (const Rollout &each : rollouts) {
    made.matches += isRight(*each.task, each.completion.text);
    tokens += static_cast<double>(each.drawn().size());
  }
  made.figures = {{"completion_tokens", tokens / made.generated}};
  return made;
}

} // namespace tenon::training
