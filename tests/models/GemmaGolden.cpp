//===- GemmaGolden.cpp - What Gemma 3 270M should predict -----------------===//

#include "tests/models/GemmaGolden.h"

#include "runtime/io/Json.h"
#include "tests/models/GoldenCases.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <sstream>

namespace tenon::tests {
namespace {

StatusOr<std::vector<int32_t>> readTokens(const io::Json &item,
                                          std::string_view key) {
  TENON_ASSIGN_OR_RETURN(const io::Json *list,
                         io::member(item, key, "gemma3-270m.json"));
  std::vector<int32_t> tokens;
  for (const io::Json &token : *list) {
    int64_t id = 0;
    if (!io::readInt(&token, 0, INT32_MAX, id))
      return dataLoss("expects token ids in gemma3-270m.json");
    tokens.push_back(static_cast<int32_t>(id));
  }
  return tokens;
}

/// Calls `take(id, theirs)` for each token whose logit of `run` is stored.
void forEachStored(
    const GemmaGolden &golden, const std::string &run, size_t prompt,
    size_t position,
    const std::function<void(int32_t id, float theirs, bool isTop)> &take) {
  auto topIds = golden.at<int32_t>("f32.top_ids", prompt, position);
  auto top = golden.at<float>(run + ".top_logits", prompt, position);
  for (size_t i = 0; i < top.size(); ++i)
    take(topIds[i], top[i], true);
  auto probeIds = golden.whole<int32_t>("probe_ids");
  auto probe = golden.at<float>(run + ".probe_logits", prompt, position);
  for (size_t i = 0; i < probe.size(); ++i)
    if (std::ranges::find(topIds, probeIds[i]) == topIds.end())
      take(probeIds[i], probe[i], false);
}
} // namespace

StatusOr<GemmaGolden> GemmaGolden::open() {
  std::ifstream in(goldenPath("", "gemma3-270m.json"));
  std::stringstream text;
  text << in.rdbuf();
  TENON_ASSIGN_OR_RETURN(io::Json json,
                         io::parseJson(text.str(), "gemma3-270m.json"));
  TENON_ASSIGN_OR_RETURN(
      io::WeightsFile arrays,
      io::WeightsFile::open(goldenPath("", "gemma3-270m.safetensors")));
  GemmaGolden golden(std::move(arrays));
  for (const io::Json &item : json) {
    Prompt prompt;
    if (const std::string *name = io::textOf(io::findMember(item, "name")))
      prompt.name = *name;
    TENON_ASSIGN_OR_RETURN(prompt.prompt, readTokens(item, "prompt"));
    TENON_ASSIGN_OR_RETURN(prompt.continuation,
                           readTokens(item, "continuation"));
    golden.texts.push_back(std::move(prompt));
  }
  TENON_RETURN_IF_ERROR(golden.check());
  return golden;
}

Status GemmaGolden::check() const {
  size_t positions = texts.empty() ? 0 : texts[0].continuation.size();
  for (const Prompt &text : texts)
    if (text.prompt.empty() || text.continuation.size() != positions)
      return dataLoss("expects prompts with equally long continuations");
  for (const char *name :
       {"quant.argmax", "quant.gap", "quant.max_abs_diff_f32", "quant.top_ids",
        "quant.top_logprobs", "quant.tail_logprob", "quant.tail_ids",
        "quant.tail_logprobs", "f32.argmax", "f32.gap", "f32.max_abs",
        "f32.top_ids", "f32.top_logits", "f32.probe_logits", "exact.argmax",
        "exact.gap", "exact.max_abs", "exact.top_logits",
        "exact.probe_logits"}) {
    size_t count = whole<float>(name).size();
    if (count == 0 || count % (texts.size() * positions) != 0)
      return dataLoss("expects an array '", name, "' of every position");
  }
  return whole<int32_t>("probe_ids").empty()
             ? dataLoss("expects an array 'probe_ids'")
             : Status();
}

Distribution::Distribution(std::span<const float> logits) : values(logits) {
  double most = *std::ranges::max_element(logits), sum = 0;
  for (float logit : logits)
    sum += std::exp(logit - most);
  logNormaliser = most + std::log(sum);
}

double Distribution::probability(int32_t id) const {
  return std::exp(logProbability(id));
}

double klOfQuantised(const GemmaGolden &golden, size_t prompt, size_t position,
                     const Distribution &q) {
  auto topIds = golden.at<int32_t>("quant.top_ids", prompt, position);
  auto top = golden.at<float>("quant.top_logprobs", prompt, position);
  double head = 0, rest = 1;
  for (size_t i = 0; i < top.size(); ++i) {
    double logP = top[i];
    head += std::exp(logP) * (logP - q.logProbability(topIds[i]));
    rest -= q.probability(topIds[i]);
  }
  auto tailIds = golden.at<int32_t>("quant.tail_ids", prompt, position);
  auto tail = golden.at<float>("quant.tail_logprobs", prompt, position);
  double mean = 0;
  for (size_t s = 0; s < tail.size(); ++s) {
    double logRatio = q.logProbability(tailIds[s]) - tail[s];
    mean += (std::exp(logRatio) - 1 - logRatio) / tail.size();
  }
  double mass = std::exp(golden.number("quant.tail_logprob", prompt, position));
  return head + mass * mean + mass - rest;
}

double klOfRun(const GemmaGolden &golden, const std::string &run, size_t prompt,
               size_t position, std::span<const float> ours,
               const Distribution &q) {
  double headMass = 0, probeMass = 0;
  forEachStored(golden, run, prompt, position,
                [&](int32_t id, float, bool isTop) {
                  (isTop ? headMass : probeMass) += q.probability(id);
                });
  double scale = (1 - headMass) / probeMass;
  double meanExp = 0, meanP = 0; // E_q[e^-d] and E_q[e^-d d]
  forEachStored(golden, run, prompt, position,
                [&](int32_t id, float theirs, bool isTop) {
                  double weight = q.probability(id) * (isTop ? 1 : scale);
                  double d = double(ours[id]) - theirs;
                  meanExp += weight * std::exp(-d);
                  meanP += weight * std::exp(-d) * d;
                });
  return -meanP / meanExp - std::log(meanExp);
}

double relativeError(const GemmaGolden &golden, const std::string &run,
                     size_t prompt, size_t position,
                     std::span<const float> ours) {
  double most = 0;
  forEachStored(golden, run, prompt, position,
                [&](int32_t id, float theirs, bool) {
                  most = std::max(most, std::abs(double(ours[id]) - theirs));
                });
  return most / golden.number(run + ".max_abs", prompt, position);
}

} // namespace tenon::tests
