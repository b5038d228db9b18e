//===- Training.cpp - Entries that train a decoder ------------------------===//
// T tokens, M rows that are learned, S sequences, V vocabulary.

#include "models/Training.h"

#include "frontend/dsl/Losses.h"
#include "frontend/dsl/Sugar.h"

#include "absl/strings/str_cat.h"

#include <fnmatch.h>

namespace tenon::models {
namespace {

bool matchesAny(const std::vector<std::string> &patterns,
                const std::string &name) {
  return std::ranges::any_of(patterns, [&](const std::string &pattern) {
    return fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
  });
}

/// What a call learns from, or is measured on.
struct Example {
  Tensor tokens, rows, targets, shares;
  Batch batch;

  Example(Arguments &in, const TrainingOptions &options) {
    Dim T = Dim::symbol("T", 1, options.tokens);
    Dim M = Dim::symbol("M", 1, options.tokens);
    Dim S = Dim::symbol("S", 1, options.sequences);
    tokens = in.tensor("tokens", {T}, i32);
    batch = in.batch("batch", T, S, Dim::symbol("P", 1, 1));
    rows = in.tensor("rows", {M}, i32);
    targets = in.tensor("targets", {M}, i32);
    shares = in.tensor("shares", {M});
  }
};

/// Whether a weight is of the part at `path`, or of an adapter of it.
bool isOf(const std::string &path, const std::string &weight) {
  return weight.starts_with(path + ".") ||
         weight.starts_with("adapters." + path + ".");
}

/// Rows whose logits are there at once. They take at most a quarter of what the
/// gradient of the head does, which each chunk adds to, or 64 MiB.
int64_t rowsAtOnce(int64_t vocabulary, int64_t width, bool isHeadTrained) {
  constexpr int64_t kRowsOfATile = 64, kBytes = 64 << 20;
  int64_t rows = kBytes / (vocabulary * static_cast<int64_t>(sizeof(float)));
  if (isHeadTrained)
    rows = std::max(rows, width / 4);
  return std::max(rows / kRowsOfATile, int64_t{1}) * kRowsOfATile;
}

/// The parts that entries share while they are traced.
class Training {
public:
  Training(const Decoder &trained, const TrainingOptions &given)
      : decoder(trained), options(given) {
    std::vector<NamedTensor> all = decoder.adapters.weights;
    if (all.empty())
      all = decoder.model->parameters();
    for (NamedTensor &each : all)
      if (!matchesAny(options.frozen, each.name))
        weights.push_back(std::move(each));
    if (options.accumulates)
      sums.emplace(decoder.model.get(), "gradients", weights);
    if (const auto *adam = std::get_if<AdamW::Options>(&options.optimizer))
      adamW.emplace(decoder.model.get(), "adamw", weights, decaying(*adam));
    else
      sgd.emplace(decoder.model.get(), "sgd", weights,
                  std::get<Sgd::Options>(options.optimizer));
  }

  bool isEmpty() const { return weights.empty(); }
  std::vector<Entry> entries() const;

private:
  AdamW::Options decaying(AdamW::Options adam) const {
    if (!options.undecayed.empty())
      adam.decays = [this](const NamedTensor &weight) {
        return !matchesAny(options.undecayed, weight.name);
      };
    return adam;
  }
  Tensor loss(const Example &in) const;
  LossAndGradients differentiate(const Example &in, const Tensor &scale) const {
    return lossAndGradients(
        *decoder.model, [&] { return loss(in) * scale; }, tensorsOf(weights));
  }
  /// Takes a step from the gradients of scale times the loss; returns their
  /// norm without it.
  Tensor step(const std::vector<Tensor> &gradients, const Tensor &rate,
              const Tensor &scale) const {
    Tensor norm = globalNorm(*decoder.model, gradients) / scale;
    Tensor clipped = clipScale(norm, options.clip) / scale;
    if (adamW)
      adamW->step(gradients, rate, clipped);
    else
      sgd->step(gradients, rate, clipped);
    return norm;
  }
  Results train(Arguments &in) const;
  Results accumulate(Arguments &in) const;
  Results apply(Arguments &in) const;
  Results evaluate(Arguments &in) const;

  const Decoder &decoder;
  const TrainingOptions &options;
  std::vector<NamedTensor> weights;
  mutable std::optional<GradientSums> sums;
  mutable std::optional<AdamW> adamW;
  mutable std::optional<Sgd> sgd;
};

Tensor Training::loss(const Example &in) const {
  Tensor x = decoder.hidden(in.tokens, in.batch, in.rows); // [M, D]
  Head head{decoder.logits, {}, {}};
  std::vector<NamedTensor> all = decoder.adapters.weights;
  if (all.empty())
    all = decoder.model->parameters();
  for (const NamedTensor &each : all) {
    bool isTrained = std::ranges::find(weights, each.name,
                                       &NamedTensor::name) != weights.end();
    if (isOf(decoder.head, each.name))
      (isTrained ? head.trained : head.frozen).push_back(each.tensor);
  }
  int64_t rows = options.logitRows;
  if (rows == 0)
    rows = rowsAtOnce(decoder.vocabulary, x.dim(-1).extent(),
                      !head.trained.empty());
  return chunkedCrossEntropy(*decoder.model, {x, in.targets, in.shares}, head,
                             rows);
}

Results Training::train(Arguments &in) const {
  Example example(in, options);
  Tensor rate = in.tensor("rate", {}), scale = in.tensor("scale", {});
  LossAndGradients made = differentiate(example, scale);
  Tensor norm = step(made.gradients, rate, scale);
  return {{"loss", made.loss / scale}, {"norm", norm}};
}

Results Training::accumulate(Arguments &in) const {
  Example example(in, options);
  Tensor keeps = in.tensor("keeps", {}), scale = in.tensor("scale", {});
  LossAndGradients made = differentiate(example, scale);
  sums->add(made.gradients, keeps);
  return {{"loss", made.loss / scale}};
}

Results Training::apply(Arguments &in) const {
  Tensor rate = in.tensor("rate", {}), scale = in.tensor("scale", {});
  return {{"norm", step(sums->sums(), rate, scale)}};
}

Results Training::evaluate(Arguments &in) const {
  Example example(in, options);
  // Differentiated with respect to nothing, so that no cache is read.
  LossAndGradients made =
      lossAndGradients(*decoder.model, [&] { return loss(example); }, {});
  return {{"loss", made.loss}};
}

std::vector<Entry> Training::entries() const {
  std::vector<Entry> made = decoderEntries(decoder, options.decoder);
  auto add = [&](const char *name,
                 Results (Training::*body)(Arguments &) const) {
    made.push_back({name,
                    [=, this](Arguments &in) { return (this->*body)(in); },
                    /*hasOneVariant=*/true});
  };
  if (options.accumulates) {
    add("accumulate", &Training::accumulate);
    add("apply", &Training::apply);
  } else {
    add("train", &Training::train);
  }
  add("evaluate", &Training::evaluate);
  made.push_back(
      {"norm", [this](Arguments &) -> Results {
         return {{"norm", globalNorm(*decoder.model, tensorsOf(weights))}};
       }});
  return made;
}
} // namespace

absl::StatusOr<TracedProgram> traceTraining(const Decoder &decoder,
                                            const ModelFiles &files,
                                            const TrainingOptions &options) {
  Training training(decoder, options);
  if (training.isEmpty())
    return absl::InvalidArgumentError(
        "expects at least one weight to train, got patterns that freeze all");
  TraceOptions tracing = traceOptions(decoder, files);
  tracing.checkpoint = options.checkpoint;
  tracing.compute = options.compute;
  // Frozen ones too: a checkpoint then has every weight. Beside adapters they
  // stay packed.
  if (decoder.adapters.weights.empty())
    tracing.trained = [](std::string_view) { return true; };
  return trace(*decoder.model, training.entries(), tracing);
}

} // namespace tenon::models
