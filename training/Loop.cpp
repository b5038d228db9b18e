//===- Loop.cpp - A run of training ---------------------------------------===//

#include "training/Loop.h"

#include "runtime/io/Json.h"
#include "training/Curve.h"
#include "training/Rollouts.h"
#include "training/Schedule.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <numeric>

namespace tenon::training {
namespace {

namespace fs = std::filesystem;
using OrderedJson = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

// A loss scale that was halved is doubled again after so many steps.
constexpr int64_t kScaleSteps = 1000;

std::string lineOf(const OrderedJson &json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool isDue(int64_t every, int64_t step) {
  return every > 0 && step % every == 0;
}

/// How often a layer's experts were chosen least and most, in fair shares, and
/// choices beyond the capacity, of each layer.
void addLoads(const exec::StepResult &made, bool hasCapacity,
              OrderedJson &line) {
  if (made.layers == 0)
    return;
  auto width = std::ssize(made.load) / made.layers;
  std::vector<double> least, most, beyond;
  for (int64_t layer = 0; layer < made.layers; ++layer) {
    std::span<const float> own(&made.load[layer * width], width);
    std::span<const float> experts = own.first(width - 1);
    double fair = std::accumulate(experts.begin(), experts.end(), 0.0) /
                  static_cast<double>(experts.size());
    least.push_back(std::ranges::min(experts) / fair);
    most.push_back(std::ranges::max(experts) / fair);
    beyond.push_back(own.back());
  }
  line["load_least"] = least;
  line["load_most"] = most;
  if (hasCapacity)
    line["beyond_capacity"] = beyond;
}

Status writeText(const std::string &path, const std::string &text) {
  std::string partial = path + ".partial";
  std::ofstream file(partial, std::ios::binary);
  file << text;
  file.close();
  std::error_code error;
  if (file)
    fs::rename(partial, path, error);
  if (file && !error)
    return Status();
  return unavailable("expects to write '", path, "', could not");
}

} // namespace

StatusOr<std::unique_ptr<Loop>>
Loop::create(const Recipe &recipe, const LoopParts &parts, bool resumes) {
  std::unique_ptr<Loop> loop(new Loop(recipe, parts));
  TENON_RETURN_IF_ERROR(loop->begin(resumes));
  return loop;
}

Status Loop::begin(bool resumes) {
  TENON_ASSIGN_OR_RETURN(trainer, exec::Trainer::create(*parts.session));
  TENON_ASSIGN_OR_RETURN(generator,
                         exec::Generator::create(*parts.session, {}));
  TENON_ASSIGN_OR_RETURN(learner,
                         makeLearner(recipe, parts, *trainer, *generator));
  TENON_RETURN_IF_ERROR(learner->check(done));
  std::error_code error;
  fs::create_directories(recipe.output, error);
  if (error)
    return unavailable("expects to make the folder '", recipe.output,
                       "', got: ", error.message());
  std::optional<std::string> newest = newestCheckpoint(recipe.output);
  if (resumes && !newest)
    return notFound("expects a checkpoint in '", recipe.output,
                    "' to resume, got none");
  if (!resumes && newest)
    return invalidArgument("expects an output without checkpoints, got '",
                           *newest, "'; say --resume to go on from it");
  if (newest)
    TENON_RETURN_IF_ERROR(resume(*newest));
  TENON_ASSIGN_OR_RETURN(Log opened,
                         Log::open(recipe.output + "/log.jsonl", done));
  log.emplace(std::move(opened));
  return Status();
}

Status Loop::resume(const std::string &path) {
  TENON_ASSIGN_OR_RETURN(CheckpointInfo info,
                         readCheckpoint(*parts.session, path));
  if (info.order != recipe.orderDigest())
    return invalidArgument(
        "'", path,
        "': expects the batch, length, curriculum and seed that it "
        "was trained with, ",
        info.order, ", got ", recipe.orderDigest());
  done = savedStep = info.step;
  lossScale = static_cast<float>(info.lossScale);
  return Status();
}

Status Loop::run(const LoopEvents &events) {
  if (done == 0 && recipe.evaluateEvery > 0)
    TENON_RETURN_IF_ERROR(evaluate(events));
  bool stops = false;
  while (done < recipe.steps && !stops) {
    TENON_RETURN_IF_ERROR(takeStep(events));
    stops = events.shouldStop && events.shouldStop();
    TENON_RETURN_IF_ERROR(afterStep(events, stops || done == recipe.steps));
  }
  return Status();
}

Status Loop::takeStep(const LoopEvents &events) {
  StepReport report;
  report.rate = rateAt(recipe, done);
  exec::StepOptions options;
  options.rate = report.rate;
  options.scale = lossScale;
  const exec::NamedNumber numbers[] = {
      {"balance_rate", static_cast<float>(recipe.balanceRate)},
      {"capacity", static_cast<float>(recipe.capacityAt(done))},
      {"further_weight", static_cast<float>(recipe.mtpLoss)}};
  options.numbers = numbers;
  auto start = Clock::now();
  StatusOr<LearnedStep> learned = learner->step(done, options);
  // Kernels that must not meet a NaN refuse it; no weight has changed then.
  Status refusal;
  if (learned.status().code() == TENON_OUT_OF_RANGE) {
    refusal = learned.status();
    learned = LearnedStep();
    learned->made.loss = learned->made.norm = NAN;
  }
  TENON_RETURN_IF_ERROR(learned.status());
  report.made = std::move(learned->made);
  report.epoch = learned->epoch;
  report.figures = std::move(learned->figures);
  report.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  ++done;
  if (!report.made.isFinite())
    return notFinite(report.made, refusal, options, events);
  if (lossScale < static_cast<float>(recipe.lossScale) &&
      done % kScaleSteps == 0)
    lossScale *= 2;
  report.step = done;
  OrderedJson line = {{"step", done},
                      {"loss", report.made.loss},
                      {"norm", report.made.norm},
                      {"rate", report.rate},
                      {"tokens", report.made.learned},
                      {"seconds", report.seconds},
                      {"epoch", report.epoch}};
  if (recipe.lossScale != 1)
    line["loss_scale"] = lossScale;
  if (recipe.mtpLoss > 0)
    line["further_loss"] = report.made.further;
  for (const auto &[name, value] : report.figures)
    line[name] = value;
  addLoads(report.made, recipe.capacity > 0, line);
  TENON_RETURN_IF_ERROR(log->add(lineOf(line)));
  if (events.onStep)
    events.onStep(report);
  return Status();
}

/// `refusal`: what a kernel said that must not meet a NaN, or OK.
Status Loop::notFinite(const exec::StepResult &made, const Status &refusal,
                       const exec::StepOptions &options,
                       const LoopEvents &events) {
  bool overflowed = lossScale > 1 && std::isfinite(made.loss);
  Status found = overflowed ? Status() : learner->findNonFinite(options);
  std::string text = concat("step ", done, ": loss ", made.loss,
                            ", norm of the gradients ", made.norm);
  const Status &why =
      refusal.ok() || found.code() == TENON_OUT_OF_RANGE ? found : refusal;
  if (!why.ok())
    text += concat("; ", why.message());
  if (overflowed || recipe.onNan == "skip") {
    if (overflowed)
      lossScale /= 2;
    OrderedJson line = {{"step", done}, {"skipped", text}};
    TENON_RETURN_IF_ERROR(log->add(lineOf(line)));
    if (events.onNotice)
      events.onNotice("skipped " + text);
    return Status();
  }
  std::string last =
      savedStep < 0 ? std::string("no checkpoint was written yet")
                    : concat("the newest checkpoint is of step ", savedStep);
  return outOfRange(text, "; the weights are those before the step, ", last,
                    "; --on-nan skip passes over such steps");
}

Status Loop::afterStep(const LoopEvents &events, bool isLast) {
  if (isDue(recipe.evaluateEvery, done) || (isLast && recipe.evaluateEvery > 0))
    TENON_RETURN_IF_ERROR(evaluate(events));
  if (isDue(recipe.sampleEvery, done))
    TENON_RETURN_IF_ERROR(sample(events));
  if (isDue(recipe.checkpointEvery, done) || isLast)
    TENON_RETURN_IF_ERROR(checkpoint(events));
  return Status();
}

Status Loop::evaluate(const LoopEvents &events) {
  TENON_ASSIGN_OR_RETURN(Evaluation made, learner->evaluate(done));
  TENON_ASSIGN_OR_RETURN(float norm, trainer->weightNorm());
  OrderedJson line = {{"step", done}};
  if (!std::isnan(made.loss))
    line["validation_loss"] = made.loss;
  line["weight_norm"] = norm;
  if (made.generated > 0) {
    line["exact_matches"] = made.matches;
    line["generated"] = made.generated;
  }
  for (const auto &[name, value] : made.figures)
    line[name] = value;
  TENON_RETURN_IF_ERROR(log->add(lineOf(line)));
  if (events.onEvaluation)
    events.onEvaluation(made);
  return writeText(
      recipe.output + "/loss.svg",
      drawCurve(log->history(), fs::path(recipe.output).filename().string()));
}

Status Loop::sample(const LoopEvents &events) {
  if (!parts.tokenizer)
    return Status();
  TENON_ASSIGN_OR_RETURN(std::vector<int32_t> prompt,
                         parts.tokenizer->encode(recipe.prompt));
  const std::set<int32_t> &ends = parts.tokenizer->endOfText();
  std::vector<int32_t> stops(ends.begin(), ends.end()), tokens;
  exec::GenerateRequest request;
  request.prompt = prompt;
  request.maxTokens = recipe.sampleTokens;
  request.stopTokens = stops;
  request.sampling = {.temperature = 0.8f, .topK = 40, .seed = done};
  generator->forget();
  TENON_RETURN_IF_ERROR(generator
                            ->generate({&request, 1},
                                       [&](size_t, int32_t token) {
                                         tokens.push_back(token);
                                         return false;
                                       })
                            .status());
  TENON_ASSIGN_OR_RETURN(std::string text, drawnText(*parts.tokenizer, tokens));
  OrderedJson line = {{"step", done}, {"sample", recipe.prompt + text}};
  TENON_RETURN_IF_ERROR(log->add(lineOf(line)));
  if (events.onSample)
    events.onSample(done, recipe.prompt + text);
  return Status();
}

Status Loop::checkpoint(const LoopEvents &events) {
  CheckpointInfo info = {done, recipe.orderDigest(), lossScale};
  TENON_ASSIGN_OR_RETURN(std::string path,
                         writeCheckpoint(*parts.session, recipe.output, info,
                                         parts.modelFiles, recipe.keep));
  savedStep = done;
  if (events.onCheckpoint)
    events.onCheckpoint(path);
  return writeText(
      recipe.output + "/loss.svg",
      drawCurve(log->history(), fs::path(recipe.output).filename().string()));
}

} // namespace tenon::training
