//===- AdapterModel.cpp - A small decoder with adapters -------------------===//

#include "tests/models/AdapterModel.h"

#include <gtest/gtest.h>

#include <numeric>

namespace tenon::tests {
namespace {

constexpr int64_t kMostTokens = 128;

/// The gradient of the sum of logits * probe with respect to probe is the
/// logits, bit for bit.
Entry insideEntry(const models::Decoder &decoder) {
  return {"inside",
          [&](Arguments &in) -> Results {
            Dim N = Dim::symbol("N", 1, kMostTokens);
            Dim M = Dim::symbol("M", 1, kMostTokens);
            Tensor tokens = in.tensor("tokens", {N}, i32);
            Batch batch = in.batch("batch", N, Dim::symbol("B", 1, 4),
                                   Dim::symbol("Q", 1, 1));
            Tensor rows = in.tensor("rows", {M}, i32);
            Tensor probe = in.tensor("probe", {M, kAdaptedVocabulary});
            auto loss = [&] {
              Tensor product = decoder.forward(tokens, batch, rows) * probe;
              return squeeze(sum(squeeze(sum(product), -1)), 0);
            };
            std::vector<Tensor> of = tensorsOf(decoder.adapters.weights);
            of.push_back(probe);
            LossAndGradients made = lossAndGradients(*decoder.model, loss, of);
            // Weights' gradients are wanted too, so that this is a step.
            Tensor norm =
                globalNorm(*decoder.model,
                           {made.gradients.begin(), made.gradients.end() - 1});
            return {{"logits", made.gradients.back()}, {"norm", norm}};
          },
          /*hasOneVariant=*/true};
}

Arrays argumentsOf(const std::vector<int32_t> &text, int32_t past) {
  auto count = static_cast<int64_t>(text.size());
  std::vector<int32_t> sequence(count, 0), numbers(count), positions(count);
  std::iota(numbers.begin(), numbers.end(), 0);
  std::iota(positions.begin(), positions.end(), past);
  return {{"tokens", Array::of(text, {count})},
          {"batch.sequence", Array::of(sequence, {count})},
          {"batch.position", Array::of(positions, {count})},
          {"batch.pages", Array::of(std::vector<int32_t>{0}, {1, 1})},
          {"rows", Array::of(numbers, {count})},
          {"probe", Array::of(std::vector<float>(count * kAdaptedVocabulary, 1),
                              {count, kAdaptedVocabulary})}};
}

} // namespace

std::vector<float> logitsOf(Session &session, const std::vector<int32_t> &text,
                            const char *entry, int32_t past) {
  auto results = session.call(entry, argumentsOf(text, past));
  EXPECT_TRUE(results.ok()) << results.status();
  if (!results.ok())
    return {};
  auto values = results->at("logits").values<float>();
  return {values.begin(), values.end()};
}

AdapterModel::AdapterModel(base::ElementType element,
                           const std::optional<AdapterOptions> &adapters,
                           Purpose purpose, std::string_view config) {
  open(element, adapters, purpose, config);
}

void AdapterModel::open(base::ElementType element,
                        const std::optional<AdapterOptions> &adapters,
                        Purpose purpose, std::string_view config) {
  auto files = ModelFiles::describe(folder.add("config.json", config), element);
  ASSERT_TRUE(files.ok()) << files.status();
  models::TrainingOptions options;
  options.tokens = kMostTokens;
  options.decoder = {.maxTokens = kMostTokens, .adapters = adapters};
  auto built = models::buildModel(*files, options.decoder);
  ASSERT_TRUE(built.ok()) << built.status();
  decoder = *std::move(built);
  std::vector<Entry> entries = decoderEntries(decoder, options.decoder);
  if (adapters)
    entries.push_back(insideEntry(decoder));
  auto program =
      purpose == Purpose::Train
          ? models::traceTraining(decoder, *files, options)
          : trace(*decoder.model, entries, traceOptions(decoder, *files));
  ASSERT_TRUE(program.ok()) << program.status();
  auto weights = Weights::random(*program, /*seed=*/11);
  ASSERT_TRUE(weights.ok()) << weights.status();
  SessionOptions limits;
  limits.threads = 2;
  limits.limits = {{"R", kMostTokens}};
  auto opened = Session::open(*program, *weights, limits);
  ASSERT_TRUE(opened.ok()) << opened.status();
  session = *std::move(opened);
}

std::vector<float> AdapterModel::logits(const std::vector<int32_t> &text) {
  return logitsOf(*session, text);
}

std::vector<float>
AdapterModel::logitsInside(const std::vector<int32_t> &text) {
  return logitsOf(*session, text, "inside");
}

std::vector<float>
AdapterModel::logitsOneByOne(const std::vector<int32_t> &text) {
  std::vector<float> all;
  for (size_t at = 0; at < text.size(); ++at) {
    std::vector<float> row =
        logitsOf(*session, {text[at]}, "forward", static_cast<int32_t>(at));
    all.insert(all.end(), row.begin(), row.end());
  }
  return all;
}

std::vector<int32_t> adaptedText(int64_t length) {
  std::vector<int32_t> text;
  for (int64_t n = 0; n < length; ++n)
    text.push_back(static_cast<int32_t>(n * n % 11 + 5 * (n % 3)));
  return text;
}

} // namespace tenon::tests
